"""Keep a table small: compact its files and manifests, expire snapshots, and remove the files that nothing needs any more.

The SQL engine compacts, since PyIceberg cannot. What expires and what is removed is decided here, since engines know nothing of staged
parts that are not committed yet: a file goes only if it is old, no snapshot that is left names it, and it lies in no protected folder.
"""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Operation, Snapshot
from pyiceberg.table.update import AssertTableUUID

from embedding_lakehouse.clients.iceberg import COMMIT_TRIES, head_snapshot, lost_races, never_retry
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import StoredFile, remove_file, stored_files, stored_path
from embedding_lakehouse.clients.sql import statements
from embedding_lakehouse.core.tables import BOUNDED_METADATA, Table
from embedding_lakehouse.errors import ConflictError, LakehouseError, MoreRoundsNeeded

DATA, METADATA = "data", "metadata"
# Removing many at once takes time that grows with their square.
EXPIRED_AT_ONCE = 500
REMOVED_AT_ONCE = 8
# Of a hundred partitions each.
MOST_ROUNDS = 50
WRITING = ".writing"
METADATA_ENDINGS = (".avro", ".metadata.json", ".metadata.json.gz", ".stats", ".puffin")


def compact_files(lake: Lake, table: Table, target_megabytes: int) -> None:
    """Rewrite the files of main that are small, and those with deleted rows, without those rows.

    Trino rewrites what is smaller than the target, but not a single such file of a partition, and every file with deleted rows; Athena goes
    by properties of the table, and is asked again while it says that there is more. Raises ConflictError where another writer changed the
    same files, MoreRoundsNeeded where there is still more after fifty rounds or after one that changed nothing.
    """
    for number in range(1, MOST_ROUNDS + 1):
        before = head_snapshot(lake.table(table)).snapshot_id
        try:
            lake.sql.execute(f"maintenance/{lake.sql.name}/compact_table", (), table_name=table.name, megabytes=target_megabytes)
            return
        except MoreRoundsNeeded:
            if number == MOST_ROUNDS or head_snapshot(lake.table(table)).snapshot_id == before:
                raise


def is_rewritten(table: IcebergTable, known: Collection[int]) -> bool:
    """Whether a snapshot that is none of the known ones put files in the place of others with the same rows."""
    table.refresh()
    made = (one for one in table.snapshots() if one.snapshot_id not in known)
    return any(one.summary is not None and one.summary.operation == Operation.REPLACE for one in made)


def can_compact_manifests(lake: Lake) -> bool:
    """Whether the lake's engine has a statement for it: Trino has, Athena has not."""
    folder = f"maintenance/{lake.sql.name}"
    return f"{folder}/compact_manifests" in statements(folder)


def compact_manifests(lake: Lake, table: Table) -> None:
    """Rewrite the manifests of main into few. Raises ConflictError where another writer won."""
    lake.sql.execute(f"maintenance/{lake.sql.name}/compact_manifests", (), table_name=table.name)


def bound_metadata(table: IcebergTable) -> None:
    """Let each commit remove the metadata files that are older than the last hundred, where the table does not say so yet."""
    if not table.properties.items() >= BOUNDED_METADATA.items():
        table.transaction().set_properties(BOUNDED_METADATA).commit_transaction()


def expirable_snapshots(table: IcebergTable, keep: Collection[int], before: datetime, but: Collection[str] = ()) -> list[Snapshot]:
    """The snapshots made before a moment that neither a branch, a tag nor `keep` names; those of the names in `but` do not count."""
    named = {ref.snapshot_id for name, ref in table.refs().items() if name not in but} | set(keep)
    limit = int(before.timestamp() * 1000)
    return [one for one in table.snapshots() if one.timestamp_ms < limit and one.snapshot_id not in named]


def expire_snapshots(table: IcebergTable, keep: Collection[int], before: datetime) -> list[int]:
    """Forget the snapshots made before a moment that neither a branch, a tag nor `keep` names; their ids.

    Unlike Trino's procedure this leaves the table's log of what was main when, as far as its snapshots are kept. The files stay:
    `unneeded_files` finds them. A REST catalog applies the commit itself: there a tag set in that very moment goes with its snapshot.
    """
    expired: list[int] = []
    lost = 0
    while lost < COMMIT_TRIES:
        table.refresh()
        # A lost race is decided anew, with the tags that the winner may have set.
        never_retry(table)
        gone = [one.snapshot_id for one in expirable_snapshots(table, keep, before)[:EXPIRED_AT_ONCE]]
        if not gone:
            return expired
        try:
            with lost_races(table):
                expiry = table.maintenance.expire_snapshots().by_ids(gone)
                expiry._requirements += (_StillUnnamed.of(table, gone),)
                expiry.commit()
        except CommitFailedException:
            lost += 1
            continue
        expired += gone
    raise ConflictError(f"could not expire snapshots of {'.'.join(table.name())}: the table changes too often; run the task again")


