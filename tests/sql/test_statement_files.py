"""What every statement of `sql/` must be: one statement of two dialects, with a header that says what it is for and who uses it."""

import re
from pathlib import Path

import pytest
import sqlglot

from embedding_lakehouse.clients.sql import ATHENA, PLACEHOLDER, TRINO, render, statement
from embedding_lakehouse.core.athena_dialect import in_athena, view_without_zones
from embedding_lakehouse.settings import checks, sql_folder

PACKAGE = Path(__file__).parents[2] / "include" / "embedding_lakehouse"
FILES = sorted(file.relative_to(sql_folder()).with_suffix("").as_posix() for file in sql_folder().rglob("*.sql"))
# What Athena runs instead of the file of the same path.
VARIANTS = [path for path in FILES if path.startswith(f"{ATHENA}/")]
PATHS = [path for path in FILES if path not in VARIANTS]
# What only one engine has, in a folder of its name; these are run in the tests, Athena's by its stand-in, since no parser knows them.
OF_ONE_ENGINE = ("maintenance/trino/", "maintenance/athena/")


def header(path: str) -> str:
    """The comment lines at the top, as one text."""
    lines = (sql_folder() / f"{path}.sql").read_text().splitlines()
    return "\n".join(line for line in lines[: lines.index("")] if line.startswith("--"))


def named(path: str, key: str) -> str:
    """What the header says under a key, over all its lines; empty where it does not have it."""
    found = re.search(rf"^-- {key}: +(.*(?:\n--   .*)*)", header(path), re.MULTILINE)
    return re.sub(r"\s*\n-- +", " ", found[1]) if found else ""


def rendered(path: str, engine: str) -> str:
    """The statement as it goes to an engine, with a snapshot id in each of its places."""
    text = render(path, dict.fromkeys(PLACEHOLDER.findall(statement(path, engine)), 7_034_567_890_123_456_789), engine)
    return view_without_zones(in_athena(text), [("recorded_at", "timestamp with time zone")]) if engine == ATHENA else text


@pytest.mark.parametrize("engine", [TRINO, ATHENA])
@pytest.mark.parametrize("path", [path for path in PATHS if not path.startswith(OF_ONE_ENGINE)])
def test_a_file_is_one_statement_in_both_dialects(path: str, engine: str) -> None:
    (parsed,) = sqlglot.parse(rendered(path, engine), dialect=engine)
    assert not isinstance(parsed, sqlglot.exp.Command), "not understood, only passed through"


def test_a_file_for_athena_takes_what_the_other_takes() -> None:
    for path in (variant.removeprefix(f"{ATHENA}/") for variant in VARIANTS):
        texts = [statement(path, engine) for engine in (TRINO, ATHENA)]
        assert len({text.count("?") for text in texts}) == len({frozenset(PLACEHOLDER.findall(text)) for text in texts}) == 1, path


@pytest.mark.parametrize("path", PATHS)
def test_a_header_says_what_a_row_is(path: str) -> None:
    assert named(path, "Grain")


@pytest.mark.parametrize("path", PATHS)
def test_the_named_users_use_it(path: str) -> None:
    users = [user.strip() for user in named(path, "Used by").rstrip(".").split(",")]
    assert all(_uses(user, path) for user in users), users


def _uses(user: str, path: str) -> bool:
    folder, _, name = path.partition("/")
    if user == "people":
        return folder in {"views", "dashboards"}
    if user.startswith("embeddings_db."):
        return f"embeddings_db.{name}" in statement(f"views/{user.partition('.')[2]}")
    text = (PACKAGE / user).read_text()
    named_by_engine = re.sub(r"^maintenance/\w+/", 'f"maintenance/{lake.sql.name}/', path) + '"'
    return f'"{path}"' in text or named_by_engine in text or (folder == "checks" and name in checks() and 'f"checks/' in text)


@pytest.mark.parametrize("path", PATHS)
def test_the_header_counts_the_binds(path: str) -> None:
    numbers = [int(number) for number in re.findall(r"(\d+)\. ", named(path, "Binds"))]
    assert numbers == list(range(1, statement(path).count("?") + 1))


@pytest.mark.parametrize("path", PATHS)
def test_the_header_names_what_is_filled_in(path: str) -> None:
    said = re.sub(r"\([^)]*\)", "", named(path, "Names"))
    assert set(re.findall(r"\w+", said)) == set(PLACEHOLDER.findall(statement(path)))


@pytest.mark.parametrize("path", PATHS)
def test_nothing_depends_on_the_wall_clock(path: str) -> None:
    assert not re.search(r"\bcurrent_(date|time|timestamp)\b|\bnow\(\)|\blocaltime", statement(path))


@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("checks/")])
def test_a_check_says_why_it_must_hold(path: str) -> None:
    assert named(path, "Why")


def test_every_declared_check_has_its_file() -> None:
    assert {f"checks/{name}" for name in checks()} == {path for path in PATHS if path.startswith("checks/")}


@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("views/")])
def test_a_view_creates_what_its_file_is_called(path: str) -> None:
    assert statement(path).startswith(f"create or replace view embeddings_db.{path.partition('/')[2]} as")
