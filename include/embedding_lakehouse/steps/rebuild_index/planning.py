"""Plan a rebuild: what it will do and cost; then begin it, or go on with the one that a killed run left."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.clients.import_files import import_uri, staging_folder
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.moments import Moment, find_moment
from embedding_lakehouse.clients.pinecone import IndexService, service_from_connection
from embedding_lakehouse.clients.rebuilds import Basis, measure, measured_syncs
from embedding_lakehouse.clients.release_serving import drop_release
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.sync_plans import Shard, Span, open_plan, plan_changes, written_shards
from embedding_lakehouse.core import rebuilds as rules
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.rebuilds import RebuildPlan
from embedding_lakehouse.core.releases import IndexShape, ReleaseRow, kept_until, new_release
from embedding_lakehouse.core.syncs import Sync
from embedding_lakehouse.core.texts import one_line
from embedding_lakehouse.errors import ConflictError, InputError, NothingToDo, naming

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a rebuild is asked for, as the Params of the DAG say it."""

    profile: str
    as_of: str = ""
    method: str = rules.AUTO
    import_uri: str = ""
    reason: str = ""
    discard_building: bool = False

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> "Wish":
        """The wish of a run; Params that are no part of it are left out. Raises InputError and ConfigurationError for impossible ones."""
        kept_until(datetime.now(UTC), params["keep_days"])
        return cls(
            **{name: params[name] or "" for name in ("profile", "as_of")},
            method=rules.checked_method(params["method"]),
            import_uri=rules.checked_uri(params["import_uri"] or ""),
            reason=one_line("reason", params["reason"] or ""),
            discard_building=params["discard_building"],
        )


def plan_rebuild(params: dict[str, Any], lake: Lake | None = None, service: IndexService | None = None) -> dict[str, Any]:
    """What the rebuild will do and cost, as a dict; nothing is written.

    Raises InputError for a moment that is not to be had, ConflictError where an earlier run left a release that this one cannot go on with.
    """
    lake, service = lake or connect(), service or service_from_connection()
    wish = Wish.from_params(params)
    profile = settings.profile(wish.profile)
    live = Releases(lake).live(profile.name)
    moment, resumed = _moment(lake, wish)
    documents, records = measure(lake, profile.name, moment.versions_snapshot)
    if not records:
        raise InputError(f"profile {profile.name!r} has no record as of {moment.described}: there is nothing to build an index from")
    size, requests, seconds = rules.estimate(profile, records, measured_syncs(lake, profile.name))
    has_imports = wish.method != rules.UPSERTS and service.open(IndexShape.of_profile(profile)).has_imports()
    method, why = rules.choose_method(wish.method, records, has_imports, staging_folder(lake, wish.import_uri))
    if resumed and _is_planned(resumed):
        method, why = resumed["method"], f"as {resumed['release_id']} was begun"
    plan = RebuildPlan(
        profile=profile.name,
        live_release=live["release_id"],
        resumed_release=resumed["release_id"] if resumed else None,
        as_of=moment.described,
        is_pinned=bool(wish.as_of),
        versions_snapshot=moment.versions_snapshot,
        embeddings_snapshot=moment.embeddings_snapshot,
        documents=documents,
        records=records,
        bytes=size,
        requests=requests,
        seconds=seconds,
        method=method,
        why=why,
    )
    log.info("%s", plan)
    return plan.as_keys()


def _moment(lake: Lake, wish: Wish) -> tuple[Moment, ReleaseRow | None]:
    """The moment from which to build, and the release to go on with, which stays at the moment for which it was begun."""
    with naming("as_of"):
        moment = find_moment(lake, wish.profile, wish.as_of)
    left = rules.unswitched(Releases(lake).rows(), wish.profile)
    if left is None or wish.discard_building:
        return moment, None
    if not _is_planned(left):
        return moment, left
    built_from = Basis(lake, left).snapshots()
    rules.check_resumable(left, bool(wish.as_of), moment.versions_snapshot, built_from[0] if built_from else None, wish.method)
    return (Moment(*built_from, moment.described) if built_from else moment), left


def _is_planned(row: ReleaseRow) -> bool:
    return bool(row["open_syncs"]) or row["versions_snapshot"] is not None


def begin_rebuild(
    planned: dict[str, Any],
    params: dict[str, Any],
    run_id: str = "",
    lake: Lake | None = None,
    service: IndexService | None = None,
) -> list[Shard]:
    """Begin the planned release, or go on with the one that is left: its shards, finished ones too. Repeated, they are the same.

    Raises NothingToDo for a dry run, ConflictError where another rebuild of the profile began in between.
    """
    plan, wish = RebuildPlan(**planned), Wish.from_params(params)
    if params["dry_run"]:
        raise NothingToDo(f"dry run: {plan}; trigger rebuild_index without dry_run to do it")
    lake, service = lake or connect(), service or service_from_connection()
    begun_by = f"rebuild_index {run_id}"
    left = rules.unswitched(Releases(lake).rows(), plan.profile)
    if left and wish.discard_building and left["created_by"] != begun_by:
        drop_release(lake, service, left["release_id"])
    release = _begin(lake, plan, wish.reason, begun_by)
    shards = _planned_shards(lake, plan, release, run_id)
    uri = import_uri(staging_folder(lake, wish.import_uri), Sync(**shards[0]["sync"]))
    return [shard | {"method": release["method"], "uri": uri} for shard in shards]


def _begin(lake: Lake, plan: RebuildPlan, reason: str, begun_by: str) -> ReleaseRow:
    profile = settings.profile(plan.profile)
    wanted = {"is_pinned": plan.is_pinned, "method": plan.method}

    def decide(rows: list[ReleaseRow]) -> list[ReleaseRow]:
        left = rules.unswitched(rows, plan.profile)
        if left is None:
            return [new_release(rows, profile, begun_by, reason or f"rebuilt as of {plan.as_of}", datetime.now(UTC)) | wanted]
        if left["release_id"] != plan.resumed_release and left["created_by"] != begun_by:
            raise ConflictError(
                f"{left['created_by']} began the release {left['release_id']} of profile {plan.profile!r} in between: let it finish, or "
                "trigger rebuild_index with discard_building to drop it"
            )
        # Nothing was planned for it yet, so that it can still become what is wanted now.
        return [] if _is_planned(left) else [left | wanted]

    releases = Releases(lake)
    releases.change(decide)
    begun = rules.unswitched(releases.rows(), plan.profile)
    if begun is None:
        raise ConflictError(
            f"the release that was to be built for {plan.profile!r} was switched to or dropped in between: run rebuild_index again"
        )
    return begun


def _planned_shards(lake: Lake, plan: RebuildPlan, release: ReleaseRow, run_id: str) -> list[Shard]:
    basis = Basis(lake, release)
    if sync := basis.fill_sync():
        if release["versions_snapshot"] is not None:
            return [{"shard": 0, "upserts": 0, "deletes": 0, "sync": sync.as_keys()}]
        return written_shards(lake, sync)
    profile: Profile = settings.profile(plan.profile)
    basis.keep(Moment(plan.versions_snapshot, plan.embeddings_snapshot, plan.as_of))
    span = Span(None, plan.versions_snapshot, None, plan.embeddings_snapshot, rows_may_be_lost=False)
    planned = plan_changes(lake, profile, release, span, "rebuild_index", run_id)
    shards = open_plan(lake, planned) if planned else []
    if not shards:
        raise InputError(f"profile {plan.profile!r} has no record as of {plan.as_of}: there is nothing to build an index from")
    return shards
