"""The verdict over the measures of a run: is it drift, from which cause, since when. Pure rules."""

from collections.abc import Iterable
from dataclasses import dataclass

from embedding_lakehouse.core.drift_measures import CHUNKING, INDEX, MODEL, PROVIDER, SOURCE, Measure

# The likeliest first: another model explains every other figure, a splitter those of the texts, a provider those of the vectors.
CAUSES = (MODEL, CHUNKING, PROVIDER, SOURCE, INDEX)
LENGTHS = ("chunks_per_document", "chunk_length")
TEXTS = (*LENGTHS, "tokens_per_text", "near_duplicates")
VECTORS = ("centroid_distance", "distance_to_centroid", "projections", "norm_mean", "norm_spread")
# Below this share of changed documents, edits do not explain that the whole moved.
LEAST_CHANGED = 0.01


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run concluded: the causes, the likeliest first, and the sentence."""

    causes: list[str]
    sentence: str

    @property
    def is_drift(self) -> bool:
        return bool(self.causes)


def causes(measures: Iterable[Measure]) -> list[str]:
    """The causes that the measures name, the likeliest first.

    Moved vectors are explained by another model, splitter or provider where one of these is seen; else by the documents that changed. Where
    next to none did, the provider moved them. Moved lengths are the splitter's where it is seen to have changed.
    """
    found = {measure.measure: measure for measure in measures}
    exceeded = {name for name, measure in found.items() if measure.is_exceeded}
    named = {str(found[name].cause) for name in exceeded if found[name].cause not in (None, SOURCE)}
    moved = exceeded & {*TEXTS, *VECTORS}
    if CHUNKING in named:
        moved -= set(LENGTHS)
    if named & {MODEL, CHUNKING, PROVIDER}:
        # Near duplicates are told by the vectors.
        moved -= {*VECTORS, "near_duplicates"}
    changed = found.get("changed_documents")
    if moved and changed and (changed.drift or 0) >= LEAST_CHANGED:
        named.add(SOURCE)
    elif moved:
        named.add(CHUNKING if moved <= set(LENGTHS) else PROVIDER)
    return [cause for cause in CAUSES if cause in named]


def conclude(measures: list[Measure], named_baseline: str, since_batch: str) -> Verdict:
    """The verdict over all measures of a run."""
    found = causes(measures)
    changed = next((measure.detail for measure in measures if measure.measure == "changed_documents" and measure.detail), "")
    told = [measure.detail for measure in measures if measure.is_exceeded and measure.detail]
    parts = [part for part in (*told, changed) if part]
    if not found:
        return Verdict([], "; ".join([f"no drift against {named_baseline}", *parts]))
    named = " and ".join(f"{cause} change" if cause != INDEX else "index fault" for cause in found)
    return Verdict(found, "; ".join([f"retrieval drift since batch {since_batch}: {named}", *parts]))
