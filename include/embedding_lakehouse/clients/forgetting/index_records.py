"""The records of forgotten documents in every release's namespace: removed by their ids, and by the document that their metadata names."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService, MissingIndex, VectorIndex
from embedding_lakehouse.clients.record_checks import NotVisible, wait_until_visible
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.forgetting import Forgotten
from embedding_lakehouse.core.releases import IndexShape, ReleaseRow

IDS_A_FILTER = 100
MOST_MATCHES = 1_000
NO_INDEX = -1


def erase_records(lake: Lake, service: IndexService, forgotten: Forgotten) -> dict[str, int]:
    """Remove the documents' records from the namespace of every release, dropped ones too where theirs is still there; how many of each.

    A release whose index is gone answers -1. Raises NotVisible where the index shows a removed record to the end of its patience.
    """
    return {row["release_id"]: _erase(service, row, forgotten) for row in Releases(lake).rows()}


def records_left(lake: Lake, service: IndexService, forgotten: Forgotten) -> dict[str, int]:
    """How many of the documents' records each release's namespace still answers."""
    left = {}
    for row in Releases(lake).rows():
        index = _index_of(service, row)
        left[row["release_id"]] = len(_found(index, row, forgotten)) if index else 0
    return left


def _erase(service: IndexService, row: ReleaseRow, forgotten: Forgotten) -> int:
    index = _index_of(service, row)
    if index is None:
        return NO_INDEX
    erased = set[str]()

    def erase() -> None:
        found = _found(index, row, forgotten)
        if found:
            erased.update(found)
            index.delete(row["namespace"], sorted(found))
            raise NotVisible(
                f"{len(found)} records of forgotten documents are still seen in namespace {row['namespace']}: run the task again"
            )

    wait_until_visible(index, erase)
    return len(erased)


def _index_of(service: IndexService, row: ReleaseRow) -> VectorIndex | None:
    try:
        return service.open(IndexShape.of_release(row))
    except MissingIndex:
        return None


def _found(index: VectorIndex, row: ReleaseRow, forgotten: Forgotten) -> set[str]:
    """The ids of the documents' records that the namespace answers: fetched by id, and searched for by the document's id."""
    if not index.namespace_exists(row["namespace"]):
        return set()
    found = set(index.fetch(row["namespace"], sorted(forgotten.chunk_ids)))
    anywhere = np.ones(row["dimension"], np.float32)
    for doc_ids in _portions(sorted(forgotten.doc_ids)):
        matches = index.search(row["namespace"], anywhere, MOST_MATCHES, {"doc_id": {"$in": doc_ids}})
        found |= {record.record_id for record in matches}
    return found


def _portions(names: list[str]) -> Iterator[list[str]]:
    remaining = iter(names)
    while portion := list(islice(remaining, IDS_A_FILTER)):
        yield portion
