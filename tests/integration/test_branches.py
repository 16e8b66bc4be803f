"""A batch's files on a branch of their own: committed once, published in order, re-based onto what others left."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.iceberg import (
    StaleBranch,
    append_once,
    batch_snapshot,
    commit_files,
    delete_rows,
    drop_branch,
    head_snapshot,
    load_table,
    publish_branch,
    rebase_branch,
    scan,
)
from embedding_lakehouse.clients.parts import list_parts, parts_folder, read_parts, write_part
from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS
from embedding_lakehouse.errors import ConfigurationError, ConflictError
from tests.interruptions import WatchedCatalog


@pytest.fixture
def catalog(tmp_path: Path) -> WatchedCatalog:
    """A catalog of the test's own, with the ledger."""
    own = WatchedCatalog("own", uri=f"sqlite:///{tmp_path}/catalog.db?timeout=60", warehouse=f"file://{tmp_path}/warehouse")
    ensure_table(own, DOCUMENT_VERSIONS)
    return own


@pytest.fixture
def table(catalog: WatchedCatalog) -> IcebergTable:
    return load_table(catalog, DOCUMENT_VERSIONS)


def part(table: IcebergTable, batch_id: str, *documents: str) -> str:
    """A staged part with a row for each document."""
    rows = [{"doc_id": doc_id, "profile": "p", "batch_id": batch_id} for doc_id in documents]
    return write_part(table, parts_folder(table, f"batch_id={batch_id}"), pa.Table.from_pylist(rows))


def stage(table: IcebergTable, batch_id: str, *documents: str) -> int:
    """A branch with a row for each document."""
    return commit_files(table, batch_id, [part(table, batch_id, *documents)], {"batch_id": batch_id})


def meanwhile(catalog: WatchedCatalog, *actions: Callable[[IcebergTable], object]) -> None:
    """Let these happen one by one, through another handle, each right before one of the next commits."""
    waiting = list(actions)

    def watch(moment: str, name: str) -> None:
        if moment == "before" and waiting:
            action = waiting.pop(0)
            # Its own commits are not watched.
            rest, waiting[:] = list(waiting), []
            action(load_table(catalog, DOCUMENT_VERSIONS))
            waiting[:] = rest

    catalog.watch = watch


def documents(table: IcebergTable, ref: str = "main") -> list[str]:
    table.refresh()
    return sorted(table.scan().use_ref(ref).to_arrow()["doc_id"].to_pylist())


def test_a_branch_holds_main_and_its_own_rows(table: IcebergTable) -> None:
    stage(table, "b1", "a")
    assert (documents(table), documents(table, "b1")) == ([], ["a"])


def test_a_branch_is_committed_once(table: IcebergTable) -> None:
    first = stage(table, "b1", "a")
    assert stage(table, "b1", "a") == first
    assert documents(table, "b1") == ["a"]


def test_a_batch_without_files_is_main_s_head(table: IcebergTable) -> None:
    assert commit_files(table, "b1", [], {"batch_id": "b1"}) == head_snapshot(table).snapshot_id
    assert publish_branch(table, "b1") == head_snapshot(table).snapshot_id
    assert "b1" not in table.refs()


def test_publishing_moves_main_and_removes_the_branch(table: IcebergTable) -> None:
    snapshot = stage(table, "b1", "a")
    assert publish_branch(table, "b1") == snapshot
    table.refresh()
    assert (head_snapshot(table).snapshot_id, list(table.refs())) == (snapshot, ["main"])


def test_a_stale_branch_is_not_published(table: IcebergTable) -> None:
    stage(table, "b1", "a")
    stage(table, "b2", "b")
    publish_branch(table, "b1")
    with pytest.raises(StaleBranch, match=r"the branch b2 of embeddings_db\.document_versions does not descend from main's head"):
        publish_branch(table, "b2")
    assert documents(table) == ["a"]


def test_a_branch_that_is_gone_is_not_published(table: IcebergTable) -> None:
    with pytest.raises(StaleBranch, match=r"the branch b1 of embeddings_db\.document_versions is gone"):
        publish_branch(table, "b1")


def test_a_rebased_branch_holds_what_others_published_too(table: IcebergTable) -> None:
    stage(table, "b1", "a")
    stage(table, "b2", "b", "c")
    publish_branch(table, "b1")
    rebase_branch(table, "b2")
    publish_branch(table, "b2")
    assert documents(table) == ["a", "b", "c"]


def test_a_rebased_branch_may_be_rebased_again(table: IcebergTable) -> None:
    for batch in ("b1", "b2", "b3"):
        stage(table, batch, batch)
    for batch in ("b1", "b2"):
        publish_branch(table, batch)
        rebase_branch(table, "b2") if batch == "b1" else None
        rebase_branch(table, "b3")
    publish_branch(table, "b3")
    assert documents(table) == ["b1", "b2", "b3"]


