"""Forget documents in one call, step by step as the DAG does, and search every byte of the warehouse for what may not be in it."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyiceberg.avro.file import AvroFile
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.typedef import Record

from dev.stack.catalog import warehouse
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.steps.forget_documents import beginning, certifying, checking, erasing, planning, withdrawing

PARAMS: dict[str, Any] = {
    "doc_ids": [],
    "doc_id_prefix": "",
    "source_uri_prefix": "",
    "metadata_field": "",
    "metadata_value": "",
    "requested_by": "data protection",
    "reason": "ticket 4711",
    "despite_holds": [],
    "dry_run": False,
    "lift": False,
}


class Killed(BaseException):
    """The process that erases is gone."""


@dataclass
class Forgetting:
    """Erasures of one lake and its indexes."""

    lake: Lake
    service: IndexService
    patience: float = 1.0

    def forget(self, **params: Any) -> dict[str, Any]:
        """One run of the DAG, approved; the certificate."""
        return self.finish(self.plan(**params), **params)

    def plan(self, **params: Any) -> dict[str, Any]:
        return planning.plan_erasure(PARAMS | params, self.lake)

    def finish(self, plan: dict[str, Any], lake: Lake | None = None, **params: Any) -> dict[str, Any]:
        """What follows the approval of a plan; the certificate."""
        return self.erase(self.begin(plan, lake, **params), lake)

    def begin(self, plan: dict[str, Any], lake: Lake | None = None, **params: Any) -> str:
        """Put an approved plan into force; the erasure's id."""
        return beginning.begin_erasure(plan, PARAMS | params, "an approver", "a run", lake or self.lake, self.service)

    def erase(self, erasure_id: str, lake: Lake | None = None) -> dict[str, Any]:
        """What follows the beginning; the certificate."""
        lake = lake or self.lake
        withdrawing.withdraw_purchases(erasure_id, lake=lake, patience=self.patience)
        erasing.erase_tables(erasure_id, lake)
        erasing.erase_index(erasure_id, lake, self.service)
        evidence = checking.check_erasure(erasure_id, lake, self.service)
        withdrawing.withdraw_purchases(erasure_id, is_last=True, lake=lake, patience=self.patience)
        return certifying.certify_erasure(erasure_id, evidence, lake)


def hits(home: Path, marks: list[str]) -> list[str]:
    """The files of the warehouse that have a mark in their name, their bytes, or what they hold once it is unpacked."""
    return [f"{file.relative_to(warehouse(home))}: {mark}" for file in _files(home) for mark in marks if _has(file, mark)]


def stored(home: Path) -> dict[str, tuple[int, int]]:
    """Every file of the warehouse with its size and time."""
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in _files(home)}


def _files(home: Path) -> Iterator[Path]:
    return (file for file in sorted(warehouse(home).rglob("*")) if file.is_file())


_unpacked: dict[tuple[str, int], str] = {}


def _has(file: Path, mark: str) -> bool:
    key = str(file), file.stat().st_mtime_ns
    if key not in _unpacked:
        _unpacked[key] = f"{file}\n{file.read_bytes().decode('latin-1')}\n{_content(file)}"
    return mark in _unpacked[key]


def _content(file: Path) -> str:
    # Of what a killed writer left half-written only the bytes themselves can be searched.
    with suppress(EOFError, ValueError, zlib.error):
        return _unpack(file)
    return ""


def _unpack(file: Path) -> str:
    if file.suffix == ".parquet":
        columns = pq.ParquetFile(file)
        texts = [str(rows.to_pydict()) for rows in columns.iter_batches(columns=_texts(columns))]
        return "\n".join([*texts, str(columns.metadata.metadata)])
    if file.suffix == ".avro":
        with AvroFile[Record](PyArrowFileIO().new_input(str(file))) as records:
            return "\n".join(f"{record!r}{_bytes(record)}" for record in records)
    return ""


def _texts(file: pq.ParquetFile) -> list[str]:
    return [field.name for field in file.schema_arrow if field.name not in ("embedding", "values")]


def _bytes(value: Any) -> str:
    """Whatever is bytes in a record, such as the bounds of a manifest's entries, as text."""
    if isinstance(value, Record):
        return "".join(_bytes(member) for member in value._data)
    if isinstance(value, list | tuple):
        return "".join(_bytes(member) for member in value)
    if isinstance(value, dict):
        return "".join(_bytes(member) for member in value.values())
    return value.decode("latin-1") if isinstance(value, bytes) else ""
