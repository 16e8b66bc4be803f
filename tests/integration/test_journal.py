"""The journal: of two writers one wins, and the other one decides anew on what the winner left."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from pyiceberg.catalog import Catalog, load_catalog

from embedding_lakehouse.clients.iceberg import load_table
from embedding_lakehouse.clients.journal import Journal, JournalRow
from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.tables import EMBEDDING_BATCHES
from embedding_lakehouse.errors import ConflictError


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A catalog of the test's own, with the journal of batches."""
    own = load_catalog("own", type="sql", uri=f"sqlite:///{tmp_path}/catalog.db?timeout=60", warehouse=f"file://{tmp_path}/warehouse")
    ensure_table(own, EMBEDDING_BATCHES)
    return own


@pytest.fixture
def journal(catalog: Catalog) -> Journal:
    return Journal(catalog, EMBEDDING_BATCHES, "batch_id")


def add(journal: Journal, batch_id: str, **columns: object) -> None:
    journal.change(lambda rows: [{"batch_id": batch_id, **columns}])


def numbered(rows: list[JournalRow]) -> list[JournalRow]:
    """One more row, with the next number."""
    number = len(rows) + 1
    return [{"batch_id": f"b{number}", "batch_number": number}]


def test_a_journal_begins_empty(journal: Journal) -> None:
    assert journal.rows() == []


def test_a_row_of_a_new_key_is_added(journal: Journal) -> None:
    add(journal, "b1", state="planned")
    add(journal, "b2", state="planned")
    assert [row["batch_id"] for row in journal.rows()] == ["b1", "b2"]


def test_a_row_of_a_known_key_takes_its_place(journal: Journal) -> None:
    add(journal, "b1", state="planned")
    add(journal, "b1", state="priced")
    assert [(row["batch_id"], row["state"]) for row in journal.rows()] == [("b1", "priced")]


def test_deciding_nothing_writes_nothing(journal: Journal) -> None:
    add(journal, "b1")
    before = load_table(journal.catalog, EMBEDDING_BATCHES).metadata_location
    assert journal.change(lambda rows: []) == []
    assert load_table(journal.catalog, EMBEDDING_BATCHES).metadata_location == before


def decided_beside_another(journal: Journal) -> list[int]:
    """Change the journal while another one wins the race; how many rows each decision saw."""
    seen: list[int] = []

    def decide(rows: list[JournalRow]) -> list[JournalRow]:
        seen.append(len(rows))
        if len(seen) == 1:
            journal.change(numbered)
        return numbered(rows)

    journal.change(decide)
    return seen


def test_the_loser_of_a_race_decides_on_what_the_winner_left(journal: Journal) -> None:
    assert decided_beside_another(journal) == [0, 1]
    assert [row["batch_number"] for row in journal.rows()] == [1, 2]


def test_a_race_is_lost_on_a_table_without_our_commit_rules_too(journal: Journal) -> None:
    with load_table(journal.catalog, EMBEDDING_BATCHES).transaction() as transaction:
        transaction.remove_properties("commit.retry.num-retries")
    assert decided_beside_another(journal) == [0, 1]
    assert [row["batch_number"] for row in journal.rows()] == [1, 2]


def test_what_is_decided_is_no_part_of_what_was_read(journal: Journal) -> None:
    add(journal, "b1", state="planned")

    def spoil(rows: list[JournalRow]) -> list[JournalRow]:
        rows[0]["state"] = "spoilt"
        return []

    journal.change(spoil)
    assert journal.rows()[0]["state"] == "planned"


def test_who_loses_every_race_gives_up(journal: Journal) -> None:
    def outrun(rows: list[JournalRow]) -> list[JournalRow]:
        journal.change(numbered)
        return numbered(rows)

    with pytest.raises(ConflictError, match=r"embeddings_db\.embedding_batches changes too often: run the task again"):
        replace(journal, tries=3).change(outrun)


def test_many_writers_lose_no_change(journal: Journal) -> None:
    writers = [threading.Thread(target=lambda: [journal.change(numbered) for _ in range(4)]) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(row["batch_number"] for row in journal.rows()) == list(range(1, 13))
