"""Rewrite a table's files without the forgotten documents, in every branch and tag, then remove whatever still held them.

Each snapshot that a branch or tag keeps is followed by one without them, which takes over its branch or tag. A snapshot that nothing keeps
and that reaches a file which held them expires. So the other documents stay what they were in every release and for every receipt.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, parquet_file_to_data_file
from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.table import FileScanTask
from pyiceberg.table import Table as IcebergTable
from pyiceberg.table.refs import SnapshotRef, SnapshotRefType
from pyiceberg.table.snapshots import Operation, Snapshot
from pyiceberg.table.update import AssertRefSnapshotId
from pyiceberg.table.update.snapshot import ExpireSnapshots, ManageSnapshots

from embedding_lakehouse.clients.forgetting.batch_branches import clear_branch
from embedding_lakehouse.clients.forgetting.holdings import cleaned, files_of, holds, is_manifest, may_have_held, named_files, names_any
from embedding_lakehouse.clients.forgetting.release_snapshots import keep_all, lead_on, standing, tags
from embedding_lakehouse.clients.forgetting.snapshot_rewrite import SnapshotRewrite
from embedding_lakehouse.clients.iceberg import COMMIT_TRIES, MAIN, drop_branch, lost_races, never_retry
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import remove_file, stored_path, write_part
from embedding_lakehouse.clients.snapshots import MADE_AS, MADE_AT, made_in_order, snapshot_time
from embedding_lakehouse.clients.staged_batches import batches_of
from embedding_lakehouse.core.forgetting import Forgotten
from embedding_lakehouse.core.tables import Table
from embedding_lakehouse.errors import ConflictError

OWN_BRANCH = "erasing-"
ERASURE = "erasure_id"

logger = logging.getLogger(__name__)


@dataclass
class Erasing:
    """One table from which the documents are erased; `tainted` are the files that hold, or held, them.

    `lost` are others that are gone, while a manifest still has the smallest and largest values of what may have been the documents in them.
    """

    lake: Lake
    declared: Table
    forgotten: Forgotten
    erasure_id: str
    tainted: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    _paths: set[str] = field(default_factory=set)
    _manifests: dict[str, bool] = field(default_factory=dict)
    _rewritten: dict[tuple[str, frozenset[str]], DataFile | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.table: IcebergTable = self.lake.table(self.declared)
        self._paths = {stored_path(self.table, file) for file in self.tainted}

    @property
    def name(self) -> str:
        return self.declared.name

    def find(self) -> int:
        """Look at every file of the table for the documents; how many rows hold them."""
        files = files_of(self.table)
        counts = {file: holds(self.table, file, self.forgotten) for file in files}
        self.tainted |= {file for file, count in counts.items() if count}
        self.lost = self._find_lost(files)
        self._paths = {stored_path(self.table, file) for file in self.tainted | self.lost}
        self._manifests.clear()
        return sum(counts.values())

    def _find_lost(self, files: list[str]) -> set[str]:
        stored = {stored_path(self.table, file) for file in files}
        named = (file for manifest in files if is_manifest(manifest) for file in named_files(self.table, manifest))
        gone = (file for file in named if stored_path(self.table, file.file_path) not in stored)
        return {file.file_path for file in gone if may_have_held(self.table, file, self.forgotten)}

    def kept_by(self) -> list[str]:
        """The branches and tags that reach what holds the documents."""
        return sorted(self._kept())

    def rewrite(self) -> int:
        """Let no branch and no tag reach a file that held the documents; how many snapshots were written for it.

        Raises ConflictError where the table changes too often.
        """
        written = 0
        for _ in range(COMMIT_TRIES):
            kept = self._kept()
            if not kept:
                return written
            try:
                written += self._rewrite_refs(kept)
            except CommitFailedException:
                logger.info("%s changed meanwhile: its branches and tags are looked at again", self.name)
        raise ConflictError(f"{self.name} changes faster than documents can be erased from it: run the task again")

    def expire(self) -> tuple[int, int]:
        """Expire the snapshots that still reach what held the documents, and remove those files for good; how many of each."""
        expired = self._expire_reaching()
        gone = [*self._manifests_of_the_tainted(), *sorted(self.tainted)]
        for file in gone:
            remove_file(self.table, file)
        return expired, len(gone)

    def reached(self) -> int:
        """How many of the table's snapshots still reach what held the documents."""
        return len(self._reaching())

    def _kept(self) -> dict[str, SnapshotRef]:
        reaching = self._reaching()
        return {name: ref for name, ref in self.table.refs().items() if ref.snapshot_id in reaching}

    def _reaching(self) -> set[int]:
        self.table.refresh()
        return {snapshot.snapshot_id for snapshot in self.table.snapshots() if self._reaches(snapshot)}

    def _expire_reaching(self) -> int:
        for _ in range(COMMIT_TRIES):
            of_releases = self._settle()
            self._drop_own_branches()
            if not (reaching := self._reaching()):
                return 0
            refs = {name: ref.snapshot_id for name, ref in self.table.refs().items()}
            if reaching & {*refs.values(), *standing(self.lake, self.declared)}:
                continue
            try:
                self._forget(reaching, dict.fromkeys(of_releases) | refs)
            except CommitFailedException:
                continue
            self.table.refresh()
            return len(reaching)
        raise ConflictError(f"{self.name} changes faster than its snapshots can be expired: run the task again")

    def _settle(self) -> list[str]:
        """Rewrite once more: meanwhile somebody may have tagged a snapshot that was to expire, or recorded a sync that leads to one.

        Then releases follow; the tags of all releases.
        """
        of_releases = tags(self.lake, self.declared)
        if of_releases:
            keep_all(self.lake)
        self.rewrite()
        if of_releases:
            lead_on(self.lake, self.forgotten)
        return of_releases

    def _forget(self, snapshots: set[int], refs: dict[str, int | None]) -> None:
        """Expire the snapshots. Raises CommitFailedException where one of the branches and tags does not lead there any more.

        The catalog would drop a tag that was put on one of the snapshots in between.
        """
        transaction = self.table.transaction()
        transaction._stage((), tuple(AssertRefSnapshotId(snapshot_id=snapshot, ref=name) for name, snapshot in refs.items()))
        with lost_races(self.table):
            ExpireSnapshots(transaction).by_ids(sorted(snapshots)).commit()
            transaction.commit_transaction()

    def _drop_own_branches(self) -> None:
        self.table.refresh()
        for name in [name for name in self.table.refs() if name.startswith(OWN_BRANCH)]:
            drop_branch(self.table, name)

    def manifests_left(self, files: Iterable[str]) -> int:
        """How many of these Avro files name what held the documents."""
        return sum(names_any(self.table, file, self._paths) for file in files) if self._paths else 0

    def is_tainted(self, file: DataFile) -> bool:
        """Whether the file holds, or held, one of the documents."""
        return stored_path(self.table, file.file_path) in self._paths

    def _reaches(self, snapshot: Snapshot) -> bool:
        return any(self._names_tainted(manifest) for manifest in snapshot.manifests(self.table.io))

    def _names_tainted(self, manifest: ManifestFile) -> bool:
        if manifest.manifest_path not in self._manifests:
            entries = manifest.fetch_manifest_entry(self.table.io, discard_deleted=False)
            self._manifests[manifest.manifest_path] = any(self.is_tainted(entry.data_file) for entry in entries)
        return self._manifests[manifest.manifest_path]

    def _rewrite_refs(self, kept: dict[str, SnapshotRef]) -> int:
        """Follow each kept snapshot by one without the documents, main's first; then clear the branches of batches."""
        of_batches = batches_of(self.lake, kept)
        others = {name: ref for name, ref in kept.items() if name not in of_batches}
        main_first = sorted(others, key=lambda name: name != MAIN)
        snapshots = dict.fromkeys(others[name].snapshot_id for name in main_first)
        for snapshot_id in snapshots:
            names = [name for name in main_first if others[name].snapshot_id == snapshot_id]
            branches = [name for name in names if others[name].snapshot_ref_type == SnapshotRefType.BRANCH]
            leading = branches[0] if branches else f"{OWN_BRANCH}{snapshot_id}"
            new = self._left_before(leading) or self._rewrite_branch(snapshot_id, leading)
            self._point([name for name in names if name != leading], snapshot_id, new)
        for row in of_batches.values():
            clear_branch(self.lake, self.table, row, self._paths, self.erasure_id)
        return len(snapshots)

    def _left_before(self, branch: str) -> int | None:
        """The snapshot of an own branch that a killed run left finished."""
        snapshot = self.table.snapshot_by_name(branch)
        return snapshot.snapshot_id if snapshot and not self._reaches(snapshot) else None

    def _rewrite_branch(self, snapshot_id: int, branch: str) -> int:
        """Follow the branch's snapshot, or an own branch made from a snapshot, by one without the documents; its id."""
        never_retry(self.table)
        transaction = self.table.transaction()
        if branch.startswith(OWN_BRANCH):
            ManageSnapshots(transaction).create_branch(snapshot_id, branch).commit()
        before = self.table.snapshot_by_id(snapshot_id)
        made = {MADE_AT: str(snapshot_time(before)), MADE_AS: str(made_in_order(before))} if before else {}
        rewriting = SnapshotRewrite(
            Operation.OVERWRITE,
            transaction,
            self.table.io,
            snapshot_properties={ERASURE: self.erasure_id} | made,
            branch=branch,
        )
        rewriting.is_tainted = self.is_tainted
        for task in self.table.scan(snapshot_id=snapshot_id).plan_files():
            if self.is_tainted(task.file):
                rewriting.delete_data_file(task.file)
                if new := self._without(task):
                    rewriting.append_data_file(new)
        rewriting.commit()
        with lost_races(self.table):
            done = transaction.commit_transaction()
        return done.refs()[branch].snapshot_id

    def _without(self, task: FileScanTask) -> DataFile | None:
        """The task's live rows without the documents as a new file beside the old one; None where none is left."""
        key = task.file.file_path, frozenset(file.file_path for file in task.delete_files)
        if key not in self._rewritten:
            table = self.table
            rows = cleaned(ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue()).to_table([task]), self.forgotten)
            name = write_part(table, task.file.file_path.rpartition("/")[0], rows) if rows.num_rows else ""
            self._rewritten[key] = parquet_file_to_data_file(table.io, table.metadata, name) if name else None
        return self._rewritten[key]

    def _point(self, names: list[str], before: int, snapshot_id: int) -> None:
        """Let these tags and branches lead to the snapshot, those that somebody moved in between excepted."""
        refs = {name: ref for name, ref in self.table.refs().items() if name in names and ref.snapshot_id == before}
        change = self.table.manage_snapshots()
        for name, ref in refs.items():
            is_tag = ref.snapshot_ref_type == SnapshotRefType.TAG
            change = change.create_tag(snapshot_id, name) if is_tag else change.create_branch(snapshot_id, name)
        if refs:
            with lost_races(self.table):
                change.commit()

    def _manifests_of_the_tainted(self) -> Iterator[str]:
        """Manifests and lists of them that no snapshot needs and that name a file which held the documents, or a manifest that does."""
        snapshots = self.table.snapshots()
        named = {manifest.manifest_path for snapshot in snapshots for manifest in snapshot.manifests(self.table.io)}
        needed = {stored_path(self.table, file) for file in named | {snapshot.manifest_list for snapshot in snapshots}}
        avro = [file for file in files_of(self.table) if file.endswith(".avro")]
        unneeded = [file for file in avro if stored_path(self.table, file) not in needed]
        manifests = {file for file in unneeded if names_any(self.table, file, self._paths)}
        paths = {stored_path(self.table, file) for file in manifests}
        yield from sorted(manifests)
        yield from (file for file in unneeded if file not in manifests and names_any(self.table, file, paths))
