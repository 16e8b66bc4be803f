"""Measure both states of a comparison: their documents, texts and vectors. Each step answers a list of measures."""

from typing import Any

from embedding_lakehouse.clients import drift
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.core import drift_measures as rules
from embedding_lakehouse.core.drift_baselines import Comparison
from embedding_lakehouse.core.drift_measures import measured, unmeasured

Measures = list[dict[str, Any]]


def measure_documents(comparison: dict[str, Any], lake: Lake | None = None) -> Measures:
    """What became of the documents: changed, cut anew, and how many chunks they have."""
    compared = Comparison(**comparison)
    if not compared.has_baseline:
        return []
    counts = compared.counts
    documents = max(1, counts["documents_before"] + counts["added"])
    changed = counts["added"] + counts["removed"] + counts["edited"]
    told = f"{changed} of {documents} documents changed ({counts['added']} new, {counts['edited']} edited, {counts['removed']} gone)"
    recut = counts["rechunked"] / max(1, counts["unchanged"])
    told_recut = f"{counts['rechunked']} of {counts['unchanged']} unchanged documents were cut otherwise"
    by_chance = rules.stability_by_chance(counts["documents_before"], counts["documents_after"])
    bins = drift.bin_chunk_counts(lake or connect(), compared)["chunks_per_document"]
    before, after = (counts[f"chunks_{side}"] / max(1, counts[f"documents_{side}"]) for side in ("before", "after"))
    told_chunks = f"chunks of a document went from {before:.1f} to {after:.1f} on average"
    return [
        measured("changed_documents", counts["documents_before"], counts["documents_after"], changed / documents, told).as_keys(),
        measured("rechunked_documents", None, None, recut, told_recut).as_keys(),
        measured("chunks_per_document", before, after, rules.stability_index(bins), told_chunks, by_chance).as_keys(),
    ]


def measure_texts(comparison: dict[str, Any], lake: Lake | None = None) -> Measures:
    """How the sampled texts are distributed: their length, and what the model's tokens say of them."""
    compared = Comparison(**comparison)
    if not compared.has_baseline:
        return []
    bins, by_chance = drift.bin_texts(lake or connect(), compared), _by_chance(compared)
    named = {"chunk_length": "the length of chunks", "tokens_per_text": "the tokens in a hundred characters"}
    return [_shifted(measure, rules.stability_index(bins[measure]), told, by_chance) for measure, told in named.items()]


def measure_vectors(comparison: dict[str, Any], lake: Lake | None = None) -> Measures:
    """How the sampled vectors lie: their centroid, norms, distances and directions, and how many are nearly the same."""
    compared, lake = Comparison(**comparison), lake or connect()
    if not compared.has_baseline:
        return []
    if not compared.is_comparable:
        why = f"not comparable: {compared.baseline_profile} embeds with another model"
        names = ("centroid_distance", "distance_to_centroid", "projections", "norm_mean", "norm_spread", "near_duplicates")
        return [unmeasured(name, why).as_keys() for name in names]
    by_chance = _by_chance(compared)
    distances = rules.stability_index(drift.bin_distances(lake, compared)["distance_to_centroid"])
    directions = [rules.stability_index(bins) for bins in drift.bin_projections(lake, compared).values()]
    known = [index for index in directions if index is not None]
    projections = sum(known) / len(known) if known else None
    return [
        *_centroids(lake, compared),
        _shifted("distance_to_centroid", distances, "the distance of vectors to their centroid", by_chance),
        _shifted("projections", projections, "the place of vectors along fixed directions", by_chance),
        _near_duplicates(lake, compared),
    ]


def _by_chance(compared: Comparison) -> float:
    sampled = compared.sampled or {}
    return rules.stability_by_chance(sampled["documents_before"], sampled["documents_after"])


def _shifted(measure: str, index: float | None, told: str, by_chance: float) -> dict[str, Any]:
    detail = f"{told} moved (stability index {index:.2f})" if index is not None else f"{told} cannot be compared"
    return measured(measure, None, None, index, detail, by_chance).as_keys()


def _centroids(lake: Lake, compared: Comparison) -> Measures:
    distance, length_before, length_after, norm_before, norm_after, spread_before, spread_after = drift.compare_centroids(lake, compared)
    sampled = compared.sampled or {}
    by_chance = rules.distance_by_chance(length_before, sampled["documents_before"], sampled["documents_after"])
    if distance is None or not norm_before or norm_after is None or spread_before is None or spread_after is None:
        return [unmeasured(name, "a state has no vectors").as_keys() for name in ("centroid_distance", "norm_mean", "norm_spread")]
    mean_by_chance, spread_by_chance = rules.norms_by_chance(
        spread_before / norm_before, sampled["documents_before"], sampled["documents_after"]
    )
    norms = f"the mean norm of vectors went from {norm_before:.3f} to {norm_after:.3f}"
    spreads = f"the spread of norms went from {spread_before:.3f} to {spread_after:.3f}"
    distances = f"the centroid moved by {distance:.3f}"
    return [
        measured("centroid_distance", length_before, length_after, distance, distances, by_chance).as_keys(),
        measured("norm_mean", norm_before, norm_after, abs(norm_after / norm_before - 1), norms, mean_by_chance).as_keys(),
        measured(
            "norm_spread", spread_before, spread_after, abs(spread_after - spread_before) / norm_before, spreads, spread_by_chance
        ).as_keys(),
    ]


def _near_duplicates(lake: Lake, compared: Comparison) -> dict[str, Any]:
    before, after, twins_before, twins_after = drift.count_near_duplicates(lake, compared)
    shares = twins_before / max(1, before), twins_after / max(1, after)
    told = f"the share of near duplicates went from {shares[0]:.1%} to {shares[1]:.1%}"
    sampled = compared.sampled or {}
    by_chance = rules.share_by_chance(sum(shares) / 2, sampled["documents_before"], sampled["documents_after"])
    return measured("near_duplicates", shares[0], shares[1], shares[1] - shares[0], told, by_chance).as_keys()
