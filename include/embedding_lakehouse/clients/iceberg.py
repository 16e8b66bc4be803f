"""Iceberg tables through PyIceberg: read them, commit a batch's files to its own branch, publish the branch to main, keep snapshots.

A branch is created together with its files in one commit that requires the branch not to exist, so a batch is committed once, however
often and by however many tries the commit runs. PyIceberg publishes any branch, a stale one too: ancestry is checked here.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, ValidationException
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, EqualTo, GreaterThanOrEqual, In, LessThan
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.manifest import ManifestEntryStatus
from pyiceberg.table import DataScan, TableProperties
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update.snapshot import ManageSnapshots

from embedding_lakehouse.clients.airflow_connections import named_absence
from embedding_lakehouse.core.tables import Table
from embedding_lakehouse.errors import ConfigurationError, ConflictError

MAIN = "main"
COMMIT_TRIES = 10


class MissingTable(ConfigurationError):
    """The table was never set up."""


class StaleBranch(ConflictError):
    """The branch does not descend from main's head: rebase it and audit it again before it may be published."""


def catalog_from_connection(conn_id: str = "iceberg_default") -> Catalog:
    """The catalog behind an Airflow connection of type `iceberg`: SQL, Glue or REST, as its extras say."""
    from airflow.providers.apache.iceberg.hooks.iceberg import IcebergHook

    with named_absence(conn_id, "iceberg"):
        return IcebergHook(iceberg_conn_id=conn_id).catalog


def load_table(catalog: Catalog, table: Table) -> IcebergTable:
    """The table as it is now. Raises MissingTable where it was never created."""
    try:
        return catalog.load_table(table.name)
    except NoSuchTableError as error:
        raise MissingTable(f"the table {table.name} does not exist: run the DAG set_up_lakehouse first") from error


def arrow_schema(table: IcebergTable) -> pa.Schema:
    """The table's Arrow schema with Iceberg field ids, without which some engines read a registered file as NULL."""
    return schema_to_pyarrow(table.schema(), include_field_ids=True)


def head_snapshot(table: IcebergTable, ref: str = MAIN) -> Snapshot:
    """The snapshot that a branch points to. Raises ConfigurationError for a table that was never set up."""
    snapshot = table.snapshot_by_name(ref)
    if snapshot is None:
        raise ConfigurationError(f"{'.'.join(table.name())} has no {ref} snapshot: run the DAG set_up_lakehouse first")
    return snapshot


def ancestors(table: IcebergTable, snapshot_id: int | None) -> Iterator[Snapshot]:
    """The snapshot and its known ancestors, newest first; expired ones end the walk."""
    while snapshot_id is not None and (snapshot := table.snapshot_by_id(snapshot_id)) is not None:
        yield snapshot
        snapshot_id = snapshot.parent_snapshot_id


def scan(table: IcebergTable, between: tuple[str, str, str] | None = None, **equal: str | int) -> DataScan:
    """A scan of the rows whose columns equal the values and, for `between` = (column, low, high), lie in [low, high)."""
    wanted: BooleanExpression = And(AlwaysTrue(), AlwaysTrue(), *(EqualTo(column, value) for column, value in equal.items()))
    if between:
        column, low, high = between
        wanted = And(wanted, GreaterThanOrEqual(column, low), LessThan(column, high))
    return table.scan(row_filter=wanted)


def rows_of_documents(table: IcebergTable, doc_ids: Iterable[str], columns: tuple[str, ...], snapshot_id: int) -> list[dict[str, Any]]:
    """These columns of the documents' rows in a snapshot."""
    return table.scan(row_filter=In("doc_id", set(doc_ids)), selected_fields=columns, snapshot_id=snapshot_id).to_arrow().to_pylist()


def delete_rows(table: IcebergTable, **equal: str | int) -> None:
    """Delete the rows whose columns equal the values, as `delete_where` does."""
    delete_where(table, And(AlwaysTrue(), AlwaysTrue(), *(EqualTo(column, value) for column, value in equal.items())))


def delete_where(table: IcebergTable, gone: BooleanExpression) -> None:
    """Delete the rows that meet the expression. Whole partitions go by metadata alone; rows that another try deleted are gone."""
    for _ in range(COMMIT_TRIES):
        table.refresh()
        # PyIceberg's own retry stops at a file that another writer deleted in the same moment.
        never_retry(table)
        try:
            table.delete(gone)
        except (CommitFailedException, ValidationException):
            continue
        return
    raise ConflictError(f"could not delete rows of {'.'.join(table.name())}: the table changes too often; run the task again")


