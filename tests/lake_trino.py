"""A Trino with catalog files of its own."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dev.stack.component import ROOT
from dev.stack.ports import free_port
from dev.stack.programs import Programs
from dev.stack.trino_server import trino_component

START_SECONDS = 240


@contextmanager
def lake_trino(home: Path, catalogs: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """Run Trino with the catalog files of a folder and what they need of the environment; yields its port."""
    port = free_port(0)
    component = trino_component(home, port, catalogs)
    programs = Programs(home, ROOT)
    started = programs.start(replace(component.program, environment={**environment, **component.program.environment}))
    try:
        deadline = time.monotonic() + START_SECONDS
        while (trouble := component.probe(started)) and time.monotonic() < deadline and programs.running("trino"):
            time.sleep(0.5)
        assert trouble is None, f"Trino {trouble}: {programs.log('trino').read_text()[-2000:]}"
        yield port
    finally:
        programs.stop(["trino"])
