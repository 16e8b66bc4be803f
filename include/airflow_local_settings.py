"""Loads what the tasks need into the scheduler once: every task is forked from it and then starts in a fraction of a second."""

import importlib
import logging
import pkgutil
import sys
from collections.abc import Iterator

log = logging.getLogger(__name__)

# What the libraries themselves load only when they are first used.
LOADED_LATE = (
    "airflow.providers.apache.iceberg.hooks.iceberg",
    "airflow.providers.trino.hooks.trino",
    "pinecone.client.indexes",
    "pyarrow.parquet",
    "pyiceberg.catalog.sql",
    "pyiceberg.io.pyarrow",
    "tzlocal",
)
# What no task uses, and what would stay in the memory of each: the page runs in the API server, the retriever in an application.
NEVER_IN_TASKS = ("embedding_lakehouse.langchain", "embedding_lakehouse.page")


def _modules() -> Iterator[str]:
    import embedding_lakehouse

    found = (module.name for module in pkgutil.walk_packages(embedding_lakehouse.__path__, "embedding_lakehouse."))
    yield from (name for name in found if not name.startswith(NEVER_IN_TASKS))
    yield from LOADED_LATE


def preload() -> None:
    """Import every module of the project and what it needs late; one that cannot be imported is left to the task that uses it."""
    for name in _modules():
        try:
            importlib.import_module(name)
        except Exception as error:
            log.warning("%s is not preloaded: %r", name, error)


if sys.argv[1:2] == ["scheduler"]:
    preload()