def test_rebasing_writes_no_data_file(table: IcebergTable) -> None:
    stage(table, "b1", "a")
    stage(table, "b2", "b")
    publish_branch(table, "b1")
    before = list_parts(table, parts_folder(table))
    rebase_branch(table, "b2")
    assert list_parts(table, parts_folder(table)) == before


def test_a_rebased_batch_keeps_its_mark(table: IcebergTable) -> None:
    stage(table, "b1", "a")
    stage(table, "b2", "b")
    publish_branch(table, "b1")
    rebased = rebase_branch(table, "b2")
    publish_branch(table, "b2")
    assert batch_snapshot(table, "b2") == rebased


def test_a_branch_that_is_gone_is_not_rebased(table: IcebergTable) -> None:
    assert rebase_branch(table, "b1") is None
    assert "b1" not in table.refs()


def test_a_rebased_branch_leaves_out_what_is_not_its_own(table: IcebergTable) -> None:
    append_once(table, [part(table, "b0", "z")], {"batch_id": "b0"})
    stage(table, "b1", "a")
    delete_rows(table, batch_id="b0")
    rebase_branch(table, "b1")
    assert documents(table, "b1") == ["a"]


def test_a_batch_is_found_where_it_became_part_of_main(table: IcebergTable) -> None:
    snapshot = stage(table, "b1", "a")
    assert batch_snapshot(table, "b1") is None
    publish_branch(table, "b1")
    assert (batch_snapshot(table, "b1"), batch_snapshot(table, "b2")) == (snapshot, None)


def test_files_are_appended_once_for_a_batch(table: IcebergTable) -> None:
    first = append_once(table, [part(table, "b1", "a")], {"batch_id": "b1"})
    assert append_once(table, [part(table, "b1", "a")], {"batch_id": "b1"}) == first
    assert documents(table) == ["a"]


def test_no_files_are_no_commit(table: IcebergTable) -> None:
    assert append_once(table, [], {"batch_id": "b1"}) == head_snapshot(table).snapshot_id


def test_a_dropped_branch_can_be_dropped_again(table: IcebergTable) -> None:
    stage(table, "b1", "a")
    drop_branch(table, "b1")
    drop_branch(table, "b1")
    assert list(table.refs()) == ["main"]


def test_deleting_takes_the_matching_rows_only(table: IcebergTable) -> None:
    append_once(table, [part(table, "b1", "a"), part(table, "b2", "b")], {"batch_id": "b1"})
    delete_rows(table, batch_id="b1")
    assert documents(table) == ["b"]


def test_a_scan_takes_values_and_a_half_open_range(table: IcebergTable) -> None:
    append_once(table, [part(table, "b1", "a", "b", "c", "d"), part(table, "b2", "b")], {"batch_id": "b1"})
    assert scan(table, ("doc_id", "b", "d"), batch_id="b1").to_arrow()["doc_id"].to_pylist() == ["b", "c"]


def test_a_branch_of_an_empty_table_says_what_to_run(catalog: WatchedCatalog) -> None:
    catalog.create_table("embeddings_db.bare", load_table(catalog, DOCUMENT_VERSIONS).schema())
    with pytest.raises(ConfigurationError, match=r"embeddings_db\.bare has no main snapshot: run the DAG set_up_lakehouse first"):
        head_snapshot(catalog.load_table("embeddings_db.bare"))


def theirs(table: IcebergTable) -> None:
    """What somebody else adds to main."""
    table.add_files([part(table, "theirs", "theirs")])


def test_the_slower_of_two_commits_takes_the_other_s_branch(catalog: WatchedCatalog, table: IcebergTable) -> None:
    meanwhile(catalog, lambda other: stage(other, "b1", "a"))
    snapshot = stage(table, "b1", "a")
    assert (documents(table, "b1"), table.refs()["b1"].snapshot_id) == (["a"], snapshot)


def test_branches_that_are_committed_in_the_same_moment_are_both_there(catalog: WatchedCatalog, table: IcebergTable) -> None:
    meanwhile(catalog, lambda other: stage(other, "b2", "b"))
    stage(table, "b1", "a")
    assert (documents(table, "b1"), documents(table, "b2")) == (["a"], ["b"])


def test_an_append_to_main_lands_beside_a_branch_of_the_same_moment(catalog: WatchedCatalog, table: IcebergTable) -> None:
    meanwhile(catalog, lambda other: stage(other, "b2", "b"))
    append_once(table, [part(table, "b1", "a")], {"batch_id": "b1"})
    assert (documents(table), documents(table, "b2")) == (["a"], ["b"])


def test_a_branch_that_another_try_published_in_the_same_moment_is_not_made_again(catalog: WatchedCatalog, table: IcebergTable) -> None:
    meanwhile(catalog, lambda other: (stage(other, "b1", "a"), publish_branch(other, "b1")))
    stage(table, "b1", "a")
    assert (documents(table), list(table.refs())) == (["a"], ["main"])


def test_a_batch_that_is_published_is_not_committed_again(table: IcebergTable) -> None:
    stage(table, "b1", "a")
    published = publish_branch(table, "b1")
    assert stage(table, "b1", "a") == published
    assert list(table.refs()) == ["main"]


