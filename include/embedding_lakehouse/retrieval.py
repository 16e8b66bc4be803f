"""Search the live release of a profile's index: every match comes with its receipt, which `explain` follows to the text behind it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.clients.models.asking import embed_question
from embedding_lakehouse.clients.pinecone import IndexService, Record, service_from_connection
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.receipts import Match, is_text_of, match_of
from embedding_lakehouse.core.releases import IndexShape
from embedding_lakehouse.core.texts import is_writable
from embedding_lakehouse.errors import InputError, quoted
from embedding_lakehouse.receipts import Explained, explain

__all__ = ["Explained", "Match", "explain", "search"]

# The service answers at most 1,000 matches where it sends their metadata along.
MOST_MATCHES = 1_000
# Several times what any model reads of a text.
LONGEST_QUESTION = 20_000

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

    Raises InputError for an empty or endless question or an impossible `top_k`, ConfigurationError for a refused filter or a missing index.
    """
    _check(question, top_k)
    profile = settings.profile(profile_name or settings.default_profile())
    lake = lake or connect()
    release = Releases(lake).live(profile.name)
    vector = embed_question(profile, load_model(profile), question)
    index = (service or service_from_connection()).open(IndexShape.of_release(release))
    own = partial(match_of, model_version=profile.model_version, release_id=release["release_id"])
    found = _own_matches(profile, own, partial(index.search, release["namespace"], vector), top_k, condition)
    return _with_texts(lake, profile, found)


def _check(question: str, top_k: int) -> None:
    if not question.strip():
        raise InputError("the question is empty")
    if len(question) > LONGEST_QUESTION or not is_writable(question):
        raise InputError(
            f"the question is {quoted(question)}, must have at most {LONGEST_QUESTION:,} characters, and no half surrogate pair"
        )
    if isinstance(top_k, bool) or not isinstance(top_k, int) or not 1 <= top_k <= MOST_MATCHES:
        raise InputError(f"top_k is {quoted(top_k)}, must be from 1 to {MOST_MATCHES}")


def _own_matches(
    profile: Profile,
    own: Callable[..., Match | None],
    ask: Callable[[int, Condition | None], list[Record]],
    top_k: int,
    condition: Condition | None,
) -> list[Match]:
    """What the index answers of the profile's own records; others, which have no receipt, are rare, so they are filtered out only then."""

    def asked(most: int, filtered: Condition | None) -> tuple[list[Match], bool]:
        answered = ask(most, filtered)
        matches = [match for record in answered if (match := own(record.record_id, record.score, record.metadata))]
        return matches, len(matches) == len(answered)

    matches, are_all_own = asked(top_k, condition)
    if are_all_own:
        return matches
    logger.warning("the index holds records without a receipt of profile %s: run the DAG reconcile_index", profile.name)
    is_own = {"$and": [{"model_version": {"$eq": profile.model_version}}, {"doc_id": {"$exists": True}}]}
    # Those that only look like ours pass the filter: with the most that the service answers they take nobody's place.
    return asked(MOST_MATCHES, {"$and": [is_own, condition]} if condition else is_own)[0][:top_k]


def _with_texts(lake: Lake, profile: Profile, matches: list[Match]) -> list[Match]:
    """The matches with the texts that the index does not keep, from the lake."""
    lacking = [match for match in matches if match.text is None]
    if not lacking:
        return matches
    chunk_ids, batch_ids = ({getattr(match, name) for match in lacking} for name in ("chunk_id", "batch_id"))
    binds = [profile.model_version, tuple(sorted(chunk_ids)), tuple(sorted(batch_ids))]
    texts: dict[str, str] = dict(lake.sql.rows("receipts/read_chunk_texts", binds))
    found = [replace(match, text=match.text or texts.get(match.chunk_id)) for match in matches]
    return [match for match in found if match.text is None or is_text_of(match.chunk_id, match.doc_id, match.text)]
