"""A small table that is a journal: one row a key, changed by compare-and-set, so that two writers never both win.

The whole table is one file, read and put back in one commit that fails if anybody changed it in between.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import CommitFailedException

from embedding_lakehouse.clients.iceberg import load_table, never_retry
from embedding_lakehouse.core.tables import Table
from embedding_lakehouse.errors import ConflictError

JournalRow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal in `table`, whose rows are told apart by the column `key`; a change is tried `tries` times."""

    catalog: Catalog
    table: Table
    key: str
    tries: int = 20

    def rows(self) -> list[JournalRow]:
        """Every row as it is now."""
        return load_table(self.catalog, self.table).scan().to_arrow().to_pylist()

    def change(self, decide: Callable[[list[JournalRow]], list[JournalRow]]) -> list[JournalRow]:
        """Put the rows that `decide` makes of the current ones (matched by key) and return them; nothing is written for none.

        On a lost race `decide` is called again with the winner's rows. Raises ConflictError after `tries` lost races.
        """
        for _ in range(self.tries):
            iceberg = load_table(self.catalog, self.table)
            never_retry(iceberg)
            current = iceberg.scan().to_arrow().to_pylist()
            decided = decide([dict(row) for row in current])
            if not decided:
                return []
            merged = {row[self.key]: row for row in current} | {row[self.key]: row for row in decided}
            try:
                iceberg.overwrite(pa.Table.from_pylist(list(merged.values()), schema=iceberg.schema().as_arrow()))
            except CommitFailedException:
                time.sleep(random.uniform(0.01, 0.2))  # noqa: S311 - spreads the losers of a race, no secret
                continue
            return decided
        raise ConflictError(f"{self.table.name} changes too often: run the task again")
