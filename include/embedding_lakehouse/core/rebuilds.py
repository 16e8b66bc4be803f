"""What a rebuild will do and cost, whether it may go on with what an earlier one left, and what its checks found."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.releases import BUILDING, VERIFIED, ReleaseRow
from embedding_lakehouse.core.texts import LONGEST_TEXT, has_controls, is_writable
from embedding_lakehouse.errors import ConfigurationError, ConflictError, quoted

AUTO, UPSERTS, IMPORT = "auto", "upserts", "import"
METHODS = (AUTO, UPSERTS, IMPORT)
# An import takes ten minutes at least, in which a million records are upserted as well.
IMPORT_RECORDS = 1_000_000
# Where no sync of the profile was measured: the shortest text of a float32, and the rest of a record, in bytes.
FLOAT_BYTES, RECEIPT_BYTES = 11, 1_500
BODY_BYTES = 2_000_000
NEIGHBOURS = 10
# Products of numbers for which exact neighbours are computed: minutes on the engine's single core.
MOST_PRODUCTS = 10_000_000_000
MOST_PROBES, LEAST_PROBES = 50, 5


@dataclass(frozen=True, slots=True)
class Measured:
    """What the profile's last syncs took altogether: records, bytes, seconds."""

    records: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RebuildPlan:
    """What a rebuild will do and cost. It travels between tasks as a dict; `seconds` is None where nothing was measured yet."""

    profile: str
    live_release: str
    resumed_release: str | None
    as_of: str
    is_pinned: bool
    versions_snapshot: int
    embeddings_snapshot: int
    documents: int
    records: int
    bytes: int
    requests: int
    seconds: float | None
    method: str
    why: str
    texts_embedded: int = 0

    def as_keys(self) -> dict[str, Any]:
        """The plan as XCom carries it."""
        return asdict(self)

    def __str__(self) -> str:
        time = f"about {self.seconds:,.0f} seconds" if self.seconds is not None else "no sync was measured yet, so no estimate of the time"
        goes_on = f" goes on with {self.resumed_release}," if self.resumed_release else ""
        return (
            f"rebuild of {self.profile} as of {self.as_of}:{goes_on} {self.documents:,} documents, {self.records:,} records, "
            f"{self.bytes / 1e6:,.1f} MB in {self.requests:,} requests, {time}; by {self.method} ({self.why}); {self.texts_embedded} texts "
            f"embedded; {self.live_release} stays live until the new release is verified"
            + (", which then stays at that moment" if self.is_pinned else "")
        )


def checked_method(method: str) -> str:
    """How a namespace is to be filled. Raises ConfigurationError for another way than those there are."""
    if method not in METHODS:
        raise ConfigurationError(f"there is no method {quoted(method)}: fill a namespace by one of {', '.join(METHODS)}")
    return method


def checked_uri(uri: str) -> str:
    """The folder for an import's files, empty for the default one. Raises ConfigurationError for what is no such address."""
    parts = uri.partition("://")[2].split("/") if "://" in uri else uri.split("/")
    is_address = uri.startswith("/") or (re.match(r"(file|s3|s3a|s3n|gs|abfss?)://[^/]", uri) or uri.startswith("file:///"))
    if uri and (not is_address or ".." in parts or has_controls(uri) or not is_writable(uri) or len(uri) > LONGEST_TEXT):
        raise ConfigurationError(f"import_uri is {quoted(uri)}: write an absolute folder or s3://bucket/prefix, without `..`")
    return uri


def estimate(profile: Profile, records: int, measured: Measured) -> tuple[int, int, float | None]:
    """Bytes, requests and seconds for so many records, by what the profile's syncs took."""
    if not measured.records:
        size = records * (profile.dimensions * FLOAT_BYTES + RECEIPT_BYTES)
        return size, -(-size // BODY_BYTES), None
    size = records * measured.bytes // measured.records
    return size, -(-size // BODY_BYTES), records * measured.seconds / measured.records


def choose_method(wanted: str, records: int, has_imports: bool, uri: str) -> tuple[str, str]:
    """How the namespace is filled, and why. Raises ConfigurationError for an import that the service does not offer."""
    if wanted == IMPORT and not has_imports:
        raise ConfigurationError("this Pinecone project has no bulk imports: trigger rebuild_index with method=upserts")
    if wanted != AUTO:
        return wanted, "as asked for"
    if not has_imports:
        return UPSERTS, "the service has no bulk imports here"
    if not uri.startswith("s3://"):
        return UPSERTS, "a bulk import reads from S3, and the staging folder is elsewhere"
    if records < IMPORT_RECORDS:
        return UPSERTS, f"an import pays from {IMPORT_RECORDS:,} records on"
    return IMPORT, f"{IMPORT_RECORDS:,} records or more"


def unswitched(rows: list[ReleaseRow], profile: str) -> ReleaseRow | None:
    """The profile's release that was begun and never became live, if there is one."""
    return next((row for row in rows if row["profile"] == profile and row["state"] in (BUILDING, VERIFIED)), None)


def check_resumable(row: ReleaseRow, is_pinned: bool, versions_snapshot: int, built_from: int | None, method: str) -> None:
    """Raise ConflictError where the release that an earlier run left is not what this run is to build.

    One that follows the lake can be gone on with whatever the lake is now: it catches up before it becomes the live one.
    """
    name = row["release_id"]
    way_out = f"trigger rebuild_index with discard_building to drop {name} first, or with what {name} was begun with"
    if bool(row["is_pinned"]) != is_pinned or (is_pinned and built_from not in (None, versions_snapshot)):
        was = f"as of snapshot {built_from}" if row["is_pinned"] else "as of now"
        raise ConflictError(f"an earlier run left the release {name} ({row['state']}), which it was building {was}: {way_out}")
    if method not in (AUTO, row["method"]):
        raise ConflictError(f"an earlier run left the release {name} ({row['state']}), filled by {row['method']}: {way_out}")


def differences(expected: Iterable[str], found: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Where two rising sequences of ids differ: (`missing` or `foreign`, id), in order, in no memory to speak of."""
    wanted, held = iter(expected), iter(found)
    left, right = next(wanted, None), next(held, None)
    while left is not None or right is not None:
        if left == right:
            left, right = next(wanted, None), next(held, None)
        elif right is None or (left is not None and left < right):
            yield "missing", left or ""
            left = next(wanted, None)
        else:
            yield "foreign", right
            right = next(held, None)


def probe_count(records: int, dimensions: int) -> int:
    """Probes for which exact neighbours are affordable: 5 to 50, and never more than there are records."""
    affordable = MOST_PRODUCTS // max(1, records * dimensions)
    return min(records, max(LEAST_PROBES, min(MOST_PROBES, affordable)))


def recall(exact: dict[str, set[str]], answered: dict[str, list[str]], records: int) -> float:
    """The share of the ten nearest neighbours of each probe that its answer holds; `exact` has all that tie with the tenth."""
    possible = min(NEIGHBOURS, records)
    found = [min(possible, len(exact[probe] & set(answered[probe]))) / possible for probe in exact]
    return sum(found) / len(found)
