"""What the index answers, beside what it should: its newest comparison with the record, and its answers beside exact neighbours."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import islice
from typing import Any

from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import VectorIndex
from embedding_lakehouse.clients.rebuilds import best_neighbours, release_ids
from embedding_lakehouse.clients.sync_plans import slices
from embedding_lakehouse.core.index_tables import INDEX_RECONCILIATIONS
from embedding_lakehouse.core.rebuilds import NEIGHBOURS, recall
from embedding_lakehouse.core.releases import ReleaseRow
from embedding_lakehouse.core.tables import INDEX_SYNCS
from embedding_lakehouse.errors import LakehouseError

# Products of numbers that a run of the monitoring computes: seconds on one core.
MOST_PRODUCTS = 1_000_000_000
MOST_PROBES, LEAST_PROBES = 20, 3
# From so many records on, probes are drawn among those whose ids begin alike: listing all would sort millions.
MANY_RECORDS = 100_000


@dataclass(frozen=True, slots=True)
class Fidelity:
    """The comparisons of a release with the record, and the repairs that were applied."""

    reconciliations: list[dict[str, Any]]
    repaired: set[str]

    @classmethod
    def of(cls, lake: Lake, release_id: str) -> "Fidelity":
        """What is recorded of a release."""
        rows = scan(lake.table(INDEX_RECONCILIATIONS), release_id=release_id).to_arrow().to_pylist()
        syncs = scan(lake.table(INDEX_SYNCS), release_id=release_id).select("sync_id").to_arrow()["sync_id"].to_pylist()
        return cls(sorted(rows, key=lambda row: row["finished_at"]), set(syncs))

    @property
    def newest(self) -> dict[str, Any] | None:
        return self.reconciliations[-1] if self.reconciliations else None


def probe_count(records: int, dimensions: int) -> int:
    """Probes for which exact neighbours take seconds: 3 to 20, and never more than there are records."""
    return min(records, max(LEAST_PROBES, min(MOST_PROBES, MOST_PRODUCTS // max(1, records * dimensions))))


def probe_recall(lake: Lake, index: VectorIndex, release: ReleaseRow) -> tuple[float, int]:
    """The share of the exact ten nearest neighbours of some records that the index answers, and how many records were asked for.

    A record is searched for by the vector that the index holds of it, so that a wrong vector is seen as well. What the index lacks counts
    as not answered. Raises LakehouseError where the index does not answer at all.
    """
    prefix = "00" if release["record_count"] > MANY_RECORDS else ""
    probes = list(islice(release_ids(lake, release, prefix), probe_count(release["record_count"], release["dimension"])))
    if not probes:
        raise LakehouseError("the release holds no record to ask for")
    held = index.fetch(release["namespace"], probes)
    answered: dict[str, list[str]] = {probe: [] for probe in probes}
    for probe, record in held.items():
        answered[probe] = [found.record_id for found in index.search(release["namespace"], record.values, NEIGHBOURS)]
    return recall(_exact_neighbours(lake, release, probes), answered, release["record_count"]), len(probes)


def _exact_neighbours(lake: Lake, release: ReleaseRow, probes: list[str]) -> dict[str, set[str]]:
    nearest = defaultdict[str, list[tuple[float, str]]](list)
    names = {"versions": release["versions_snapshot"], "embeddings": release["embeddings_snapshot"]}
    name, metric = release["profile"], release["metric"]
    for low, high in slices(release["record_count"]):
        binds = [name, name, low, high, name, ",".join(probes), name, low, high, name, low, high, metric, metric]
        for probe, record_id, similarity in lake.sql.stream("drift/exact_neighbours", binds, **names):
            nearest[probe].append((similarity, record_id))
    return {probe: best_neighbours(nearest[probe]) for probe in probes}
