"""Which documents are meant: those named, or those that a filter finds now."""

from typing import Any

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.erasures import Wish
from embedding_lakehouse.errors import InputError

MOST_DOCUMENTS = 100_000


def chosen_documents(lake: Lake, wish: Wish) -> frozenset[str]:
    """The ids of the documents that are meant. Raises InputError where a filter finds none, or more than 100,000."""
    if wish.doc_ids:
        return frozenset(wish.doc_ids)
    prefix, place, name, value = wish.doc_id_prefix, wish.source_uri_prefix, wish.metadata_field, wish.metadata_value
    binds: list[Any] = [name, prefix, prefix, place, place, name, value, MOST_DOCUMENTS + 1]
    found = frozenset(doc_id for (doc_id,) in lake.sql.rows("forgetting/find_documents", binds))
    if not found:
        # Their values may say who is to be forgotten, and an error is kept.
        filters = ("doc_id_prefix", "source_uri_prefix", "metadata_field", "metadata_value")
        given = ", ".join(name for name in filters if getattr(wish, name))
        raise InputError(f"no document is meant by {given}: nothing was changed; check them against docs_db.source_documents")
    if len(found) > MOST_DOCUMENTS:
        raise InputError(f"more than {MOST_DOCUMENTS:,} documents are meant: choose a narrower filter, and forget them in several runs")
    return found