class _StillUnnamed(AssertTableUUID):
    """No branch and no tag leads to the snapshots that are to expire: PyIceberg loads the table anew to commit, and drops such a tag.

    What a REST catalog gets of it is the part that it knows, the table's UUID.
    """

    _gone: frozenset[int] = frozenset()

    @classmethod
    def of(cls, table: IcebergTable, gone: Collection[int]) -> "_StillUnnamed":
        required = cls(uuid=table.metadata.table_uuid)
        required._gone = frozenset(gone)
        return required

    def validate(self, base_metadata: TableMetadata | None) -> None:
        super().validate(base_metadata)
        if base_metadata and any(ref.snapshot_id in self._gone for ref in base_metadata.refs.values()):
            raise CommitFailedException("a branch or tag was set on a snapshot that was to expire")


@dataclass(frozen=True, slots=True)
class References:
    """The paths of all files that a table needs, as `stored_path` writes them: those of its rows, and those of its metadata."""

    rows: frozenset[str]
    metadata: frozenset[str]
    # Older metadata files are a courtesy of the catalog and can be missing.
    history: frozenset[str]

    def __contains__(self, path: str) -> bool:
        return path in self.rows or path in self.metadata or path in self.history


def references(table: IcebergTable, without: Collection[int] = ()) -> References:
    """What all snapshots of the table need, those of branches and tags among them, `without` some that are to expire."""
    rows, metadata = set[str](), {table.metadata_location}
    metadata.update(one.statistics_path for one in (*table.metadata.statistics, *table.metadata.partition_statistics))
    for snapshot in (one for one in table.snapshots() if one.snapshot_id not in without):
        metadata.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in metadata:
                metadata.add(manifest.manifest_path)
                rows.update(entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True))
    history = {entry.metadata_file for entry in table.metadata.metadata_log}
    return References(*(frozenset(stored_path(table, each) for each in found) for found in (rows, metadata, history)))


def unneeded_files(table: IcebergTable, before: datetime, protected: Iterable[str] = (), without: Collection[int] = ()) -> list[StoredFile]:
    """The files last written before a moment that no snapshot needs, neither in the table's data nor in its metadata folder.

    Under the `protected` folders only what a killed writer left half written counts. `without` some snapshots, it is what nothing will need
    once they have expired. Raises LakehouseError, so that nothing is removed, where a needed file is not found: then the listing or the
    paths cannot be trusted.
    """
    table.refresh()
    known = references(table, without)
    location = table.location().rstrip("/")
    found = [file for folder in (DATA, METADATA) for file in stored_files(table, f"{location}/{folder}")]
    _require_found(table, known, {stored_path(table, file.location) for file in found})
    # What was committed while the files were listed.
    seen = {*without, *(one.snapshot_id for one in table.snapshots())}
    table.refresh()
    since = references(table, seen)
    folders = tuple(f"{stored_path(table, folder).rstrip('/')}/" for folder in protected)
    own = f"{stored_path(table, location).rstrip('/')}/{METADATA}/"
    return [
        file
        for file in found
        if file.modified_at < before
        and (path := stored_path(table, file.location)) not in known
        and path not in since
        and (path.endswith(WRITING) or not path.startswith(folders))
        and (path.endswith(METADATA_ENDINGS) or not path.startswith(own))
    ]


def _require_found(table: IcebergTable, known: References, paths: set[str]) -> None:
    location = f"{stored_path(table, table.location()).rstrip('/')}/"
    lost = [path for path in known.rows | known.metadata if path.startswith(location) and path not in paths]
    elsewhere = [path for path in known.rows | known.metadata if not path.startswith(location)]
    if lost or elsewhere:
        which = f"{lost[0]} is not found" if lost else f"{elsewhere[0]} is outside of {location}"
        raise LakehouseError(
            f"{'.'.join(table.name())} needs {len(lost) + len(elsewhere)} files that its folder does not have ({which}): no file of it was "
            "removed. Where files were lost, restore them from a backup; where the table was moved or its properties name other folders, "
            "remove its unneeded files by hand"
        )


def remove_files(table: IcebergTable, files: Iterable[StoredFile]) -> Iterator[StoredFile]:
    """Remove the files, several at a time; each of them once it is gone."""

    def removed(file: StoredFile) -> StoredFile:
        remove_file(table, file.location)
        return file

    with ThreadPoolExecutor(REMOVED_AT_ONCE) as pool:
        yield from pool.map(removed, files)
