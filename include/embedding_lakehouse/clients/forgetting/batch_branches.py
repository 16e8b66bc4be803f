"""The branches of batches that an erasure meets: they are dropped, put on where main is now, or given up with their batch."""

import logging

from pyiceberg.table import Table as IcebergTable

from embedding_lakehouse.clients.iceberg import drop_branch, own_files, rebase_branch
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import stored_path
from embedding_lakehouse.clients.staged_batches import drop_branches, give_up
from embedding_lakehouse.core.batches import OPEN_STATES, BatchRow, branch_name

logger = logging.getLogger(__name__)


def clear_branch(lake: Lake, table: IcebergTable, row: BatchRow, tainted: set[str], erasure_id: str) -> None:
    """Let the branch of a batch reach none of the `tainted` files (as `stored_path`).

    A batch that ended has one only since a task came late, and nobody publishes it. An open one whose own files are tainted was planned in
    the very moment of the tombstones; any other was begun since, and goes on from where main is now.
    """
    branch = branch_name(row["batch_id"])
    table.refresh()
    if branch not in table.refs():
        return
    if row["state"] not in OPEN_STATES:
        logger.info("%s: the branch %s goes, since its batch is %s", ".".join(table.name()), branch, row["state"])
        drop_branch(table, branch)
    elif any(stored_path(table, file) in tainted for file in own_files(table, branch)[1]):
        logger.warning("batch %s has the documents: it is given up, and its others are embedded by the next one", row["batch_id"])
        drop_branches(lake, row["batch_id"])
        give_up(lake, row, f"given up for the erasure {erasure_id}")
    else:
        rebase_branch(table, branch)