def commit_files(table: IcebergTable, branch: str, files: list[str], marks: dict[str, str]) -> int:
    """Make `branch` from main's head with one snapshot that adds `files` under a batch id (`marks["batch_id"]`); the snapshot's id.

    Where the branch exists already, or the batch is part of main, nothing is added. Without files the branch is main's head.
    """
    for _ in range(COMMIT_TRIES):
        table.refresh()
        if existing := table.snapshot_by_name(branch):
            return existing.snapshot_id
        if (published := batch_snapshot(table, marks["batch_id"])) is not None:
            return published
        try:
            return _put_new_branch(table, branch, files, marks)
        except CommitFailedException:
            continue
    raise ConflictError(
        f"could not create the branch {branch} of {'.'.join(table.name())}: the table changes too often; run the task again"
    )


def _put_new_branch(table: IcebergTable, branch: str, files: list[str], marks: dict[str, str]) -> int:
    snapshot_id = _put_branch(table, branch, files, marks)
    table.refresh()
    # Another try can have made the branch and published it in this very moment: then there is none again, and ours is one too many.
    if (published := batch_snapshot(table, marks["batch_id"])) is not None:
        drop_branch(table, branch)
        return published
    return snapshot_id


def append_once(table: IcebergTable, files: list[str], marks: dict[str, str]) -> int:
    """Add files to main under a batch id (`marks["batch_id"]`) unless that batch was added before; main's snapshot id with them."""
    for _ in range(COMMIT_TRIES):
        table.refresh()
        if not files:
            return head_snapshot(table).snapshot_id
        if (known := batch_snapshot(table, marks["batch_id"])) is not None:
            return known
        never_retry(table)
        try:
            with lost_races(table):
                table.add_files(files, snapshot_properties=marks)
        except CommitFailedException:
            continue
        return head_snapshot(table).snapshot_id
    raise ConflictError(f"could not add files to {'.'.join(table.name())}: the table changes too often; run the task again")


def rebase_branch(table: IcebergTable, branch: str) -> int | None:
    """Put the branch's own files on a new snapshot from main's head; its id, or None for a branch that was published or dropped meanwhile.

    No file is rewritten; the audit must be run again.
    """
    for _ in range(COMMIT_TRIES):
        table.refresh()
        if branch not in table.refs():
            return None
        properties, files = own_files(table, branch)
        try:
            return _put_branch(table, branch, files, properties)
        except CommitFailedException:
            continue
    raise ConflictError(
        f"could not rebase the branch {branch} of {'.'.join(table.name())}: the table changes too often; run the task again"
    )


def replace_branch(table: IcebergTable, branch: str, files: list[str], marks: dict[str, str]) -> int:
    """Make these the files of a batch's branch, in the place of those it has, on a new snapshot from main's head; the snapshot's id."""
    for _ in range(COMMIT_TRIES):
        table.refresh()
        try:
            return _put_branch(table, branch, files, marks)
        except CommitFailedException:
            continue
    raise ConflictError(
        f"could not replace the branch {branch} of {'.'.join(table.name())}: the table changes too often; run the task again"
    )


def _put_branch(table: IcebergTable, branch: str, files: list[str], properties: dict[str, str]) -> int:
    """Point `branch` at main's head and add the files there, in one commit that fails if the branch changed in between."""
    never_retry(table)
    transaction = table.transaction()
    ManageSnapshots(transaction).create_branch(head_snapshot(table).snapshot_id, branch).commit()
    with lost_races(table):
        if files:
            transaction.add_files(files, snapshot_properties=properties, branch=branch)
        return head_snapshot(transaction.commit_transaction(), branch).snapshot_id


@contextmanager
def lost_races(table: IcebergTable) -> Iterator[None]:
    """Raise CommitFailedException for every race that a commit loses.

    PyIceberg does so by itself where the same branch moved. A snapshot on another branch takes the sequence number that this one was to
    have, and another writer lets a snapshot expire that this one is about: each is a ValueError.
    """
    read = table.metadata_location
    try:
        yield
    except ValueError as error:
        table.refresh()
        if table.metadata_location == read:
            raise
        raise CommitFailedException(f"{'.'.join(table.name())} changed since it was read") from error


def never_retry(table: IcebergTable) -> None:
    """Make this handle fail at once on a lost race: PyIceberg would replay the append onto whatever the winner left."""
    table.metadata.properties[TableProperties.COMMIT_NUM_RETRIES] = "0"


