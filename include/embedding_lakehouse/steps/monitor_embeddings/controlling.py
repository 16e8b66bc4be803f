"""The controls that tell causes apart: which models and splitters are in use, whether the provider answers the same, and the index."""

from dataclasses import replace
from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.clients import drift
from embedding_lakehouse.clients.batches import journal
from embedding_lakehouse.clients.canaries import compare_canaries, embed_canaries, profiles_agree
from embedding_lakehouse.clients.drift_index import Fidelity, probe_recall
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.models import EmbeddingModel, load_model
from embedding_lakehouse.clients.pinecone import IndexService, service_from_connection
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core import drift_measures as rules
from embedding_lakehouse.core.alarms import is_low
from embedding_lakehouse.core.batches import ROLL_BACK
from embedding_lakehouse.core.drift_baselines import Comparison
from embedding_lakehouse.core.drift_measures import Measure, measured, unmeasured
from embedding_lakehouse.core.releases import LIVE, IndexShape, ReleaseRow
from embedding_lakehouse.errors import LakehouseError

# An index that does not answer so long is down; the other measures do not wait for it.
INDEX_SECONDS = 20.0

Measures = list[dict[str, Any]]


def measure_models(comparison: dict[str, Any], lake: Lake | None = None) -> Measures:
    """Which models and chunking strategies are in use, beside the profile's own and the baseline's."""
    compared, lake = Comparison(**comparison), lake or connect()
    profile = settings.profile(compared.profile)
    counted = drift.count_models(lake, compared)
    models, strategies = _Shares("model"), _Shares("chunking strategy")
    for name, version, strategy, before, after in counted:
        models.add(f"{name} {version}", before, after)
        # Rows that other tools wrote may not say.
        if strategy is not None:
            strategies.add(strategy, before, after)
    other_model = models.unlike(f"{profile.model_name} {profile.model_version}")
    other_chunking = strategies.unlike(profile.chunking_strategy)
    if other_model.is_exceeded and compared.is_comparable and compared.baseline_profile != compared.profile:
        other_model = _same_by_another_name(lake, compared, other_model)
    return [other_model.as_keys(), other_chunking.as_keys()]


def measure_provider(comparison: dict[str, Any], lake: Lake | None = None, model: EmbeddingModel | None = None) -> Measures:
    """Whether the model still answers as it did: to the canary texts, and to texts that were embedded twice."""
    compared, lake = Comparison(**comparison), lake or connect()
    profile = settings.profile(compared.profile)
    mean = compare_canaries(lake, profile, embed_canaries(profile, model or load_model(profile)))
    if mean is not None:
        told = f"canary cosine fell from 1.000 to {mean:.3f}" if mean < 0.9995 else f"canary cosine is {mean:.3f}"
        canaries = measured("canary_cosine", 1.0, mean, 1 - mean, told)
    else:
        canaries = unmeasured("canary_cosine", "the canary texts were embedded for the first time")
    return [canaries.as_keys(), _twice_embedded(lake, compared).as_keys()]


def measure_index(comparison: dict[str, Any], lake: Lake | None = None, service: IndexService | None = None) -> Measures:
    """Whether the live release holds what it should, by its newest comparison, and answers the exact neighbours of some records.

    An index that is down, or is not there yet, fails nothing: the detail says so.
    """
    compared, lake = Comparison(**comparison), lake or connect()
    live = _live(lake, compared.profile)
    if live is None or live["versions_snapshot"] is None:
        why = f"profile {compared.profile!r} has no live release that holds anything"
        return [unmeasured(name, why).as_keys() for name in ("index_fidelity", "index_recall")]
    try:
        recalled = _recall(lake, service or service_from_connection(), live)
    except LakehouseError as error:
        recalled = unmeasured("index_recall", f"the index was not asked: {error}")
    return [_fidelity(lake, live).as_keys(), recalled.as_keys()]


def _live(lake: Lake, profile: str) -> ReleaseRow | None:
    return next((row for row in Releases(lake).rows() if row["profile"] == profile and row["state"] == LIVE), None)


