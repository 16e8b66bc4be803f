"""What a tombstone refuses, what quotes a forgotten document, and that no column of any table is overlooked."""

from datetime import UTC, datetime
from typing import Any

import pytest

from embedding_lakehouse.core.erasures import UNREACHABLE, ErasurePlan, Wish
from embedding_lakehouse.core.forgetting import (
    CHUNK_KEYS,
    DOCUMENT_KEYS,
    OWN,
    PLACE_KEYS,
    REPLACEMENT,
    SAID,
    Forgotten,
    Tombstones,
    digest,
    lifted,
    new_tombstones,
    pieces_of,
    refusal,
)
from embedding_lakehouse.core.hashing import chunk_id, content_hash
from embedding_lakehouse.core.schema import ALL_TABLES
from embedding_lakehouse.errors import InputError
from tests.forgetting_fixtures import PARAMS

# Names of our own: of batches, runs, people, states, models, and hashes of settings. None has anything of a document.
HARMLESS = {
    *("accepted_by", "approved_by", "created_by", "lifted_by", "requested_by"),
    *("alert_id", "batch_id", "comparison_id", "erasure_id", "import_id", "ingest_id", "monitor_id", "reconciliation_id", "release_id"),
    *("baseline_id", "copied_from_batch", "open_syncs", "repair_sync_id", "restored_from", "sample_id", "since_batch_id", "source_batch"),
    *(
        "maintenance_id",
        "table_name",
        "sync_id",
        "undone_batches",
        "dag_id",
        "run_id",
        "task_id",
        "engine",
        "etag",
        "source",
        "source_file",
        "namespace",
        "index_name",
    ),
    *("baseline_kind", "cause", "causes", "change", "check_name", "chunking_strategy", "finding", "kind", "measure", "method", "metric"),
    *("model_name", "model_version", "profile", "profile_fingerprint", "reader", "reason_code", "severity", "state", "approval_reasons"),
    *("id_checksum", "id_hash", "content_hashes", "salt", "certificate", "lifted_reason"),
}
TEXT = "The quick brown fox of Jane Roe jumps over the lazy dog in the garden behind the house."
DOC = "people/jane.md"
FORGOTTEN = Forgotten(
    frozenset({DOC, "7"}), frozenset({chunk_id(DOC, TEXT)}), frozenset({"s3://b/people/jane.md"}), frozenset(pieces_of(TEXT))
)
NOW = datetime(2026, 1, 31, tzinfo=UTC)
ERASURE = {"erasure_id": "e1", "reason": "ticket 1", "requested_by": "somebody"}


def test_every_text_column_of_every_table_is_known_to_forgetting() -> None:
    known = {*DOCUMENT_KEYS, *CHUNK_KEYS, *PLACE_KEYS, *SAID, *OWN} | HARMLESS
    texts = {f"{table.name}.{one.name}" for table in ALL_TABLES for one in table.columns if one.type in ("string", "list<string>")}
    assert {name for name in texts if name.rpartition(".")[2] not in known} == set()


def test_what_goes_with_its_document_stands_in_tables_that_name_it() -> None:
    for table in ALL_TABLES:
        names = {column.name for column in table.columns}
        if names & {"document_text", "chunk_text", "title", "metadata", "chunk_ids"}:
            assert names & {*DOCUMENT_KEYS, *CHUNK_KEYS}, table.name


@pytest.mark.parametrize(
    ("value", "is_quoted"),
    [
        (f"document {DOC} has no vector", True),
        ("document other/people/jane.md has no vector", False),
        ("document people/jane.mdx has no vector", False),
        (f"chunk {chunk_id(DOC, TEXT)} is missing", True),
        ("it begins: quick brown fox of Jane Roe jumps, and more", True),
        ("a brown fox", False),
        ("7 documents were embedded", False),
        ("document '7' was embedded", True),
        ('[{"doc_id": "7"}]', True),
        ('[{"text": "The quick brown fox\\nof Jane Roe jumps"}]', True),
        ('{"place": "s3://b/people/jane.md"}', True),
        ("", False),
    ],
)
def test_a_quote_is_told_from_a_likeness(value: str, is_quoted: bool) -> None:
    assert FORGOTTEN.is_quoted(value) is is_quoted


