"""What maintenance may touch: how long what is kept, from which moment on nothing goes, and when rewriting is worth its cost."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from embedding_lakehouse.core.batches import OPEN_STATES, BatchRow
from embedding_lakehouse.core.releases import BUILDING, VERIFIED, ReleaseRow
from embedding_lakehouse.errors import InputError

MEGABYTE = 1_000_000
# Trino and PyIceberg write manifests of about this size.
MANIFEST_BYTES = 8 * MEGABYTE


@dataclass(frozen=True, slots=True)
class Rules:
    """What a run of `maintain_tables` was asked: sizes in megabytes, ages from its own start."""

    target_megabytes: int = 128
    small_files: int = 8
    snapshot_age: timedelta = timedelta(days=7)
    receipt_age: timedelta = timedelta(days=365)
    orphan_age: timedelta = timedelta(days=3)
    is_dry_run: bool = True

    @classmethod
    def of_params(cls, params: Mapping[str, Any], is_dry_run: bool) -> "Rules":
        """The rules of a filled form. Raises InputError where receipts would outlive no snapshot of their source."""
        if params["receipt_days"] < params["snapshot_days"]:
            raise InputError(
                f"receipt_days is {params['receipt_days']}, less than the {params['snapshot_days']} of snapshot_days: give it as many"
            )
        ages = {f"{name}_age": timedelta(days=params[f"{name}_days"]) for name in ("snapshot", "receipt", "orphan")}
        return cls(params["target_megabytes"], params["small_files"], **ages, is_dry_run=is_dry_run)

    @classmethod
    def of_keys(cls, keys: Mapping[str, Any]) -> "Rules":
        """The rules as XCom carried them."""
        ages = {name: timedelta(seconds=keys[name]) for name in ("snapshot_age", "receipt_age", "orphan_age")}
        return cls(**{**keys, **ages})

    def as_keys(self) -> dict[str, Any]:
        """The rules as XCom carries them: ages in seconds."""
        return {name: value.total_seconds() if isinstance(value, timedelta) else value for name, value in asdict(self).items()}

    @property
    def target_bytes(self) -> int:
        return self.target_megabytes * MEGABYTE


@dataclass(frozen=True, slots=True)
class Figures:
    """A table as it stands: what its head needs to be read, what history it keeps, and what its folder holds in all."""

    row_count: int
    data_file_count: int
    data_bytes: int
    delete_file_count: int
    most_small_files: int
    small_file_count: int
    manifest_count: int
    manifest_bytes: int
    snapshot_count: int
    tag_count: int
    metadata_bytes: int
    stored_file_count: int
    stored_bytes: int
    planning_seconds: float


def keeps_from(batches: Iterable[BatchRow], releases: Iterable[ReleaseRow], now: datetime, age: timedelta) -> datetime:
    """The moment since when every state of every table stays: `age` ago, or the beginning of the oldest work that is under way."""
    begun = [row["planned_at"] for row in batches if row["state"] in OPEN_STATES]
    begun += [row["created_at"] for row in releases if row["state"] in (BUILDING, VERIFIED)]
    return min([now - age, *(moment for moment in begun if moment)])


def is_compaction_worth_it(figures: Figures, rules: Rules) -> bool:
    """Whether one partition has so many small files, or the table so many files of deleted rows, that rewriting pays."""
    return max(figures.most_small_files, figures.delete_file_count) >= rules.small_files


def is_manifest_compaction_worth_it(figures: Figures, rules: Rules) -> bool:
    """Whether planning reads far more manifests than their size needs."""
    return figures.manifest_count >= max(rules.small_files, 2 * ceil(figures.manifest_bytes / MANIFEST_BYTES))


def made_at(key: str) -> datetime | None:
    """When a batch, ingestion, sync or comparison of that id began, which its id says; None for an id of another form."""
    stamp = key.partition("-")[0]
    try:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def finished_keys(keys: Iterable[str], needed: Iterable[str], before: datetime) -> list[str]:
    """The ids begun before a moment that are not needed any more. An id that does not say when it began is left alone."""
    unneeded = sorted(set(keys) - set(needed))
    return [key for key in unneeded if (begun := made_at(key)) and begun < before]


def history_to_keep(states: Iterable[tuple[int, Any]]) -> list[int]:
    """Of (snapshot, what it says), oldest first, the snapshots by which something else was said than before."""
    kept: list[int] = []
    said: Any = object()
    for snapshot, state in states:
        if state != said:
            kept.append(snapshot)
            said = state
    return kept


@dataclass(slots=True)
class Done:
    """What was done to a table, or would be; `left` says what is left for the next run, and why."""

    is_compacted: bool = False
    are_manifests_compacted: bool = False
    finished_keys: int = 0
    branches_dropped: int = 0
    tags_made: int = 0
    tags_dropped: int = 0
    snapshots_expired: int = 0
    files_removed: int = 0
    bytes_removed: int = 0
    left: list[str] = field(default_factory=list)

    def as_columns(self) -> dict[str, Any]:
        """The same as columns of `maintenance_runs`."""
        columns = asdict(self)
        return {"message": "; ".join(columns.pop("left")) or None, **columns}


def described(name: str, before: Figures, after: Figures, done: Done, is_dry_run: bool) -> str:
    """What became of a table, in a few lines."""
    would = "would have " if is_dry_run else ""
    acts = [
        f"{would}rewritten its small files" if done.is_compacted else "",
        f"{would}rewritten its manifests" if done.are_manifests_compacted else "",
        f"{would}removed the staged rows of {done.finished_keys:,} pieces of finished work" if done.finished_keys else "",
        f"{would}dropped {done.branches_dropped:,} branches of finished batches" if done.branches_dropped else "",
        f"{would}made {done.tags_made:,} tags and dropped {done.tags_dropped:,}" if done.tags_made or done.tags_dropped else "",
        f"{would}let {done.snapshots_expired:,} snapshots expire" if done.snapshots_expired else "",
        f"{would}removed {done.files_removed:,} files of {size(done.bytes_removed)}" if done.files_removed else "",
    ]
    lines = [
        f"{name}: {', '.join(act for act in acts if act) or 'nothing to do'}",
        f"  to be read:  {_pair(before.data_file_count, after.data_file_count)} data files of "
        f"{size(before.data_bytes)} -> {size(after.data_bytes)}, "
        f"{_pair(before.delete_file_count, after.delete_file_count)} files of deletes, "
        f"{_pair(before.manifest_count, after.manifest_count)} manifests, "
        f"planned in {before.planning_seconds:.3f} -> {after.planning_seconds:.3f} s",
        f"  kept:        {_pair(before.snapshot_count, after.snapshot_count)} snapshots, "
        f"{_pair(before.stored_file_count, after.stored_file_count)} files of {size(before.stored_bytes)} -> {size(after.stored_bytes)}, "
        f"metadata file of {size(before.metadata_bytes)} -> {size(after.metadata_bytes)}",
        *(f"  left:        {reason}" for reason in done.left),
    ]
    return "\n".join(lines)


def size(count: int) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count = count / 1000  # type: ignore[assignment]
    return f"{count:,.1f} TB"


def _pair(before: int, after: int) -> str:
    return f"{before:,} -> {after:,}"
