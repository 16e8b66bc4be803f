"""Plan an erasure: which documents are meant, and everywhere that the lake and its indexes hold them. Nothing is written."""

import logging
from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.forgetting import erasures, tombstones
from embedding_lakehouse.clients.forgetting.holdings import look_through
from embedding_lakehouse.clients.forgetting.rewriting import Erasing
from embedding_lakehouse.clients.forgetting.selection import chosen_documents
from embedding_lakehouse.clients.ingest_runs import running
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.batches import OPEN_STATES, new_batch_id
from embedding_lakehouse.core.erasures import ErasurePlan, Wish
from embedding_lakehouse.core.forgetting import digest
from embedding_lakehouse.core.purchases import accounts
from embedding_lakehouse.core.releases import BUILDING, HELD
from embedding_lakehouse.core.schema import ALL_TABLES
from embedding_lakehouse.errors import InputError, NothingToDo

log = logging.getLogger(__name__)

Plan = dict[str, Any]


def plan_erasure(params: dict[str, Any], lake: Lake | None = None) -> Plan:
    """What the erasure will do, as keys: hashes and counts, no id of a document. Nothing changes by it.

    An erasure that a dead run left half done is finished first, whatever is asked for. Raises InputError for a wish that is not whole or
    means no document, and where a hold keeps what is to be erased; NothingToDo after a dry run.
    """
    lake = lake or connect()
    wish = Wish.from_params(params)
    if begun := erasures.unfinished(lake):
        planned = _begun(begun["erasure_id"], begun["document_count"])
    else:
        doc_ids = chosen_documents(lake, wish)
        wish.check_says_nothing_of(doc_ids)
        planned = _lifting(lake, doc_ids) if wish.lift else _planned(lake, doc_ids)
    log.info("The plan:\n%s", planned.description)
    if wish.dry_run:
        raise NothingToDo(f"a dry run ends here, nothing was changed. The plan:\n{planned.description}")
    wish.check_holds(planned.holds)
    return planned.as_keys()


def _planned(lake: Lake, doc_ids: frozenset[str]) -> ErasurePlan:
    erasure_id = new_batch_id(datetime.now(UTC))
    forgotten, contents = look_through(lake, doc_ids)
    rows, files, snapshots, kept = {}, {}, {}, {}
    for declared in ALL_TABLES:
        erasing = Erasing(lake, declared, forgotten, erasure_id)
        rows[declared.name] = erasing.find()
        files[declared.name] = len(erasing.tainted)
        snapshots[declared.name] = erasing.reached()
        kept[declared.name] = erasing.kept_by()
    releases = Releases(lake).rows()
    return ErasurePlan(
        digest=digest(erasure_id, doc_ids),
        document_count=len(doc_ids),
        unknown_count=sum(not found for found in contents.values()),
        chunk_count=len(forgotten.chunk_ids),
        rows=rows,
        files=files,
        snapshots=snapshots,
        kept_refs=kept,
        releases=[f"{row['release_id']} ({row['state']})" for row in releases if row["state"] in HELD],
        given_up_batches=[row["batch_id"] for row in batches.journal(lake).rows() if row["state"] in OPEN_STATES],
        dropped_releases=[row["release_id"] for row in releases if row["state"] == BUILDING],
        stopped_ingestions=running(lake),
        erasure_id=erasure_id,
        accounts=sorted(accounts(settings.profiles().values())),
    )


def _lifting(lake: Lake, doc_ids: frozenset[str]) -> ErasurePlan:
    held = tombstones.in_force(lake)
    if missing := sorted(doc_id for doc_id in doc_ids if held.of(doc_id) is None):
        raise InputError(f"{len(missing)} of these documents are not forgotten, such as {missing[0]!r}: nothing was lifted")
    return _empty(len(doc_ids), is_lift=True)


def _begun(erasure_id: str, document_count: int) -> ErasurePlan:
    return _empty(document_count, is_begun=True, erasure_id=erasure_id)


def _empty(document_count: int, **options: Any) -> ErasurePlan:
    return ErasurePlan("", document_count, 0, 0, {}, {}, {}, {}, [], [], [], [], **options)
