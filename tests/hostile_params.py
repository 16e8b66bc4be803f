"""How each Param of a DAG that takes free text reaches the steps, and what becomes of a hostile one.

A new Param must be named here: `tests/dags/test_hostile_params.py` compares this table with the DAGs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.steps import drop_releases, switch_release
from embedding_lakehouse.steps.embed_documents import planning as embedding
from embedding_lakehouse.steps.forget_documents import planning as forgetting
from embedding_lakehouse.steps.hold_documents import hold_documents
from embedding_lakehouse.steps.ingest_documents import listing
from embedding_lakehouse.steps.maintain_tables import planning as maintaining
from embedding_lakehouse.steps.monitor_embeddings import planning as monitoring
from embedding_lakehouse.steps.rebuild_index import planning as rebuilding
from embedding_lakehouse.steps.reconcile_index import planning as reconciling
from embedding_lakehouse.steps.roll_back_embeddings import planning as rolling_back
from embedding_lakehouse.steps.sync_index import planning as syncing

# The profile of the lake that the tests have.
PROFILE = "hostile"

Params = dict[str, Any]
Call = Callable[[Params, Lake, IndexService], Any]


@dataclass(frozen=True)
class Entry:
    """A DAG's first steps, which read its Params, with good ones, and its Params that take free text.

    `names` must be the name of something there is: whatever is not is refused. `texts` are kept as they are, where they can be printed.
    `others` have a test of their own, which is named.
    """

    call: Call
    params: Params
    names: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    others: dict[str, str] = field(default_factory=dict)


def _embed(params: Params, lake: Lake, service: IndexService) -> Any:
    # What changed is not looked at before an acceptance was looked at.
    return embedding.plan_batch(params["profile"], {}, "embed_documents", "a run", params["discard_open"], lake, params)


def _roll_back(params: Params, lake: Lake, service: IndexService) -> Any:
    wanted = (params["profile"], params["to"], params["without_batch"], params["reason"], params["dry_run"])
    return rolling_back.plan_roll_back(*wanted, lake=lake)


def _switch(params: Params, lake: Lake, service: IndexService) -> Any:
    chosen = switch_release.choose_release(params["profile"], params["release_id"], lake, service)
    return switch_release.switch_release(chosen, params["keep_days"], params["reason"], "a run", lake, service)


ENTRIES = {
    "drop_releases": Entry(
        lambda params, lake, service: drop_releases.drop_releases(
            params["profile"], params["release_id"], params["dry_run"], lake, service
        ),
        {"profile": None, "release_id": None, "dry_run": False},
        names=("release_id",),
    ),
    "embed_documents": Entry(
        _embed,
        {"profile": "", "dry_run": False, "discard_open": False, "accept_checks": ["no_vector_is_zero"], "accept_reason": "a test"},
        names=("profile", "accept_checks"),
        texts=("accept_reason",),
    ),
    "forget_documents": Entry(
        lambda params, lake, service: forgetting.plan_erasure(params, lake),
        {"doc_ids": ["a"], "doc_id_prefix": "", "source_uri_prefix": "", "metadata_field": "", "metadata_value": ""}
        | {"requested_by": "a test", "reason": "a test", "despite_holds": [], "dry_run": True, "lift": False},
        texts=("requested_by", "reason"),
        others=dict.fromkeys(
            ("doc_ids", "doc_id_prefix", "source_uri_prefix", "metadata_field", "metadata_value", "despite_holds"),
            "test_erasure",
        ),
    ),
    "hold_documents": Entry(
        lambda params, lake, service: hold_documents(params["name"], params["profile"], params["doc_ids"], params["as_of"], lake=lake),
        {"profile": "", "name": "a-hold", "doc_ids": [], "as_of": ""},
        names=("name", "doc_ids", "as_of"),
    ),
    "maintain_tables": Entry(
        lambda params, lake, service: maintaining.plan_maintenance(params, False, "a run"),
        {"dry_run": True, "tables": [], "target_megabytes": 128, "small_files": 8, "snapshot_days": 7, "receipt_days": 365}
        | {"orphan_days": 3},
        names=("tables",),
    ),
    "ingest_documents": Entry(
        lambda params, lake, service: listing.list_files(params, "a run", lake),
        {"source": "s3://bucket/prefix", "max_document_megabytes": 1, "delete_limit": 0.1},
        names=("source", "conn_id"),
        others=dict.fromkeys(("pattern", "id_prefix", "id_column", "text_column", "title_column"), "test_hostile_documents"),
    ),
    "monitor_embeddings": Entry(
        lambda params, lake, service: monitoring.plan_comparison(params["profile"], params["baseline"], params["accept"], lake=lake),
        {"profile": "", "baseline": "batch", "accept": ""},
        names=("profile", "baseline"),
        texts=("accept",),
    ),
    "rebuild_index": Entry(
        lambda params, lake, service: rebuilding.plan_rebuild(params, lake, service),
        {"profile": "", "as_of": "", "method": "auto", "dry_run": True, "keep_days": 7, "import_uri": ""}
        | {"reason": "", "discard_building": False},
        names=("profile", "as_of", "method", "import_uri"),
        texts=("reason",),
    ),
    "reconcile_index": Entry(
        lambda params, lake, service: reconciling.plan_reconciliation(params["profile"], lake=lake),
        {"profile": ""},
        names=("profile",),
    ),
    "roll_back_embeddings": Entry(
        _roll_back,
        {"profile": "", "to": "", "without_batch": "", "reason": "a test", "dry_run": True},
        names=("profile", "to", "without_batch"),
        texts=("reason",),
    ),
    "switch_release": Entry(
        _switch,
        {"profile": "", "release_id": f"{PROFILE}-r1", "reason": "", "keep_days": 7},
        names=("profile", "release_id"),
        texts=("reason",),
    ),
    "sync_index": Entry(lambda params, lake, service: syncing.plan_sync(params["profile"], lake=lake), {"profile": ""}, names=("profile",)),
}