def test_a_list_keeps_its_other_members_and_a_sentence_is_replaced() -> None:
    assert FORGOTTEN.without_quotes(f'[{{"doc_id": "{DOC}"}}, {{"doc_id": "b"}}]') == '[{"doc_id": "b"}]'
    assert FORGOTTEN.without_quotes(f"{DOC} is empty") == REPLACEMENT
    assert FORGOTTEN.without_quotes("b is empty") == "b is empty"


def test_documents_come_back_from_their_note() -> None:
    assert Forgotten.of_note(FORGOTTEN.as_note()) == FORGOTTEN


def test_a_tombstone_refuses_the_id_and_the_text_under_another_id_and_holds_neither() -> None:
    rows = new_tombstones([], "salt", {DOC: {content_hash(TEXT), content_hash("")}}, ERASURE, NOW)
    stones = Tombstones.of_rows(rows)
    assert stones.of(DOC) and stones.of("elsewhere.md", content_hash(TEXT))
    assert not stones.of("elsewhere.md", content_hash("")) and not stones.of("elsewhere.md")
    assert DOC not in str(rows) and content_hash(TEXT) not in str(rows)
    assert "e1" in refusal(rows[0]) and "remove it from the source" in refusal(rows[0])


def test_a_second_erasure_takes_the_salt_of_the_first_and_repeats_no_tombstone() -> None:
    rows = new_tombstones([], "first", {DOC: set()}, ERASURE, NOW)
    more = new_tombstones(rows, "second", {DOC: set(), "b": set()}, ERASURE, NOW)
    assert [row["salt"] for row in more] == ["first"]


def test_a_lifted_tombstone_refuses_nothing_until_the_document_is_forgotten_again() -> None:
    rows = lifted(new_tombstones([], "salt", {DOC: set()}, ERASURE, NOW), [DOC], "somebody", "a new consent", NOW)
    assert not Tombstones.of_rows(rows).of(DOC)
    assert Tombstones.of_rows(new_tombstones(rows, "other", {DOC: set()}, ERASURE, NOW)).of(DOC)
    with pytest.raises(InputError, match="not forgotten"):
        lifted(rows, [DOC], "somebody", "again", NOW)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "say either `doc_ids`"),
        ({"doc_ids": ["a"], "doc_id_prefix": "a"}, "say either `doc_ids`"),
        ({"metadata_field": "tenant"}, "needs its value"),
        ({"doc_ids": ["a"], "reason": " "}, "who asked for it and why"),
        ({"doc_id_prefix": "a", "lift": True}, "`lift` allows documents by their ids"),
    ],
)
def test_a_wish_that_is_not_whole_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Wish.from_params(PARAMS | asked)


def test_a_reason_that_names_the_document_is_refused() -> None:
    wish = Wish.from_params(PARAMS | {"doc_ids": [DOC], "reason": f"asked to remove {DOC}"})
    with pytest.raises(InputError, match="names a document"):
        wish.check_says_nothing_of(frozenset(wish.doc_ids))


def test_a_hold_is_kept_unless_it_is_named() -> None:
    plan = ErasurePlan("", 1, 0, 0, {}, {}, {}, {"t": ["hold-case.7034", "hold-audit", "main"]}, [], [], [], [])
    assert plan.holds == ["audit", "case"]
    Wish.from_params(PARAMS | {"doc_ids": [DOC], "despite_holds": ["audit", "case"]}).check_holds(plan.holds)
    with pytest.raises(InputError, match="the hold 'case'"):
        Wish.from_params(PARAMS | {"doc_ids": [DOC], "despite_holds": ["audit"]}).check_holds(plan.holds)


def test_a_plan_says_what_is_out_of_reach_and_comes_back_from_its_keys() -> None:
    plan = ErasurePlan(digest("e1", [DOC]), 1, 0, 3, {"t": 2}, {"t": 1}, {"t": 4}, {"t": ["main"]}, ["r1"], ["b1"], [], [], erasure_id="e1")
    assert all(line in plan.description for line in ("t: 2 stored rows in 1 files", "open batches given up: b1", *UNREACHABLE))
    assert ErasurePlan.of_keys(plan.as_keys()) == plan
    assert DOC not in str(plan.as_keys())
