"""A new snapshot without the files that held the documents, whose manifests do not name them either."""

from collections.abc import Callable

from pyiceberg.manifest import DataFile, ManifestContent, ManifestEntry, ManifestEntryStatus, ManifestFile
from pyiceberg.table.update.snapshot import _OverwriteFiles


class SnapshotRewrite(_OverwriteFiles):
    """A snapshot without the tainted files: unlike an overwrite's, its manifests do not name what it took away."""

    is_tainted: Callable[[DataFile], bool]

    def _deleted_entries(self) -> list[ManifestEntry]:
        return []

    def _existing_manifests(self) -> list[ManifestFile]:
        before = self._transaction.table_metadata.snapshot_by_name(self._target_branch)
        found = (self._without_tainted(manifest) for manifest in (before.manifests(self._io) if before else ()))
        return [manifest for manifest in found if manifest]

    def _without_tainted(self, manifest: ManifestFile) -> ManifestFile | None:
        entries = manifest.fetch_manifest_entry(self._io, discard_deleted=False)
        if manifest.content != ManifestContent.DATA or not any(self.is_tainted(entry.data_file) for entry in entries):
            return manifest
        left = [entry for entry in entries if entry.status != ManifestEntryStatus.DELETED and not self.is_tainted(entry.data_file)]
        if not left:
            return None
        with self.new_manifest_writer(self.spec(manifest.partition_spec_id)) as writer:
            for entry in left:
                writer.add_entry(
                    ManifestEntry.from_args(
                        status=ManifestEntryStatus.EXISTING,
                        snapshot_id=entry.snapshot_id,
                        sequence_number=entry.sequence_number,
                        file_sequence_number=entry.file_sequence_number,
                        data_file=entry.data_file,
                    )
                )
        return writer.to_manifest_file()
