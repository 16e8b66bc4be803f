"""The line of a check: every mistake gets a message that names file, check and mistake; a value at the threshold passes."""

import pytest

from embedding_lakehouse.core.checks import Check, parse_checks
from embedding_lakehouse.core.profiles import parse_profiles
from embedding_lakehouse.errors import ConfigurationError

STATEMENT = "-- Why?\nselect doc_id from t for version as of {{ embeddings_snapshot }} where batch_id = ? and title <> 'why?'"
PLACE = "checks.toml"


def parsed(line: str, statement: str = STATEMENT) -> dict[str, Check]:
    return parse_checks(f"[checks]\n{line}\n", {"rows_are_right": statement}, PLACE)


def test_a_line_says_what_a_check_is() -> None:
    line = 'rows_are_right = { meaning = "wrong", binds = ["batch_id"], severity = "warn", threshold = 0.5, kind = "value" }'
    assert parsed(line) == {"rows_are_right": Check("rows_are_right", "wrong", ("batch_id",), "warn", 0.5, "value")}


def test_a_check_counts_rows_and_allows_none_unless_it_says_otherwise() -> None:
    check = parsed('rows_are_right = { meaning = "wrong", binds = ["batch_id"] }')["rows_are_right"]
    assert (check.severity, check.threshold, check.kind) == ("fail", 0, "rows")


def line(settings: str) -> str:
    return f'rows_are_right = {{ meaning = "wrong", binds = ["batch_id"], {settings} }}'


MISTAKES = {
    "no TOML": ("rows_are_right = {", "checks.toml is not valid TOML"),
    "no table": ("rows_are_right = 3", "checks.toml, check 'rows_are_right': 3 must be a table such as"),
    "no meaning": ('rows_are_right = { binds = ["batch_id"] }', "check 'rows_are_right': it needs a meaning"),
    "an unknown setting": (line("limit = 3"), "check 'rows_are_right': unknown setting 'limit'; known are binds, kind, meaning"),
    "a bad severity": (line('severity = "error"'), "check 'rows_are_right': severity is 'error', must be one of fail, warn"),
    "a bad kind": (line('kind = "share"'), "check 'rows_are_right': kind is 'share', must be one of rows, value"),
    "a threshold that is no number": (line('threshold = "3"'), "check 'rows_are_right': threshold is '3', must be a number"),
    "half a row": (line("threshold = 0.5"), "check 'rows_are_right': threshold is 0.5, a check of kind rows allows a whole number"),
    "an unknown bind": (
        'rows_are_right = { meaning = "m", binds = ["batch"] }',
        "'rows_are_right': unknown bind 'batch'; known are batch_id",
    ),
    "binds that are no list": ('rows_are_right = { meaning = "m", binds = "batch_id" }', "binds is 'batch_id', must be a list of names"),
    "too few binds": ('rows_are_right = { meaning = "m" }', "rows_are_right.sql has 1 places for values, the line binds 0"),
    "a missing file": (line("threshold = 0") + '\nothers = { meaning = "m" }', "check 'others': there is no others.sql beside it"),
    "a bad name": ('"Rows are right" = { meaning = "m" }', "check 'Rows are right': a name has 1 to 100 of a-z"),
    "a file without a line": ("", "checks.toml has no line for rows_are_right.sql: declare it, or take it away"),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parsed(text)


def test_an_unknown_snapshot_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"rows_are_right.sql names 'snapshot'; known are embeddings_base, embeddings_snapshot"):
        parsed(line("threshold = 0"), "select 1 from t for version as of {{ snapshot }} where batch_id = ?")


@pytest.mark.parametrize(
    ("value", "verdict"), [(2, "passed"), (2.001, "failed"), (float("nan"), "failed"), (float("inf"), "failed"), (None, "passed")]
)
def test_a_value_at_the_threshold_passes_and_one_beyond_fails(value: float | None, verdict: str) -> None:
    assert Check("c", "m", threshold=2).verdict(value) == verdict


def test_a_check_that_warns_never_fails() -> None:
    assert Check("c", "m", severity="warn").verdict(1) == "warned"


PROFILE = '[profiles.docs]\nprovider = "wordllama"\nmodel_name = "m"\nmodel_version = "v"\ndimensions = 8\n'


def test_the_freshness_target_does_not_decide_a_vector() -> None:
    usual, strict = (parse_profiles(PROFILE + addition, "profiles.toml")["docs"] for addition in ("", "freshness_hours = 1"))
    assert (usual.freshness_hours, strict.freshness_hours) == (24, 1)
    assert usual.fingerprint == strict.fingerprint


def test_a_freshness_target_is_positive() -> None:
    with pytest.raises(ConfigurationError, match="profile 'docs': freshness_hours must be positive"):
        parse_profiles(PROFILE + "freshness_hours = 0", "profiles.toml")
