"""Which shards of a rebuild are done: a shard that is finished is not written again where the rebuild goes on."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from embedding_lakehouse.clients.iceberg import scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.index_tables import INDEX_FILLS

Figures = dict[str, Any]
FIGURES = ("records", "requests", "bytes", "lsn")


@dataclass(frozen=True, slots=True)
class Fills:
    """The table `index_fills` of a lake, for one sync."""

    lake: Lake
    sync_id: str

    def finished(self, shard: int) -> Figures | None:
        """What the shard's fill took; None where it never finished."""
        return self._by_shard().get(shard)

    def finish(self, shard: int, figures: Figures) -> None:
        """Note that the shard is done."""
        table = self.lake.table(INDEX_FILLS)
        row = {"sync_id": self.sync_id, "shard": shard, "finished_at": datetime.now(UTC)} | {name: figures[name] for name in FIGURES}
        table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))

    def total(self) -> Figures:
        """What all finished shards took together, each counted once; `lsn` is the highest log position, None where none was told."""
        done = list(self._by_shard().values())
        lsn = max((figures["lsn"] for figures in done if figures["lsn"] is not None), default=None)
        return {name: sum(figures[name] for figures in done) for name in FIGURES if name != "lsn"} | {"lsn": lsn}

    def _by_shard(self) -> dict[int, Figures]:
        """Two tries side by side note a shard twice: either counts."""
        rows = scan(self.lake.table(INDEX_FILLS), sync_id=self.sync_id).to_arrow().to_pylist()
        return {row["shard"]: {name: row[name] for name in FIGURES} for row in rows}
