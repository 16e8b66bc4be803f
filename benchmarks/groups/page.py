"""The Embeddings page over a large and a small lake: seconds of each of its pages, with the vectors of both in Iceberg."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from starlette.requests import Request

from benchmarks.embedder import PROFILE, profile
from benchmarks.lake import OurLake
from benchmarks.measures import Spread, short
from benchmarks.page_lake import CHUNKS, PageLake
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Workbench
from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import connect
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.page.app import create_app
from embedding_lakehouse.page.gate import Gate
from embedding_lakehouse.page.remembering import Remembered
from embedding_lakehouse.page.showing import Sources
from embedding_lakehouse.steps.set_up import create_views

MOST_SECONDS = 1
MEASURING = "coverage is measured beside the overview"
DOCUMENT = 42
NOTES = [
    "Pages are asked for one after the other, as a browser does, and answered by the app with the real Trino; the first answers after its "
    "start are left out. Who asks is not looked up, and searching, which takes as long as its index, is not among them.",
    "Coverage, which compares the whole source with the whole ledger, is measured beside the overview, which answers without it at first; "
    "every page after the first one is asked for when that is done.",
    "A receipt that a match or a document links to names its document; by the record's id alone, its column is read in every file.",
]

Seconds = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Anybody:
    """Somebody who may do everything."""

    async def reader(self, request: Request) -> "Anybody":
        return self

    def may_trigger(self, dag_id: str) -> bool:
        return True


def measure(bench: Workbench) -> Section:
    """Every page over both lakes, round after round."""
    sizes = (bench.options.page_documents, bench.options.page_documents // 10)
    large, small = (_of_lake(bench, bench.folder(f"page-{documents}"), documents) for documents in sizes)
    named = f"{sizes[0] * CHUNKS:,} rows"
    figures = [
        *(Figure(f"seconds of {name}, {named}", Spread.of(large[name]), most=MOST_SECONDS) for name in large if name != MEASURING),
        Figure(f"seconds until {MEASURING}, {named}", Spread.of(large[MEASURING])),
        Figure("all pages, large / small lake", Spread.of_ratios(_sums(large), _sums(small))),
    ]
    rows = [[name, *(_shown(found[name]) for found in (large, small))] for name in large]
    columns = ["", *(f"{documents * CHUNKS:,} rows, s" for documents in sizes)]
    return Section("The Embeddings page", figures, [Table("Seconds of a page", columns, rows)], NOTES)


def _sums(found: Seconds) -> list[float]:
    return [sum(seconds) for seconds in zip(*found.values(), strict=True)]


def _shown(seconds: list[float]) -> str:
    return str(Spread.of(seconds)) if len(seconds) > 1 else short(seconds[0])


def _of_lake(bench: Workbench, folder: Path, documents: int) -> Seconds:
    """Seconds of each page over a lake of that size, its servers ended afterwards."""
    ours = OurLake(folder)
    try:
        ours.start()
        os.environ.update(ours.environment)
        settings.profiles.cache_clear()
        lake = connect()
        create_views(lake)
        filled = PageLake(lake, profile(), documents)
        filled.fill(bench.options.seed)
        return asyncio.run(_asked(filled, bench.options.rounds))
    finally:
        ours.stack.stop()


async def _asked(filled: PageLake, rounds: int) -> Seconds:
    doc_id = filled.doc_id(DOCUMENT)
    record = chunk_id(doc_id, filled.texts(DOCUMENT)[0])
    pages: dict[str, tuple[str, dict[str, str]]] = {
        "the overview at first": ("/", {}),
        "the overview, coverage remembered": ("/", {}),
        "looking documents up": ("/documents", {"doc_id": "chapter-00000"}),
        "a document": ("/document", {"doc_id": doc_id}),
        "the batches": ("/batches", {}),
        "a batch": ("/batches/benchmark-0001", {}),
        "drift": ("/drift", {}),
        "the releases": ("/releases", {}),
        "a receipt": ("/receipt", {"record_id": record, "doc_id": doc_id}),
        "a receipt by its id alone": ("/receipt", {"record_id": record}),
    }
    found: Seconds = {name: [] for name in (*pages, MEASURING)}
    app = create_app()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Gate(lambda: app, Anybody())), base_url="http://page") as browser:
        for number in range(-1, rounds):
            coverage = Remembered(3600)
            app.state.sources = Sources(coverage=coverage)
            opened = time.perf_counter()
            for name, (path, values) in pages.items():
                begun = time.perf_counter()
                answer = await browser.get(path, params={"profile": PROFILE, **values})
                assert answer.status_code == 200, (path, answer.text)
                seconds = {name: time.perf_counter() - begun}
                if name == "the overview at first":
                    seconds[MEASURING] = await _measured(coverage, opened)
                for each, taken in seconds.items() if number >= 0 else ():
                    found[each].append(taken)
    return found


async def _measured(coverage: Remembered, begun: float) -> float:
    """Seconds since then until coverage is known."""
    while coverage.look(PROFILE, dict).is_being_read:
        await asyncio.sleep(0.01)
    assert coverage.look(PROFILE, dict).answer
    return time.perf_counter() - begun