def own_files(table: IcebergTable, branch: str) -> tuple[dict[str, str], list[str]]:
    """The snapshot properties and the files of the snapshots that only the branch has."""
    on_main = {snapshot.snapshot_id for snapshot in ancestors(table, head_snapshot(table).snapshot_id)}
    own = [snapshot for snapshot in ancestors(table, head_snapshot(table, branch).snapshot_id) if snapshot.snapshot_id not in on_main]
    properties = {key: value for snapshot in own if snapshot.summary for key, value in batch_properties(snapshot).items()}
    files = [
        entry.data_file.file_path
        for snapshot in own
        for manifest in snapshot.manifests(table.io)
        if manifest.added_snapshot_id == snapshot.snapshot_id
        for entry in manifest.fetch_manifest_entry(table.io)
        if entry.status == ManifestEntryStatus.ADDED
    ]
    return properties, files


def batch_properties(snapshot: Snapshot) -> dict[str, str]:
    """What marks a snapshot as a batch's; nothing for another one."""
    return {
        key: value for key, value in (snapshot.summary.additional_properties if snapshot.summary else {}).items() if key.startswith("batch")
    }


def batch_snapshot(table: IcebergTable, batch_id: str, ref: str = MAIN) -> int | None:
    """The snapshot by which a batch became part of `ref`, if it is."""
    for snapshot in ancestors(table, head_snapshot(table, ref).snapshot_id):
        if batch_properties(snapshot).get("batch_id") == batch_id:
            return snapshot.snapshot_id
    return None


def is_own_snapshot(snapshot: Snapshot | None, batch_id: str) -> bool:
    """Whether the batch itself made the snapshot."""
    return snapshot is not None and batch_properties(snapshot).get("batch_id") == batch_id


def publish_branch(table: IcebergTable, branch: str) -> int:
    """Move main to the branch's snapshot and remove the branch, in one commit; the snapshot id that is now main.

    Raises StaleBranch where main is not an ancestor of the branch, also when it moved, or the branch went, in this very moment.
    """
    table.refresh()
    if branch not in table.refs():
        raise StaleBranch(f"the branch {branch} of {'.'.join(table.name())} is gone")
    main, own = head_snapshot(table).snapshot_id, head_snapshot(table, branch).snapshot_id
    if main not in {snapshot.snapshot_id for snapshot in ancestors(table, own)}:
        raise StaleBranch(f"the branch {branch} of {'.'.join(table.name())} does not descend from main's head {main}")
    try:
        if main == own:
            table.manage_snapshots().remove_branch(branch).commit()
        else:
            table.manage_snapshots().set_current_snapshot(ref_name=branch).remove_branch(branch).commit()
    except CommitFailedException as error:
        raise StaleBranch(f"main of {'.'.join(table.name())} moved while {branch} was published") from error
    return own


def tag_snapshot(table: IcebergTable, tag: str, snapshot_id: int) -> None:
    """Keep a snapshot from expiring under a tag, which leaves whatever snapshot it kept before.

    Raises ConfigurationError where the snapshot has expired already.
    """
    for _ in range(COMMIT_TRIES):
        table.refresh()
        if (known := table.refs().get(tag)) and known.snapshot_id == snapshot_id:
            return
        if table.snapshot_by_id(snapshot_id) is None:
            raise ConfigurationError(f"the snapshot {snapshot_id} of {'.'.join(table.name())} has expired and cannot be kept as {tag}")
        try:
            with lost_races(table):
                table.manage_snapshots().create_tag(snapshot_id, tag).commit()
        except CommitFailedException:
            continue
        return
    raise ConflictError(f"could not set the tag {tag} of {'.'.join(table.name())}: the table changes too often; run the task again")


def drop_tag(table: IcebergTable, tag: str) -> None:
    """Let the snapshot of a tag expire."""
    _drop(table, "tag", tag)


def drop_branch(table: IcebergTable, branch: str) -> None:
    """Remove a branch that will not be published; its files are left to the maintenance of the table."""
    _drop(table, "branch", branch)


def _drop(table: IcebergTable, kind: str, name: str) -> None:
    for _ in range(COMMIT_TRIES):
        table.refresh()
        if name not in table.refs():
            return
        change = table.manage_snapshots()
        try:
            (change.remove_tag(name) if kind == "tag" else change.remove_branch(name)).commit()
        except CommitFailedException:
            continue
        return
    raise ConflictError(f"could not drop the {kind} {name} of {'.'.join(table.name())}: the table changes too often; run the task again")
