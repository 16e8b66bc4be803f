"""How a record of the index may differ from its row, and what a comparison of all of them amounts to."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from embedding_lakehouse.core.releases import ReleaseRow, release_named
from embedding_lakehouse.core.syncs import Sync
from embedding_lakehouse.core.texts import code
from embedding_lakehouse.errors import quoted

MISSING, ORPHANED, STALE, WRONG_PROFILE = "missing", "orphaned", "stale", "wrong_profile"
# So few differences are always mended without asking: 1% of a small index is less than one record.
FEW_RECORDS = 100
# A write is visible after seconds: a difference that is seen sooner after the comparison began is looked at once more.
SETTLE_SECONDS = 20.0
# The ids of our records are lowercase hex; what begins otherwise is foreign.
OUR_PREFIXES = "0123456789abcdef"
OTHER_PREFIXES = "".join(chr(code) for code in range(32, 127) if chr(code) not in OUR_PREFIXES)
GROUP_RECORDS = 20_000
CRC_SPACE = 2**32

Figures = dict[str, Any]


class Difference(NamedTuple):
    """Which kind of difference, and in words."""

    finding: str
    detail: str


def id_groups(expected_count: int) -> list[str]:
    """The first characters of ids, all that can be printed, in one group for each task that lists them: 1 to 17 groups."""
    size = len(OUR_PREFIXES)
    while size > 1 and expected_count * size > GROUP_RECORDS * len(OUR_PREFIXES):
        size //= 2
    ours = [OUR_PREFIXES[start : start + size] for start in range(0, len(OUR_PREFIXES), size)]
    return [*ours, OTHER_PREFIXES] if len(ours) > 1 else [OUR_PREFIXES + OTHER_PREFIXES]


def difference(vector: np.ndarray, receipt: dict[str, Any], values: np.ndarray | None, found: dict[str, Any]) -> Difference | None:
    """How a record differs from the vector and metadata that its row gives, vectors bit for bit; None where it does not.

    `values` is None, and `found` empty, for a record that the index does not hold.
    """
    if values is None:
        return Difference(MISSING, "is not there")
    if len(values) != len(vector):
        return Difference(WRONG_PROFILE, f"has {len(values)} dimensions instead of {len(vector)}")
    if found.get("model_version", receipt["model_version"]) != receipt["model_version"]:
        return Difference(
            WRONG_PROFILE, f"is of the model version {quoted(found['model_version'])} instead of {receipt['model_version']!r}"
        )
    details = []
    if values.tobytes() != vector.tobytes():
        details.append("has another vector than the lake")
    if keys := sorted(key for key in receipt.keys() | found.keys() if receipt.get(key) != found.get(key)):
        named = (key if len(key) <= LONGEST_KEY and key.isidentifier() else quoted(key) for key in keys[:SHOWN_KEYS])
        details.append(f"has other metadata than the lake: {', '.join(named)}")
    return Difference(STALE, " and ".join(details)) if details else None


# Of the metadata that somebody else put into a record, what a finding names.
SHOWN_KEYS, LONGEST_KEY = 20, 60


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of a release with the record. It travels between tasks as a dict.

    `expected` leads from nothing to the release's watermark: its changes are the records that the release should hold. `syncs_snapshot`
    is what `index_syncs` was before; `chunks_behind` is how much the lake is ahead of the watermark, which is no difference.
    """

    expected: Sync
    expected_count: int
    syncs_snapshot: int
    sample_share: float
    chunks_behind: int

    @classmethod
    def of_keys(cls, keys: dict[str, Any]) -> "Comparison":
        """The comparison that travelled as a dict."""
        return cls(**keys | {"expected": Sync(**keys["expected"])})

    def as_keys(self) -> dict[str, Any]:
        """The comparison as XCom carries it."""
        return asdict(self)

    @property
    def reconciliation_id(self) -> str:
        """The comparison's id, under which its expected records and its findings are kept."""
        return self.expected.sync_id

    @property
    def is_sample(self) -> bool:
        """Whether only a share of the records is fetched; the ids are compared all the same."""
        return self.sample_share < 1

    def includes(self, record_id: str) -> bool:
        """Whether the record is fetched: another share in each comparison, the same one whenever it is asked."""
        # By a hash of both, since a share of the ids' own digits would be the same records each night.
        return crc32(f"{self.reconciliation_id}{record_id}".encode()) < self.sample_share * CRC_SPACE

    def settled_at(self, settle: float) -> datetime:
        """From when on the index shows everything that was written before the comparison began."""
        return datetime.fromisoformat(self.expected.started_at) + timedelta(seconds=settle)


def differing(counts: Figures) -> int:
    """Records that differ, of all kinds."""
    return sum(counts[f"{finding}_count"] for finding in (MISSING, ORPHANED, STALE, WRONG_PROFILE))


def fidelity(counts: Figures) -> float:
    """The share of the expected and the orphaned records that are equal, from 0 to 1; 1 for none at all.

    Of a sample the share of differing ones stands for all records that are there.
    """
    present = counts["expected_count"] - counts["missing_count"]
    differing: float = counts["stale_count"] + counts["wrong_profile_count"]
    if counts["is_sample"]:
        differing *= present / max(1, counts["compared_count"])
    everything = counts["expected_count"] + counts["orphaned_count"]
    return (present - differing) / everything if everything else 1.0


def repairable(counts: Figures) -> int:
    """Records that a repair writes or removes: none is removed where the listing was not read to its end."""
    return differing(counts) - (0 if counts["is_complete"] else counts["orphaned_count"])


def allowed(counts: Figures, repair_limit: float) -> int:
    """Records that may be written and removed without asking: a share of the expected ones, and always a few."""
    return max(FEW_RECORDS, int(counts["expected_count"] * repair_limit))


def corrected(rows: list[ReleaseRow], comparison: Comparison, id_checksum: str, moment: datetime) -> list[ReleaseRow]:
    """The release's row with the count and checksum of what it should hold; nothing where they are right, or a sync moved it since."""
    row = release_named(rows, comparison.expected.release_id)
    right = {"record_count": comparison.expected_count, "id_checksum": id_checksum}
    if row["open_syncs"] or row["versions_snapshot"] != comparison.expected.versions_after or right.items() <= row.items():
        return []
    return [row | right | {"updated_at": moment}]


def described(counts: Figures, repair_limit: float, examples: Iterable[tuple[str, ...]]) -> str:
    """The repair in Markdown, for who is to approve it: what was found, what would be written and removed, and some of each."""
    removed = counts["orphaned_count"] if counts["is_complete"] else 0
    lines = [
        f"Namespace {counts['namespace']} of index {counts['index_name']} is to hold {counts['expected_count']} records; "
        f"{counts['fidelity']:.4%} of what it holds and should hold is equal (comparison {counts['reconciliation_id']}).",
        "",
        *(f"- {finding}: {counts[f'{finding}_count']}" for finding in (MISSING, ORPHANED, STALE, WRONG_PROFILE)),
        f"- left alone, since a sync wrote there meanwhile: {counts['newer_count']}",
        "",
        f"The repair writes {repairable(counts) - removed} records from the lake and removes {removed}; without asking it may change "
        f"{allowed(counts, repair_limit)}.",
    ]
    if not counts["is_complete"]:
        lines.append("The listing could not be read to its end: nothing is removed.")
    if counts["is_sample"]:
        lines.append(f"Only {counts['compared_count']} records were fetched: there may be more that differ.")
    return "\n".join([*lines, "", *(f"- {code(record_id)} {finding}: {code(detail)}" for finding, record_id, detail in examples)])
