"""Bulk imports: `FOLDER/<namespace>/*.parquet` from the local disk or S3 into namespaces that do not exist yet."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import fsspec
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from fsspec import AbstractFileSystem
from pyarrow import parquet

from dev.pinecone_server import limits
from dev.pinecone_server.catalog import UNFINISHED, Import, Index, NamespaceEntry, new_key, timestamp
from dev.pinecone_server.errors import Refusal, invalid, not_found
from dev.pinecone_server.records import Change
from dev.pinecone_server.store import Store, add_namespace

ROWS_AT_ONCE = 1000
LONGEST_URI = 1500
LOCAL = ("file://", "/")


class ImportFailed(Exception):
    """An import cannot be finished; the message becomes its error."""


class Cancelled(Exception):
    """Somebody cancelled the import while it ran, or the server stops."""


class Imports:
    """Starts, follows and cancels imports. One runs at a time; a restart of the server begins the unfinished ones again."""

    def __init__(self, store: Store, delay_s: float) -> None:
        self._store = store
        self._delay_s = delay_s
        self._closing = False
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="import")
        for index in store.catalog.indexes.values():
            for each in index.imports.values():
                if each.status in UNFINISHED:
                    self._pool.submit(self._run, index, each.id)

    def start(self, index: Index, body: dict) -> str:
        """Start an import and return its id. Raises Refusal if it cannot be started."""
        uri, mode = body.get("uri"), _mode(body.get("errorMode"))
        if not isinstance(uri, str) or not uri.startswith(("s3://", *LOCAL)) or len(uri) > LONGEST_URI:
            raise invalid(f"uri must be an s3:// address or a local folder, got {uri!r}")
        with self._store.catalog.changing() as draft:
            imports = draft.at(index.host_id).imports
            started = Import(str(len(imports) + 1), uri, mode, timestamp())
            imports[started.id] = started
        self._pool.submit(self._run, index, started.id)
        return started.id

    def get(self, index: Index, import_id: str) -> Import:
        """Return an import as it is now. Raises Refusal if there is none."""
        imports = self._store.catalog.indexes.at(index.host_id).imports
        if import_id not in imports:
            raise not_found(f"Import {import_id} not found")
        return imports[import_id]

    def cancel(self, index: Index, import_id: str) -> None:
        """Cancel an import that is not finished; a finished one stays as it is."""
        if self.get(index, import_id).status in UNFINISHED:
            self._record(index, import_id, status="Cancelled", finished_at=timestamp())

    def close(self) -> None:
        """Begin no further import and let go of the running one: the next start begins it again."""
        self._closing = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, index: Index, import_id: str) -> None:
        keys: dict[str, int] = {}
        try:
            # In the service minutes pass before an import begins, in which it can be cancelled.
            time.sleep(self._delay_s)
            self._advance(index, import_id, status="InProgress")
            self._load(index, self.get(index, import_id), keys)
            self._publish(index, import_id, keys)
        except Cancelled:
            self._store.database.drop(keys.values())
        except Exception as error:
            self._store.database.drop(keys.values())
            # An index that was deleted meanwhile has nowhere to say it; on a full disk the import begins again with the next start.
            with suppress(Refusal):
                self._record(index, import_id, status="Failed", finished_at=timestamp(), error=str(error) or type(error).__name__)

    def _load(self, index: Index, task: Import, keys: dict[str, int]) -> None:
        filesystem, files = _listed(task.uri)
        for namespace in {namespace for namespace, _ in files}:
            if namespace in index.namespaces:
                raise ImportFailed(f"Namespace {namespace} already exists: an import fills namespaces that do not exist.")
            keys[namespace] = new_key()
        sizes = [filesystem.size(path) for _, path in files]
        lsns = dict.fromkeys(keys, 0)
        imported = refused = 0
        for place, (namespace, path) in enumerate(files, 1):
            for change, bad in _changes(filesystem, path, index.dimension, task.on_error):
                lsns[namespace] += 1
                self._store.database.write(keys[namespace], lsns[namespace], change)
                imported, refused = imported + len(change.ids), refused + bad
            percent = round(100 * sum(sizes[:place]) / sum(sizes), 1)
            self._advance(index, task.id, percent_complete=percent, records_imported=imported, records_refused=refused)

    def _publish(self, index: Index, import_id: str, keys: dict[str, int]) -> None:
        with self._store.catalog.changing() as draft:
            current = draft.at(index.host_id)
            task = current.imports[import_id]
            if task.status not in UNFINISHED:
                raise Cancelled
            for namespace, key in keys.items():
                add_namespace(current, namespace, NamespaceEntry(key), new=True)
            task.status, task.finished_at, task.percent_complete = "Completed", timestamp(), 100.0

    def _advance(self, index: Index, import_id: str, **fields: object) -> None:
        if self._closing or self.get(index, import_id).status not in UNFINISHED:
            raise Cancelled
        self._record(index, import_id, **fields)

    def _record(self, index: Index, import_id: str, **fields: object) -> None:
        with self._store.catalog.changing() as draft:
            task = draft.at(index.host_id).imports[import_id]
            if task.status in UNFINISHED:
                for name, value in fields.items():
                    setattr(task, name, value)


def _mode(error_mode: object) -> str:
    if error_mode is None:
        return "abort"
    mode = error_mode.get("onError", "abort") if isinstance(error_mode, dict) else None
    if mode not in ("abort", "continue"):
        raise invalid(f"errorMode must be an object whose onError is 'abort' or 'continue', got {error_mode!r}")
    return mode


def _listed(uri: str) -> tuple[AbstractFileSystem, list[tuple[str, str]]]:
    filesystem, root = fsspec.core.url_to_fs(uri)
    # An object written since the last listing would be missed.
    filesystem.invalidate_cache()
    files = []
    for path in filesystem.find(root):
        parts = Path(path).relative_to(root).parts
        if path.endswith(".parquet") and len(parts) > 1:
            files.append((limits.namespace_name(parts[0]), path))
    if not files:
        raise ImportFailed(
            f"No Parquet files under {uri}: they belong into a folder of their namespace, as in {uri.rstrip('/')}/NAMESPACE/0.parquet"
        )
    return filesystem, files


def _changes(filesystem: AbstractFileSystem, path: str, dimension: int, on_error: str) -> Iterator[tuple[Change, int]]:
    with filesystem.open(path, "rb") as stream:
        file = parquet.ParquetFile(stream)
        names = file.schema_arrow.names
        if "id" not in names or "values" not in names:
            raise ImportFailed(f"{path}: the columns 'id' and 'values' are required")
        if "sparse_values" in names:
            raise ImportFailed(f"{path}: sparse values are not emulated by this development server")
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=[name for name in ("id", "values", "metadata") if name in names]):
            whole = _whole(batch, dimension)
            yield (whole, 0) if whole else _parts(batch, path, dimension, on_error)


def _whole(batch: pa.RecordBatch, dimension: int) -> Change | None:
    """Return the change of a batch whose records are all good, without making Python floats of its vectors; None of any other."""
    values = batch["values"]
    if values.null_count or set(pc.list_value_length(values).to_pylist()) != {dimension}:
        return None
    matrix = limits.usable(np.asarray(values.flatten()).reshape(-1, dimension))
    ids = batch["id"].to_pylist()
    if matrix is None or len(set(ids)) < len(ids):
        return None
    with suppress(Refusal, orjson.JSONDecodeError):
        return Change([limits.record_id(each) for each in ids], matrix, _metadata(batch))
    return None


def _parts(batch: pa.RecordBatch, path: str, dimension: int, on_error: str) -> tuple[Change, int]:
    """Return the change of the good records of a batch, and how many are bad; the last of equal ids counts."""
    records: dict[str, tuple[np.ndarray, dict]] = {}
    bad = 0
    for row in batch.to_pylist():
        try:
            record = limits.record_id(row["id"])
            records[record] = limits.vector(row["values"], dimension, record=record), _fields(row.get("metadata"))
        except (Refusal, orjson.JSONDecodeError) as error:
            bad += 1
            if on_error == "abort":
                raise ImportFailed(f"{path}: record {row['id']!r}: {error}") from None
    if not records:
        return Change(), bad
    vectors, metadata = zip(*records.values(), strict=True)
    return Change(list(records), np.stack(vectors), list(metadata)), bad


def _metadata(batch: pa.RecordBatch) -> list[dict]:
    if "metadata" not in batch.schema.names:
        return [{} for _ in range(batch.num_rows)]
    return [_fields(text) for text in batch["metadata"].to_pylist()]


def _fields(text: str | None) -> dict:
    return limits.metadata(orjson.loads(text)) if text else {}
