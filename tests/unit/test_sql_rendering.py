"""Statements by their path, and the only values that ever become part of one: snapshot ids and identifiers."""

from pathlib import Path

import pytest

from embedding_lakehouse.clients import sql
from embedding_lakehouse.errors import ConfigurationError


@pytest.fixture
def statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of statements of the test's own."""
    monkeypatch.setenv("EMBEDDING_LAKEHOUSE_SQL", str(tmp_path))
    sql.statement.cache_clear()
    yield tmp_path
    sql.statement.cache_clear()


HOSTILE = {
    "a second statement": "t; drop table t",
    "a quote": "t' or '1' = '1",
    "a comment": "t -- ",
    "a space": "a b",
    "three parts": "a.b.c",
    "an empty part": "a.",
    "nothing": "",
    "a digit first": "1a",
    "a trailing newline": "t\n",
    "another script": "tаble",
    "a number in quotes": "'1'",
    "a truth value": True,
    "a fraction": 1.5,
    "no value": None,
    "a list": [1],
    "bytes": b"t",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_a_value_that_is_neither_a_snapshot_nor_an_identifier_is_refused(statements: Path, value: object) -> None:
    (statements / "one.sql").write_text("select 1 from {{ place }}")
    with pytest.raises(ConfigurationError, match=r"sql/one\.sql: place=.* is neither a snapshot id nor an identifier"):
        sql.render("one", {"place": value})


@pytest.mark.parametrize(
    ("value", "rendered"), [(7_034_567_890_123_456_789, "7034567890123456789"), ("docs_db.documents", "docs_db.documents"), ("t_1", "t_1")]
)
def test_a_snapshot_or_an_identifier_takes_its_place(statements: Path, value: int | str, rendered: str) -> None:
    (statements / "one.sql").write_text("select 1 from {{ place }} where {{ place }} = ?")
    assert sql.render("one", {"place": value}) == f"select 1 from {rendered} where {rendered} = ?"


def test_a_missing_value_is_named(statements: Path) -> None:
    (statements / "one.sql").write_text("select 1 from {{ place }}")
    with pytest.raises(ConfigurationError, match=r"sql/one\.sql needs a value for \{\{ place \}\}"):
        sql.render("one", {"other": 1})


def test_comment_lines_are_left_out(statements: Path) -> None:
    (statements / "one.sql").write_text("-- Why, and {{ nothing }}.\n\nselect\n    -- inside\n    1\n")
    assert sql.render("one", {}) == "select\n    1"


def test_an_unknown_statement_is_named(statements: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no statement 'views/none': .*none\.sql does not exist"):
        sql.statement("views/none")


def test_the_statements_of_a_folder_come_by_name(statements: Path) -> None:
    (statements / "views").mkdir()
    for name in ("b.sql", "a.sql", "notes.md"):
        (statements / "views" / name).write_text("select 1")
    assert sql.statements("views") == ["views/a", "views/b"]


def test_a_tuple_is_bound_as_a_list() -> None:
    text = "select 1 from t where a = ? and b in (?) and c in (?)"
    assert sql.bound("one", text, [1, ("x", "y"), (2,)]) == ("select 1 from t where a = ? and b in (?, ?) and c in (?)", [1, "x", "y", 2])


@pytest.mark.parametrize("binds", [[], [1, 2], [()]], ids=["too few", "too many", "an empty list"])
def test_binds_that_do_not_fit_are_refused(binds: list[object]) -> None:
    with pytest.raises(ConfigurationError, match=r"sql/one\.sql"):
        sql.bound("one", "select 1 where a in (?)", binds)
