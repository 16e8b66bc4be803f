"""Records of the index: what a receipt holds, and how request bodies are packed."""

from typing import Any

import numpy as np
import orjson
import pytest

from embedding_lakehouse.core.records import BODY_BYTES, METADATA_BYTES, encode_record, metadata, pack
from embedding_lakehouse.errors import InputError


def row(**changes: Any) -> dict[str, Any]:
    return {
        "chunk_id": "c" * 64,
        "doc_id": "a.md",
        "chunk_index": 3,
        "start_offset": 120,
        "content_hash": "h" * 64,
        "source_snapshot": 7_034_567_890_123_456_789,
        "model_version": "small-v1",
        "batch_id": "20260131T235959-1f9c04",
        "chunk_text": "some text",
        **changes,
    }


def test_a_receipt_is_flat_and_without_nulls():
    receipt = metadata(row(start_offset=None), None, include_text=True)
    assert {type(value) for value in receipt.values()} <= {str, int, bool}


def test_a_source_snapshot_keeps_every_digit():
    assert metadata(row(), None, include_text=False)["source_snapshot"] == "7034567890123456789"


def test_a_text_is_kept_only_where_the_profile_says_so():
    assert metadata(row(), None, include_text=True)["text"] == "some text"
    assert "text" not in metadata(row(), None, include_text=False)


@pytest.mark.parametrize("text", ["x" * 50_000, "é" * 25_000, '"' * 25_000], ids=["ascii", "two bytes", "escaped"])
def test_a_text_that_does_not_fit_is_left_out_and_said_so(text: str):
    receipt = metadata(row(chunk_text=text), None, include_text=True)
    assert (receipt["text_omitted"], "text" in receipt) == (True, False)


def test_the_longest_text_that_fits_is_kept():
    empty = len(orjson.dumps(metadata(row(chunk_text=""), None, include_text=True)))
    receipt = metadata(row(chunk_text="x" * (METADATA_BYTES - empty)), None, include_text=True)
    assert len(orjson.dumps(receipt)) == METADATA_BYTES


def test_a_document_id_that_does_not_fit_is_named():
    with pytest.raises(InputError, match="aaaa"):
        metadata(row(doc_id="a" * 50_000), None, include_text=True)


def test_a_long_title_is_cut():
    assert len(metadata(row(), "t" * 10_000, include_text=True)["title"]) == 500


def test_a_vector_reads_back_bit_for_bit():
    random = np.random.default_rng(1)
    values = (random.standard_normal(100_000) * 10.0 ** random.integers(-30, 30, 100_000)).astype(np.float32)
    read = np.asarray(orjson.loads(encode_record("a", values, {}))["values"], np.float32)
    assert read.tobytes() == values.tobytes()


def test_a_vector_is_written_as_shortest_float32():
    assert b'"values":[0.1,-2.5,3.4028235e+38]' in encode_record("a", np.array([0.1, -2.5, 3.4028235e38], np.float32), {})


def test_bodies_hold_every_record_once_in_order():
    records = [orjson.dumps({"id": str(number)}) for number in range(2_500)]
    packed = [item["id"] for body in pack(records, "n") for item in orjson.loads(body.content)["vectors"]]
    assert packed == [str(number) for number in range(2_500)]


def test_a_body_holds_at_most_a_thousand_records():
    assert [body.record_count for body in pack([b"{}"] * 2_500, "n")] == [1_000, 1_000, 500]


def test_a_body_is_within_its_bytes_and_full():
    values = np.random.default_rng(1).standard_normal(1_024).astype(np.float32)
    bodies = list(pack((encode_record(str(number), values, {"doc_id": "a"}) for number in range(1_000)), "n"))
    record = len(encode_record("999", values, {"doc_id": "a"}))
    assert all(len(body.content) <= BODY_BYTES for body in bodies)
    assert all(len(body.content) + record + 1 > BODY_BYTES for body in bodies[:-1])


def test_a_body_may_be_as_large_as_the_limit_exactly():
    record = b'{"id":"a"}'
    two = len(b'{"namespace":"n","vectors":[') + 2 * len(record) + 1 + len(b"]}")
    assert [len(body.content) for body in pack([record] * 2, "n", most_bytes=two)] == [two]
    assert [body.record_count for body in pack([record] * 2, "n", most_bytes=two - 1)] == [1, 1]


def test_nothing_packs_into_no_body():
    assert list(pack([], "n")) == []
