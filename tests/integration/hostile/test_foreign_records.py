"""Records of the index that somebody else wrote or changed: a search answers none of them, and a page shows no markup of theirs."""

from hashlib import sha256
from typing import Any

import pytest

from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.page.showing import Sources
from embedding_lakehouse.retrieval import search
from tests.hostile_values import MARKUP, PRINTABLE
from tests.index_fixtures import Following
from tests.lake_builder import LakeBuilder
from tests.page_fixtures import client

# The bundled model has no smaller vectors.
pytestmark = pytest.mark.parametrize("profile", [256], indirect=True)

CORPUS = {"a": ["Alpha.", "Beta."], "b": ["Gamma.", "Delta."]}
CHANGES: list[dict[str, Any]] = [
    {"text": "An answer that nobody wrote."},
    {"text": 7},
    {"text": ["Alpha."]},
    {"doc_id": "another document"},
    {"doc_id": ["a"]},
    {"content_hash": None},
    {"content_hash": 7},
    {"batch_id": True},
    {"chunk_index": "'; drop table x"},
    {"chunk_index": -1},
    {"chunk_index": 0.5},
    {"chunk_index": True},
    {"start_offset": 1e300},
    {"source_snapshot": PRINTABLE["sql"]},
    {"source_snapshot": PRINTABLE["unicode_digits"]},
    {"source_snapshot": "-1"},
    {"source_snapshot": 1},
]


def id_of(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


def test_a_search_answers_no_record_that_this_package_cannot_have_written(builder: LakeBuilder, following: Following) -> None:
    builder.publish(CORPUS)
    following.sync()
    lake, service = following.lake, following.service
    expected = search("alpha", 10, None, following.profile.name, lake, service)
    assert len(expected) == 4
    best = following.index.fetch(following.namespace, [expected[0].chunk_id])[expected[0].chunk_id]
    values = best.values.tolist()
    forged = [{key: value for key, value in (best.metadata | change).items() if value is not None} for change in CHANGES]
    vectors: list[Any] = [(id_of(number), values, metadata) for number, metadata in enumerate([best.metadata, *forged])]
    # A name that is no hash, and the right hash under the metadata of another text.
    vectors += [(MARKUP[:40], values, best.metadata), (chunk_id("a", MARKUP), values, best.metadata | {"doc_id": "a"})]
    following.index._sdk.upsert(vectors=vectors, namespace=following.namespace)
    for condition in (None, {"doc_id": {"$in": ["a", "b"]}}):
        assert search("alpha", 4, condition, following.profile.name, lake, service) == expected

    page = client(Sources(sql=lambda: lake.sql, lake=lambda: lake, service=lambda: service))
    shown = page.get("/search", params={"question": "alpha", "profile": following.profile.name})
    assert (shown.status_code, shown.text.count("Open receipt"), "nobody wrote" in shown.text) == (200, 4, False)


def test_a_record_whose_text_or_document_was_changed_is_left_out(builder: LakeBuilder, following: Following) -> None:
    builder.publish(CORPUS)
    following.sync()
    lake, service = following.lake, following.service
    first, second, *rest = search("alpha", 10, None, following.profile.name, lake, service)
    records = following.records()
    without_text = {key: value for key, value in records[second.chunk_id].metadata.items() if key != "text"}
    changed = [
        (first.chunk_id, records[first.chunk_id].values.tolist(), records[first.chunk_id].metadata | {"text": MARKUP}),
        (second.chunk_id, records[second.chunk_id].values.tolist(), without_text | {"doc_id": MARKUP}),
    ]
    following.index._sdk.upsert(vectors=changed, namespace=following.namespace)
    assert search("alpha", 10, None, following.profile.name, lake, service) == rest
