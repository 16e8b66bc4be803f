"""Records of the index: a chunk's row as JSON with flat metadata, packed into request bodies by their real bytes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from embedding_lakehouse.errors import InputError

# The service's limits: 2 MB and 1,000 records a request, 40 KB of metadata a record. The smaller reading of MB and KB is the safe one.
BODY_BYTES = 2_000_000
BODY_RECORDS = 1_000
METADATA_BYTES = 40_000
TITLE_CHARACTERS = 500
# The columns of document_embeddings that make a record, beside the vector.
ROW_COLUMNS = (
    "chunk_id",
    "doc_id",
    "chunk_index",
    "start_offset",
    "content_hash",
    "source_snapshot",
    "model_version",
    "batch_id",
    "chunk_text",
)


@dataclass(frozen=True, slots=True)
class Body:
    """One upsert request: the JSON and the number of its records."""

    content: bytes
    record_count: int


def metadata(row: dict[str, Any], title: str | None, include_text: bool) -> dict[str, Any]:
    """The receipt that a record carries: flat, without nulls, within 40 KB.

    `source_snapshot` is text, since the index keeps numbers as doubles, which lose the last digits of a snapshot id. A text that does
    not fit is left out and `text_omitted` says so. Raises InputError that names the document where even the rest does not fit.
    """
    receipt = {
        "doc_id": row["doc_id"],
        "chunk_index": row["chunk_index"],
        "start_offset": row["start_offset"],
        "content_hash": row["content_hash"],
        "source_snapshot": None if row["source_snapshot"] is None else str(row["source_snapshot"]),
        "model_version": row["model_version"],
        "batch_id": row["batch_id"],
        "title": title[:TITLE_CHARACTERS] if title else None,
    }
    receipt = {name: value for name, value in receipt.items() if value is not None}
    if include_text:
        with_text = receipt | {"text": row["chunk_text"]}
        if len(orjson.dumps(with_text)) <= METADATA_BYTES:
            return with_text
        receipt["text_omitted"] = True
    if len(orjson.dumps(receipt)) > METADATA_BYTES:
        raise InputError(
            f"the document {row['doc_id'][:80]!r}... has an id of {len(row['doc_id'].encode())} bytes: the index keeps at most "
            f"{METADATA_BYTES} bytes beside a vector; give the document a shorter doc_id"
        )
    return receipt


def encode_record(record_id: str, values: np.ndarray, receipt: dict[str, Any]) -> bytes:
    """The record as JSON. `values` is float32: each number is the shortest text that reads back as the same float32."""
    return orjson.dumps({"id": record_id, "values": values, "metadata": receipt}, option=orjson.OPT_SERIALIZE_NUMPY)


def pack(records: Iterable[bytes], namespace: str, most_bytes: int = BODY_BYTES, most_records: int = BODY_RECORDS) -> Iterator[Body]:
    """Request bodies that together hold all records in their order, each within both limits, measured on the JSON that is sent."""
    head, tail = b'{"namespace":' + orjson.dumps(namespace) + b',"vectors":[', b"]}"
    # The first record has no comma before it.
    frame = len(head) + len(tail) - 1
    packed, size = list[bytes](), frame
    for record in records:
        if packed and (size + len(record) + 1 > most_bytes or len(packed) == most_records):
            yield _body(packed, tail)
            packed, size = [], frame
        packed.append(record if packed else head + record)
        size += len(record) + 1
    if packed:
        yield _body(packed, tail)


def _body(packed: list[bytes], tail: bytes) -> Body:
    """The records with what closes them, in one copy: two megabytes are not put together piece by piece."""
    return Body(b",".join([*packed[:-1], packed[-1] + tail]), len(packed))