def test_a_file_that_cannot_be_added_is_an_error_of_its_own(table: IcebergTable) -> None:
    written = part(table, "b1", "a")
    append_once(table, [written], {"batch_id": "b1"})
    with pytest.raises(ValueError, match="already referenced"):
        append_once(table, [written], {"batch_id": "b2"})


def test_the_slower_of_two_appends_adds_nothing(catalog: WatchedCatalog, table: IcebergTable) -> None:
    meanwhile(catalog, lambda other: append_once(other, [part(other, "b1", "a")], {"batch_id": "b1"}))
    append_once(table, [part(table, "b1", "a")], {"batch_id": "b1"})
    assert documents(table) == ["a"]


def test_a_branch_that_moves_in_the_moment_in_which_it_is_dropped_goes_all_the_same(catalog: WatchedCatalog, table: IcebergTable) -> None:
    stage(table, "b1", "a")
    meanwhile(catalog, lambda other: rebase_branch(other, "b1"))
    drop_branch(table, "b1")
    table.refresh()
    assert list(table.refs()) == ["main"]


def test_an_append_lands_beside_what_others_add_in_the_same_moment(catalog: WatchedCatalog, table: IcebergTable) -> None:
    meanwhile(catalog, theirs)
    append_once(table, [part(table, "b1", "a")], {"batch_id": "b1"})
    assert documents(table) == ["a", "theirs"]


def test_main_that_moves_in_the_moment_of_publishing_makes_the_branch_stale(catalog: WatchedCatalog, table: IcebergTable) -> None:
    stage(table, "b1", "a")
    meanwhile(catalog, theirs)
    with pytest.raises(StaleBranch, match=r"main of embeddings_db\.document_versions moved while b1 was published"):
        publish_branch(table, "b1")
    assert documents(table) == ["theirs"]


def test_a_branch_that_is_published_in_the_moment_of_rebasing_is_left_alone(catalog: WatchedCatalog, table: IcebergTable) -> None:
    stage(table, "b1", "a")
    meanwhile(catalog, lambda other: publish_branch(other, "b1"))
    assert rebase_branch(table, "b1") is None
    assert documents(table) == ["a"]


def test_a_table_that_never_rests_is_given_up(catalog: WatchedCatalog, table: IcebergTable) -> None:
    meanwhile(catalog, *[theirs] * 10)
    with pytest.raises(ConflictError, match=r"could not add files to embeddings_db\.document_versions: the table changes too often"):
        append_once(table, [part(table, "b1", "a")], {"batch_id": "b1"})


def test_a_part_has_every_column_of_its_table(table: IcebergTable) -> None:
    (rows,) = read_parts(table, [part(table, "b1", "a")], ["doc_id", "chunk_ids", "is_deleted"])
    assert rows.to_pylist() == [{"doc_id": "a", "chunk_ids": None, "is_deleted": None}]


def test_two_parts_of_the_same_rows_have_two_names(table: IcebergTable) -> None:
    assert part(table, "b1", "a") != part(table, "b1", "a")


def test_a_part_under_its_temporary_name_is_not_listed(table: IcebergTable) -> None:
    written = part(table, "b1", "a")
    whole = Path(written.removeprefix("file://"))
    whole.with_name("half.parquet.writing").write_bytes(whole.read_bytes()[:100])
    assert list_parts(table, parts_folder(table, "batch_id=b1")) == [written]


def test_a_folder_that_does_not_exist_has_no_parts(table: IcebergTable) -> None:
    assert list_parts(table, parts_folder(table, "batch_id=never")) == []


@pytest.mark.parametrize("rows", [1, 8_191, 8_192, 8_193, 20_000])
def test_parts_of_any_size_are_read_whole(table: IcebergTable, rows: int) -> None:
    names = [f"{number:05}" for number in range(rows)]
    read = [name for batch in read_parts(table, [part(table, "b1", *names)], ["doc_id"]) for name in batch["doc_id"].to_pylist()]
    assert read == names


def test_rows_that_another_try_deletes_in_the_same_moment_are_gone_and_no_error(catalog: WatchedCatalog, table: IcebergTable) -> None:
    append_once(table, [part(table, "b1", "a")], {"batch_id": "b1"})
    append_once(table, [part(table, "b2", "b")], {"batch_id": "b2"})
    meanwhile(catalog, lambda other: delete_rows(other, batch_id="b1"))
    delete_rows(table, batch_id="b1")
    assert documents(table) == ["b"]


def test_a_delete_lands_beside_an_append_of_the_same_moment(catalog: WatchedCatalog, table: IcebergTable) -> None:
    append_once(table, [part(table, "b1", "a")], {"batch_id": "b1"})
    meanwhile(catalog, lambda other: append_once(other, [part(other, "b2", "b")], {"batch_id": "b2"}))
    delete_rows(table, batch_id="b1")
    assert documents(table) == ["b"]
