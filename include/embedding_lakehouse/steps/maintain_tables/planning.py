"""Choose the tables of a run and write down its rules."""

from collections.abc import Mapping
from typing import Any

from embedding_lakehouse.core.maintenance import Rules
from embedding_lakehouse.core.schema import ALL_TABLES
from embedding_lakehouse.errors import InputError, quoted

Work = dict[str, Any]


def plan_maintenance(params: Mapping[str, Any], is_scheduled: bool, run_id: str) -> list[Work]:
    """One dict of keys for each table: all of them, or those named in `tables`. A scheduled run acts, whatever its form says.

    Raises InputError for a table that is not one of the lakehouse, and for rules that contradict each other.
    """
    known = [table.name for table in ALL_TABLES]
    if unknown := sorted(set(params["tables"] or []) - set(known)):
        raise InputError(f"tables: there is no table {quoted(unknown[0])}: the lakehouse has {', '.join(known)}")
    rules = Rules.of_params(params, params["dry_run"] and not is_scheduled)
    chosen = [name for name in known if name in (params["tables"] or known)]
    return [{"table": name, "rules": rules.as_keys(), "maintenance_id": run_id} for name in chosen]