class _Shares:
    """Sampled chunks by what made them, before and after."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self.before: dict[str, int] = {}
        self.after: dict[str, int] = {}

    def add(self, name: str, before: int, after: int) -> None:
        self.before[name] = self.before.get(name, 0) + before
        self.after[name] = self.after.get(name, 0) + after

    def unlike(self, own: str) -> Measure:
        """The share of the current chunks that something else made than the profile declares, or than the baseline knew."""
        # A baseline without a chunk knew nothing else.
        known = {name for name, count in self.before.items() if count} or {own}
        others = {name: count for name, count in self.after.items() if count and (name != own or name not in known)}
        total = max(1, sum(self.after.values()))
        name = "other_model" if self.noun == "model" else "other_chunking"
        told = f"{sum(others.values())} of {total} sampled chunks have another {self.noun} ({', '.join(sorted(others))}" if others else ""
        told += f" instead of {', '.join(sorted(known - others.keys()) or [own])})" if others else ""
        return measured(name, None, None, sum(others.values()) / total, told)


def _same_by_another_name(lake: Lake, compared: Comparison, other_model: Measure) -> Measure:
    """Of two profiles of one model, texts that both embedded tell whether it is: each profile has a model_version of its own."""
    _, texts, _ = drift.compare_twice_embedded(lake, compared)
    canaries = profiles_agree(lake, settings.profile(compared.profile), settings.profile(compared.baseline_profile))
    mean = texts if texts is not None else canaries
    if mean is None or 1 - mean > (rules.THRESHOLDS["twice_embedded"].limit or 0.0):
        return other_model
    return measured("other_model", None, None, 0.0, "another model_version of one model, which gives the same texts the same vectors")


def _twice_embedded(lake: Lake, compared: Comparison) -> Measure:
    if not compared.has_baseline or compared.baseline_profile != compared.profile:
        return unmeasured("twice_embedded", "no earlier state of the profile to compare with")
    count, mean, least = drift.compare_twice_embedded(lake, compared)
    if not count or mean is None or least is None:
        return unmeasured("twice_embedded", "no text was embedded twice")
    return measured("twice_embedded", 1.0, mean, 1 - mean, f"{count} texts embedded twice agree to {mean:.3f} (least {least:.3f})")


def _fidelity(lake: Lake, release: ReleaseRow) -> Measure:
    known = Fidelity.of(lake, release["release_id"])
    newest = known.newest
    if newest is None:
        return unmeasured("index_fidelity", f"the release {release['release_id']} was never compared with the record: run reconcile_index")
    told = f"{newest['fidelity']:.4%} of the index equalled the record at {newest['finished_at']:%Y-%m-%d %H:%M} UTC"
    drifted = 1 - newest["fidelity"] if is_low(newest, known.repaired) else 0.0
    repaired = ", repaired since" if newest["repair_sync_id"] in known.repaired else ""
    return measured("index_fidelity", 1.0, newest["fidelity"], drifted, f"{told}{repaired}")


def _recall(lake: Lake, service: IndexService, release: ReleaseRow) -> Measure:
    index = replace(service, patience=min(service.patience, INDEX_SECONDS)).open(IndexShape.of_release(release))
    found, probes = probe_recall(lake, index, release)
    # A sync that wrote meanwhile left neither the state before nor the one after it to compare with.
    if release["open_syncs"] or _live(lake, release["profile"]) != release:
        return unmeasured("index_recall", f"a sync is writing to the release {release['release_id']}: the daily run measures it")
    if _is_rolled_back_since(lake, release):
        return unmeasured("index_recall", f"a roll-back came after the state of {release['release_id']} and may have rejected its rows")
    return measured("index_recall", 1.0, found, 1 - found, f"the index answers {found:.1%} of the exact neighbours of {probes} records")


def _is_rolled_back_since(lake: Lake, release: ReleaseRow) -> bool:
    """Whether a roll-back since the release's state changed which rows count: what was exact then is not known any more."""
    held = drift.batch_number_at(lake, release["profile"], release["versions_snapshot"]) or 0
    rows = journal(lake).rows()
    return any(row["profile"] == release["profile"] and row["kind"] == ROLL_BACK and row["batch_number"] > held for row in rows)
