"""The database of the development Pinecone server: what is written together is there together, also in the next process."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from dev.pinecone_server.catalog import Alias, Catalog, Import, Index, NamespaceEntry
from dev.pinecone_server.database import Database
from dev.pinecone_server.errors import Code, Refusal
from dev.pinecone_server.namespace import Namespace
from dev.pinecone_server.records import Change
from dev.pinecone_server.store import Store
from dev.pinecone_server.versions import Visibility

KEY = 7


def put(*names: str, value: float = 1.0) -> Change:
    return Change(list(names), np.full((len(names), 2), value, dtype=np.float32), [{"name": name} for name in names])


def held(database: Database, key: int = KEY) -> dict[str, tuple[list[float], dict]]:
    return {
        name: (vector.tolist(), metadata)
        for change in database.records(key, 2)
        for name, vector, metadata in zip(change.ids, change.vectors, change.metadata, strict=True)
    }


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database in which one namespace has the records a, b and c."""
    opened = Database(tmp_path)
    opened.write(KEY, 1, put("a", "b", "c"))
    yield opened
    opened.close()


def test_records_are_read_bit_for_bit_as_they_were_written(database: Database):
    vectors = np.random.default_rng(3).normal(size=(2500, 2)).astype(np.float32)
    metadata = [{"n": float(row), "text": "Zürich \U0001f3d4", "tags": ["x"], "open": True} for row in range(2500)]
    database.write(8, 1, Change([f"{row:04d}" for row in range(2500)], vectors, metadata))

    read = held(database, 8)

    assert np.array_equal(np.array([read[name][0] for name in sorted(read)], dtype=np.float32), vectors)
    assert [read[name][1] for name in sorted(read)] == metadata


def test_the_last_write_of_a_record_replaces_it_as_a_whole(database: Database):
    database.write(KEY, 2, Change(["b"], np.array([[3.0, 4.0]], dtype=np.float32), [{}]))

    assert held(database) == {"a": ([1.0, 1.0], {"name": "a"}), "b": ([3.0, 4.0], {}), "c": ([1.0, 1.0], {"name": "c"})}


def test_unknown_ids_are_deleted_without_a_word(database: Database):
    database.write(KEY, 2, Change(["a", "unknown"]))

    assert set(held(database)) == {"b", "c"}


def test_a_cleared_namespace_keeps_its_number(database: Database):
    database.write(KEY, 2, Change(clear=True))

    assert (held(database), database.positions()[KEY]) == ({}, 2)


def test_a_dropped_namespace_leaves_the_others_alone(database: Database):
    database.write(8, 5, put("other"))

    database.drop([KEY])

    assert held(database) == {}
    assert (set(held(database, 8)), database.positions()) == ({"other"}, {8: 5})


def test_a_write_that_fails_in_its_middle_leaves_nothing(database: Database):
    impossible = Change(["d", "e"], np.ones((2, 2), dtype=np.float32), [{}, {"n": object()}])

    with pytest.raises(TypeError):
        database.write(KEY, 2, impossible)

    assert (set(held(database)), database.positions()[KEY]) == ({"a", "b", "c"}, 1)


def test_a_full_disk_is_a_refusal_of_its_own_and_leaves_nothing(database: Database):
    pages = database._writer.execute("pragma page_count").fetchone()[0]
    # SQLite treats a database of its greatest size as it treats a full disk.
    database._writer.execute(f"pragma max_page_count = {pages + 2}")

    with pytest.raises(Refusal, match="full: nothing was written") as refusal:
        database.write(KEY, 2, put(*(str(number) for number in range(10_000))))
    database.write(KEY, 2, put("d"))

    assert refusal.value.code is Code.INSUFFICIENT_STORAGE
    assert set(held(database)) == {"a", "b", "c", "d"}


def test_a_commit_waits_for_the_disk(database: Database):
    settings = [database._writer.execute(f"pragma {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    assert settings == ["wal", 2]


def test_a_namespace_replaced_many_times_does_not_grow_on_the_disk(tmp_path: Path, database: Database):
    names = [str(number) for number in range(1000)]
    namespace = Namespace(database, 8, 2, Visibility())
    for value in range(60):
        lsn = namespace.write(lambda _, value=value: put(*names, value=float(value)))

    again = Namespace(database, 8, 2, Visibility())
    database.close()

    assert again.read(len) == (1000, lsn)
    assert (tmp_path / "pinecone.db").stat().st_size < 300_000


def test_only_its_owner_can_read_the_records(tmp_path: Path, database: Database):
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == dict.fromkeys(
        ["pinecone.db", "pinecone.db-shm", "pinecone.db-wal"], 0o600
    )


def test_a_catalog_is_restored_as_it_was(database: Database):
    index = Index("articles", "articles-1", 2, "cosine", "aws", "us-east-1", tags={"team": "search"})
    index.namespaces["a/b"] = NamespaceEntry(KEY, {"fields": {"year": {"filterable": True}}})
    index.aliases["live"] = Alias("live", "a/b", "2026-01-01", "2026-01-02")
    index.imports["1"] = Import("1", "/folder", "abort", "2026-01-01")
    with Catalog(database).changing() as draft:
        draft[index.name] = index

    assert Catalog(database).indexes == {"articles": index}


def test_an_index_of_an_earlier_server_is_one_of_the_vectors_api(database: Database):
    fields = {"name": "a", "host_id": "a-1", "dimension": 2, "metric": "cosine", "cloud": "aws", "region": "us-east-1"}
    database.change_catalog({("a-1", "index", "a"): json.dumps(fields)}, [])

    assert Catalog(database).indexes == {"a": Index("a", "a-1", 2, "cosine", "aws", "us-east-1", vector_field="_values")}


def test_a_change_of_the_catalog_that_fails_changes_nothing(database: Database):
    catalog = Catalog(database)

    with pytest.raises(LookupError), catalog.changing() as draft:
        draft["a"] = Index("a", "a-1", 2, "cosine", "aws", "us-east-1")
        raise LookupError

    assert (catalog.indexes, Catalog(database).indexes) == ({}, {})


def test_what_an_interrupted_import_left_is_gone_at_the_next_start(tmp_path: Path, database: Database):
    store = Store(tmp_path, Visibility(), 0)
    index = Index("a", "a-1", 2, "cosine", "aws", "us-east-1")
    with store.catalog.changing() as draft:
        draft[index.name] = index
    store.write(index, "ns", lambda _: put("kept"), create=True)
    database.write(99, 1, put("staged"))
    store.close()

    again = Store(tmp_path, Visibility(), 0)

    assert (set(again.database.positions()), again.read(index, "ns", len)[0]) == ({again.catalog.indexes["a"].namespaces["ns"].key}, 1)
    again.close()


def test_others_can_read_the_file_with_sqlite(tmp_path: Path, database: Database):
    with sqlite3.connect(tmp_path / "pinecone.db") as connection:
        rows = connection.execute("select record_id, metadata from records order by record_id").fetchall()

    assert rows == [(name, f'{{"name":"{name}"}}') for name in "abc"]
