"""What `make bench` measured, as the simulator needs it, out of `results.json`."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.capacity.slopes import Check, Point, Slope, check, fit_phases
from embedding_lakehouse.errors import ConfigurationError

PHASES = ("detect", "plan", "chunk", "price", "embed", "commit", "audit", "publish", "sync plan")
# Of the rows and records whose sizes and speeds were measured.
DIMENSIONS = 1_536
NUMBER = re.compile(r"\d[\d,]*(\.\d+)?")

Results = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """Slopes by phase, and sizes in bytes, speeds of one task. `texts_per_changed` are those of a changed document under the slopes."""

    slopes: dict[str, Slope]
    checks: list[Check]
    largest_documents: int
    largest_changed: int
    texts_per_changed: float
    model_seconds_per_text: float
    chunks_per_document: float
    tokens_per_chunk: float
    chunk_share_per_edit: float
    row_bytes: float
    rows_per_second: float
    record_bytes: float
    records_per_second: float
    verify_seconds_per_record: float
    task_bytes: float
    runs: dict[str, str]


def read_results(file: Path) -> Results:
    """What `make bench` wrote; nothing of no file. Raises ConfigurationError for a file that is something else."""
    try:
        found = json.loads(file.read_text()) if file.exists() else {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}; run `make bench`, which writes it") from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"{file} is not what `make bench` writes: run it again")
    return found


def measured(results: Results) -> Measured:
    """What the report holds. Raises ConfigurationError that names the group which must be measured first."""
    grown = _section(results, "scale").get("data")
    if not grown or not grown.get("points"):
        raise _missing("scale", "its `data`, how the steps grow")
    cold = list(_cold_points(results))
    points: list[Point] = [*grown["points"], *cold]
    if lacking := set(PHASES) - {phase for point in points for phase in point["phases"]}:
        raise _missing("scale", f"its phase {min(lacking)!r}")
    first = max(cold, key=lambda point: point["documents"])
    synced, rebuilt = (_cell(results, "undo", row, "s at the index") for row in ("first run: embed and sync", "rebuild from the record"))
    chunks, tokens = (_number(part) for part in _section(results, "models")["tables"][0]["title"].split(" chunks, "))
    peaks = [peak for point in points for peak in point.get("peaks", {}).values()]
    return Measured(
        slopes=fit_phases(points),
        checks=check(grown["points"], grown.get("quiet", ())),
        largest_documents=max(point["documents"] for point in points),
        largest_changed=max(point["changed"] for point in points),
        texts_per_changed=sum(point["texts"] for point in points) / sum(point["changed"] for point in points),
        model_seconds_per_text=first["embedder"] / first["texts"],
        chunks_per_document=first["texts"] / first["documents"],
        tokens_per_chunk=tokens / chunks,
        chunk_share_per_edit=_section(results, "edits")["figures"][0]["value"]["median"],
        row_bytes=_cell(results, "writing", "our parts, registered", "bytes a row"),
        rows_per_second=_cell(results, "writing", "our parts, registered", "rows a second"),
        record_bytes=_cell(results, "payload", "our records, packed", "bytes a vector"),
        records_per_second=_cell(results, "payload", "our records, packed", "vectors a second"),
        verify_seconds_per_record=max(0.0, rebuilt - synced) / _cell(results, "undo", "first run: embed and sync", "texts embedded"),
        task_bytes=max(_section(results, "memory")["figures"][0]["value"]["median"] * 1e9, *peaks, 0),
        runs={name: f"{section['run']['at']}, {section['run']['commit']}" for name, section in results.items() if "run" in section},
    )


def _cold_points(results: Results) -> Iterator[dict[str, Any]]:
    """First runs: everything changed, the largest changes that were measured."""
    table = _section(results, "cold")["tables"][0]
    for cells in (dict(zip(table["columns"], row, strict=True)) for row in table["rows"]):
        if cells[""] == "ours":
            documents = int(_number(cells["corpus"]))
            phases = {
                part.rpartition(" ")[0]: float(part.rpartition(" ")[2].replace(",", "")) for part in cells["its parts, s"].split(", ")
            }
            texts, inside = int(_number(cells["texts embedded"])), _number(cells["inside the embedder, s"])
            yield {"documents": documents, "changed": documents, "texts": texts, "phases": phases, "embedder": inside}


def _section(results: Results, group: str) -> dict[str, Any]:
    if group not in results:
        raise _missing(group, f"the group {group}")
    section: dict[str, Any] = results[group]
    return section


def _cell(results: Results, group: str, row: str, column: str) -> float:
    """The first number in a cell of the group's first table."""
    table = _section(results, group)["tables"][0]
    for cells in table["rows"]:
        if cells[0] == row and column in table["columns"]:
            return _number(cells[table["columns"].index(column)])
    raise _missing(group, f"{column!r} of {row!r}")


def _number(text: str) -> float:
    found = NUMBER.search(text)
    return float(found[0].replace(",", "")) if found else 0.0


def _missing(group: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"results.json does not have {what}: run `make bench GROUP={group}` first")
