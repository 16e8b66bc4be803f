"""Search the live release of a profile's index: every match comes with its receipt, which `explain` follows to the text behind it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.clients.models.asking import embed_question
from embedding_lakehouse.clients.pinecone import IndexService, Record, service_from_connection
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.receipts import Match
from embedding_lakehouse.core.releases import IndexShape
from embedding_lakehouse.errors import InputError
from embedding_lakehouse.receipts import Explained, explain

__all__ = ["Explained", "Match", "explain", "search"]

# The service answers at most 1,000 matches where it sends their metadata along.
MOST_MATCHES = 1_000

Condition = dict[str, Any]

logger = logging.getLogger(__name__)


def search(
    question: str,
    top_k: int = 5,
    condition: dict[str, Any] | None = None,
    profile_name: str | None = None,
    lake: Lake | None = None,
    service: IndexService | None = None,
) -> list[Match]:
    """The `top_k` chunks nearest to the question, best first, among those whose metadata meet `condition` (Pinecone's filter language).

    Raises InputError for an empty question or an impossible `top_k`, ConfigurationError for a refused filter or a missing index.
    """
    if not question.strip():
        raise InputError("the question is empty")
    if not 1 <= top_k <= MOST_MATCHES:
        raise InputError(f"top_k is {top_k}, must be from 1 to {MOST_MATCHES}")
    profile = settings.profile(profile_name or settings.default_profile())
    lake = lake or connect()
    release = Releases(lake).live(profile.name)
    vector = embed_question(profile, load_model(profile), question)
    index = (service or service_from_connection()).open(IndexShape.of_release(release))
    found = _own_records(profile, lambda filtered: index.search(release["namespace"], vector, top_k, filtered), condition)
    return _with_texts(lake, profile, [_match(record, release["release_id"]) for record in found])


def _own_records(profile: Profile, ask: Callable[[Condition | None], list[Record]], condition: Condition | None) -> list[Record]:
    """What the index answers of the profile's own records; others, which have no receipt, are rare, so they are filtered out only then."""
    found = ask(condition)
    own = [record for record in found if record.metadata.get("model_version") == profile.model_version and "doc_id" in record.metadata]
    if len(own) == len(found):
        return own
    logger.warning("the index holds records without a receipt of profile %s: run the DAG reconcile_index", profile.name)
    is_own = {"$and": [{"model_version": {"$eq": profile.model_version}}, {"doc_id": {"$exists": True}}]}
    return ask({"$and": [is_own, condition]} if condition else is_own)


def _match(record: Record, release_id: str) -> Match:
    receipt = record.metadata
    return Match(
        score=record.score or 0.0,
        doc_id=receipt["doc_id"],
        title=receipt.get("title"),
        content_hash=receipt["content_hash"],
        chunk_id=record.record_id,
        chunk_index=int(receipt["chunk_index"]),
        start_offset=int(receipt["start_offset"]),
        model_version=receipt["model_version"],
        batch_id=receipt["batch_id"],
        source_snapshot=int(receipt["source_snapshot"]),
        release_id=release_id,
        text=receipt.get("text"),
    )


def _with_texts(lake: Lake, profile: Profile, matches: list[Match]) -> list[Match]:
    """The matches with the texts that the index does not keep, from the lake."""
    lacking = [match for match in matches if match.text is None]
    if not lacking:
        return matches
    chunk_ids, batch_ids = ({getattr(match, name) for match in lacking} for name in ("chunk_id", "batch_id"))
    binds = [profile.model_version, tuple(sorted(chunk_ids)), tuple(sorted(batch_ids))]
    texts: dict[str, str] = dict(lake.sql.rows("receipts/read_chunk_texts", binds))
    return [replace(match, text=match.text or texts.get(match.chunk_id)) for match in matches]
