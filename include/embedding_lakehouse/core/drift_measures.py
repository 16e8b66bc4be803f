"""The measures of drift, each with its threshold, and how figures become measures: declared once, without I/O."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import log, sqrt
from typing import Any, NamedTuple

SOURCE, CHUNKING, MODEL, PROVIDER, INDEX = "source", "chunking", "model", "provider", "index"


class Threshold(NamedTuple):
    """The drift from which a measure is exceeded, the cause that it speaks for (None: it only says how much), and why it is so high."""

    limit: float | None
    cause: str | None
    reason: str


THRESHOLDS = {
    "changed_documents": Threshold(None, SOURCE, "how much was edited is no drift by itself: texts and vectors decide"),
    "chunks_per_document": Threshold(0.25, SOURCE, "a stability index above 0.25 counts as another population (Siddiqi 2006)"),
    "chunk_length": Threshold(0.25, SOURCE, "the same"),
    "tokens_per_text": Threshold(0.25, SOURCE, "the same; another language or a broken encoding moves it first"),
    "near_duplicates": Threshold(0.1, SOURCE, "a tenth of the corpus more that is like another text crowds answers of ten"),
    "centroid_distance": Threshold(0.05, None, "months of real edits of a documentation moved it by less than half of that"),
    "distance_to_centroid": Threshold(0.25, None, "a stability index above 0.25 counts as another population"),
    "projections": Threshold(0.25, None, "the same, as the mean over the directions"),
    "norm_mean": Threshold(0.05, None, "a metric that heeds lengths ranks otherwise from some hundredths on"),
    "norm_spread": Threshold(0.05, None, "the same, against the mean norm"),
    "rechunked_documents": Threshold(0.01, CHUNKING, "the same text is cut the same way: anything above a stray row is another splitter"),
    "other_chunking": Threshold(0.01, CHUNKING, "one strategy cuts one profile: anything above a stray row is another one"),
    "other_model": Threshold(0.01, MODEL, "one model makes one profile's vectors: anything above a stray row is another one"),
    "canary_cosine": Threshold(
        0.001, PROVIDER, "the same model answers to 0.0001 even where it computes in other batches; others differ by 0.01"
    ),
    "twice_embedded": Threshold(0.001, PROVIDER, "the same"),
    "index_fidelity": Threshold(0.001, INDEX, "one record in a thousand that is wrong or missing, and was not repaired"),
    "index_recall": Threshold(0.05, INDEX, "what a release is verified by: nineteen of twenty exact neighbours are answered"),
}
# The 0.999 quantile of chi-square with 9 degrees of freedom: of a stability index over ten bins, by chance, in units of 1/n + 1/m.
CHANCE = 27.88
# The same quantile of the normal distribution.
QUANTILE = 3.09
# So far from the expected distance by chance that a direction of hundreds of dimensions never gets there.
CHANCE_DISTANCES = 2.0


@dataclass(frozen=True, slots=True)
class Measure:
    """A measured figure: its values before and now, how far they are apart, and from where on that is too far."""

    measure: str
    baseline_value: float | None = None
    current_value: float | None = None
    drift: float | None = None
    detail: str = ""
    threshold: float | None = None
    cause: str | None = None

    @property
    def is_exceeded(self) -> bool:
        """Whether the drift is beyond the threshold; what could not be measured is not."""
        # 1 - 0.999 is a little more than 0.001.
        return self.drift is not None and self.threshold is not None and round(self.drift - self.threshold, 9) > 0

    def as_keys(self) -> dict[str, Any]:
        """The measure as XCom carries it and the table keeps it."""
        return asdict(self) | {"is_exceeded": self.is_exceeded}

    @classmethod
    def of_keys(cls, keys: dict[str, Any]) -> "Measure":
        """The measure that travelled as keys."""
        return cls(**{name: value for name, value in keys.items() if name != "is_exceeded"})


def measured(
    measure: str, baseline: float | None, current: float | None, drift: float | None, detail: str = "", by_chance: float = 0.0
) -> Measure:
    """The measure with its declared cause and threshold; `by_chance` is how far apart two samples of one population may be."""
    declared = THRESHOLDS[measure]
    limit = None if declared.limit is None else declared.limit + by_chance
    return Measure(measure, baseline, current, drift, detail, limit, declared.cause)


def unmeasured(measure: str, why: str) -> Measure:
    """A measure that could not be taken, which exceeds nothing."""
    return measured(measure, None, None, None, why)


def stability_index(bins: Iterable[tuple[int, int]]) -> float | None:
    """The population stability index of counts (baseline, current) by bin: sum of (q - p) ln(q / p) over their shares p and q.

    Half a count more in each bin keeps an empty one finite. None where a state has nothing. Source: Siddiqi, Credit risk scorecards, 2006.
    """
    counts = list(bins)
    before, after = (sum(pair[side] for pair in counts) for side in (0, 1))
    if not before or not after:
        return None
    shares = [((one + 0.5) / (before + 0.5 * len(counts)), (other + 0.5) / (after + 0.5 * len(counts))) for one, other in counts]
    return sum((now - then) * log(now / then) for then, now in shares)


def stability_by_chance(documents_before: int, documents_after: int) -> float:
    """What a stability index of two samples of one population stays below in 999 of 1,000 cases.

    Documents are counted, not chunks, since the chunks of a document are alike. Source: Yurdakul and Naranjo, Statistical properties of the
    population stability index, 2020.
    """
    return CHANCE * (1 / max(1, documents_before) + 1 / max(1, documents_after))


def share_by_chance(share: float, documents_before: int, documents_after: int) -> float:
    """How far two samples of one population may differ in a share, in 999 of 1,000 cases (normal approximation, one side)."""
    return QUANTILE * sqrt(share * (1 - share) * (1 / max(1, documents_before) + 1 / max(1, documents_after)))


def norms_by_chance(spread: float, documents_before: int, documents_after: int) -> tuple[float, float]:
    """How far mean and spread of the norms of two samples of one population may differ, all against the mean norm.

    The mean of n values strays by spread / sqrt(n), their standard deviation by spread / sqrt(2n).
    """
    strayed = QUANTILE * spread * sqrt(1 / max(1, documents_before) + 1 / max(1, documents_after))
    return strayed, strayed / sqrt(2)


def distance_by_chance(length: float | None, documents_before: int, documents_after: int) -> float:
    """How far the centroids of two samples of one population may be apart (cosine distance), `length` being that of the baseline's.

    The mean of n vectors of length 1 strays by (1 - length^2) / n, and a small angle has a cosine distance of half its square.
    """
    if not length:
        return 0.0
    strayed = (1 - min(1.0, length) ** 2) / length**2 / 2
    return CHANCE_DISTANCES * strayed * (1 / max(1, documents_before) + 1 / max(1, documents_after))
