"""The Iceberg catalog of the local stack: an SQLite file and a folder, shared by PyIceberg and Trino."""

import os
import sqlite3
from pathlib import Path

# Airflow's IcebergHook names the catalog after its connection, and an SQL catalog shows only the tables of its own name.
CATALOG_NAME = "iceberg_default"


def catalog_file(home: Path) -> Path:
    """Return the SQLite file with the pointers to the tables' metadata."""
    return home / "lake" / "catalog.db"


def warehouse(home: Path) -> Path:
    """Return the folder that holds the tables."""
    return home / "lake" / "warehouse"


def catalog_properties(home: Path) -> dict[str, str]:
    """Return what PyIceberg's `load_catalog` needs beside the name."""
    return {
        "type": "sql",
        # Seconds a writer waits for another one; SQLite's own 5 fail where an idle reader holds on for longer.
        "uri": f"sqlite:///{catalog_file(home)}?timeout=60",
        "warehouse": f"file://{warehouse(home)}",
    }


def create_catalog(home: Path) -> None:
    """Create an empty catalog where there is none; Trino cannot, on an empty file it fails."""
    target = catalog_file(home)
    warehouse(home).mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    # Imported here: it takes over a second, and a second start does not need it.
    from pyiceberg.catalog import load_catalog

    scratch = target.with_name(f"creating-{os.getpid()}.db")
    scratch.unlink(missing_ok=True)
    catalog = load_catalog(CATALOG_NAME, type="sql", uri=f"sqlite:///{scratch}", warehouse=f"file://{warehouse(home)}")
    catalog.close()
    connection = sqlite3.connect(scratch)
    # Kept in the file: readers then never block the writer.
    connection.execute("pragma journal_mode=wal")
    connection.close()
    scratch.rename(target)
