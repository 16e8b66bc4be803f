"""What becomes of hostile texts and numbers before any of them reaches a table: names, moments, binds, settings, a terminal."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from embedding_lakehouse.__main__ import main
from embedding_lakehouse.clients.sql import bound, render
from embedding_lakehouse.core.profiles import parse_profiles
from embedding_lakehouse.core.receipts import Match
from embedding_lakehouse.core.texts import CONNECTION_ID, code, one_line, visible
from embedding_lakehouse.core.times import snapshot_id, zoned_time
from embedding_lakehouse.errors import LONGEST_QUOTED, ConfigurationError, InputError, quoted
from embedding_lakehouse.page.links import Links
from embedding_lakehouse.printing import print_matches
from tests.hostile_values import LINES, MARKDOWN, PRINTABLE, TEXTS, UNPRINTABLE

OTHERS = (10**5_000, -(10**30), None, b"\xff" * 1_000, ["\n"] * 1_000, float("nan"))
every_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
PROFILE = """
[profiles."{name}"]
provider = "wordllama"
model_name = {model_name}
model_version = {model_version}
dimensions = 256
connection = {connection}
index = {{ name = {index} }}
"""
GOOD = {"name": "docs", "model_name": '"m"', "model_version": '"v"', "connection": '""', "index": '"docs"'}


@pytest.mark.parametrize("value", [*TEXTS.values(), *OTHERS], ids=range(len(TEXTS) + len(OTHERS)))
def test_an_error_names_a_value_on_one_line(value: object) -> None:
    assert len(quoted(value)) <= LONGEST_QUOTED and quoted(value).isprintable()


@every_text
def test_a_text_is_one_line_or_refused(text: str) -> None:
    try:
        line = one_line("reason", text)
    except InputError as error:
        assert text in (*UNPRINTABLE.values(), PRINTABLE["huge_number"]) and str(error).isprintable() and len(str(error)) < 300
    else:
        assert line == " ".join(text.split())


def test_a_text_of_lines_forges_none() -> None:
    assert one_line("reason", LINES) == "mended ERROR the batch was approved by admin INFO all is well"


@every_text
def test_a_terminal_is_told_nothing_by_a_text(text: str) -> None:
    assert not any((each < " " and each not in "\n\t") or "\x7f" <= each <= "\x9f" for each in visible(text))
    assert visible("a\tb\nç") == "a\tb\nç"


def test_a_match_commands_no_terminal() -> None:
    hostile = UNPRINTABLE["escape"] + "[bold]\x9b2J[/]"
    shown = io.StringIO()
    match = Match(0.5, hostile, hostile, "c" * 64, "d" * 64, 0, 0, hostile, hostile, 1, "r", hostile)
    print_matches(Console(file=shown, force_terminal=True, highlight=False, width=500), [match])
    written = shown.getvalue()
    assert "\\x1b[2J" in written and "[bold]" in written
    assert "\x1b[2J" not in written and "\x1b]0" not in written and "\x9b" not in written and "\x07" not in written


@pytest.mark.parametrize("text", [MARKDOWN, "``a``", "a`b"])
def test_markdown_is_one_span_of_code(text: str) -> None:
    assert code(text).count("`") == 2 and code(text)[0] == code(text)[-1] == "`"


@every_text
def test_only_digits_are_a_snapshot_id(text: str) -> None:
    assert snapshot_id(text) is None


def test_a_snapshot_id_is_a_number() -> None:
    assert (snapshot_id("0012"), snapshot_id("9223372036854775807"), snapshot_id("1" * 20)) == (12, 2**63 - 1, None)


@every_text
def test_no_text_is_a_time_that_cannot_be_compared(text: str) -> None:
    try:
        time = zoned_time(text, "otherwise", "zoneless")
    except InputError as error:
        assert str(error) in ("otherwise", "zoneless")
    else:
        assert time.astimezone(UTC) < datetime.now(UTC)


@pytest.mark.parametrize("value", [*TEXTS.values(), *OTHERS, True, -1, 2**63, "a.b.c"], ids=range(len(TEXTS) + len(OTHERS) + 4))
def test_nothing_but_a_number_or_an_identifier_becomes_a_part_of_a_statement(value: Any) -> None:
    with pytest.raises(ConfigurationError) as refused:
        render("receipts/read_source_texts", {"source_snapshot": value})
    assert len(str(refused.value)) < 300 and str(refused.value).isprintable()


@pytest.mark.parametrize("value", [UNPRINTABLE["half_a_surrogate"], 2**63, -(2**63) - 1, 10**5_000], ids=range(4))
def test_what_no_column_holds_is_not_bound(value: Any) -> None:
    for bind in (value, (1, value)):
        with pytest.raises(InputError) as refused:
            bound("a", "x = ?", [bind])
        assert len(str(refused.value)) < 300 and str(refused.value).isprintable()


@every_text
def test_a_connection_is_named_by_its_id_alone(text: str) -> None:
    assert not CONNECTION_ID.fullmatch(text) or text == PRINTABLE["negative"]
    assert CONNECTION_ID.fullmatch("aws_default-2.eu")


@pytest.mark.parametrize("setting", ["model_name", "model_version", "connection", "index"])
@pytest.mark.parametrize("value", ['"\\u0000"', '"a\\nb"', '"\\u001b[2J"', f'"{"x" * 1_000}"', "7", "true", '["a"]', "{ a = 1 }"])
def test_a_profile_of_hostile_settings_is_refused(setting: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_profiles(PROFILE.format(**GOOD | {setting: value}), "profiles.toml")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", ["../x", "a b", "A", "'; drop", "{{ x }}", "x" * 64, "", "a/b", "\\u202e"])
def test_a_profile_of_a_hostile_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="a name has 1 to 63"):
        parse_profiles(PROFILE.format(**GOOD | {"name": name}), "profiles.toml")


@pytest.mark.parametrize("strategy", ['["words"]', "7", '"eval"'])
def test_an_unknown_strategy_is_refused_whatever_it_is(strategy: str) -> None:
    toml = PROFILE.format(**GOOD) + f"chunking = {{ strategy = {strategy} }}"
    with pytest.raises(ConfigurationError, match="strategy"):
        parse_profiles(toml, "profiles.toml")


def test_a_nested_profile_file_is_no_toml() -> None:
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        parse_profiles("a = " + "[" * 100_000, "profiles.toml")


@every_text
def test_the_address_of_a_batch_is_below_the_batches(text: str) -> None:
    if text == UNPRINTABLE["half_a_surrogate"]:
        return
    address = Links("/embeddings", "", "docs").batch(text)
    path, _, values = address.partition("?")
    assert path.startswith("/embeddings/batches/") and path.count("/") == 3 and values == "profile=docs"


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "a question", "--filter", "[" * 100_000],
        ["search", "a question", "--filter", UNPRINTABLE["escape"]],
        ["search", "a question", "--profile", UNPRINTABLE["escape"]],
        ["search", "a\udcffb"],
        ["search", "a question", "--top-k", "9" * 4_000],
        ["explain", "x", "--at", UNPRINTABLE["escape"]],
        ["explain", "x", "--at", PRINTABLE["odd_time"]],
    ],
    ids=range(7),
)
def test_the_command_line_refuses_on_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    said = capsys.readouterr().err.strip()
    last = said.splitlines()[-1]
    assert last.startswith("error: ") and last.isprintable() and len(last) < 500 and "Traceback" not in said
