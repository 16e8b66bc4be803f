"""CocoIndex from a folder to SQLite, put together like its text embedding example: a memoised function a file, a row a chunk.

The vectors are plain blobs, since its vector columns need an SQLite that loads extensions, which many builds of Python do not have.
"""

import pathlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import cocoindex as coco
import numpy as np
from cocoindex.connectors import localfs, sqlite
from cocoindex.resources.file import FileLike, PatternFilePathMatcher
from cocoindex.resources.id import IdGenerator
from numpy.typing import NDArray

from benchmarks.embedder import CountingModel, profile
from embedding_lakehouse.core.chunking import Chunk, chunk_document


class Embedder:
    """The common model as CocoIndex's own embedders are made: single texts, gathered into batches by the engine."""

    def __init__(self, model: CountingModel) -> None:
        self._model = model

    @coco.fn.as_async(batching=True, runner=coco.GPU, max_batch_size=64)
    def _embed(self, texts: list[str]) -> list[NDArray[np.float32]]:
        return list(self._model.embed(texts).vectors)

    @coco.fn(memo=True, version=1, logic_tracking="self")
    async def embed(self, text: str) -> NDArray[np.float32]:
        return await self._embed(text)

    def __coco_memo_key__(self) -> object:
        return profile().fingerprint


DATABASE = coco.ContextKey[sqlite.ManagedConnection]("benchmark_database")
EMBEDDER = coco.ContextKey[Embedder]("embedder", detect_change=True)


@dataclass
class Row:
    id: int
    filename: str
    start: int
    text: str
    embedding: bytes


@coco.fn
async def process_chunk(chunk: Chunk, filename: pathlib.PurePath, ids: IdGenerator, table: sqlite.TableTarget[Row]) -> None:
    vector = await coco.use_context(EMBEDDER).embed(chunk.text)
    table.declare_row(row=Row(await ids.next_id(chunk.text), str(filename), chunk.start_offset, chunk.text, vector.tobytes()))


@coco.fn(memo=True)
async def process_file(file: FileLike, table: sqlite.TableTarget[Row]) -> None:
    chunks = chunk_document(await file.read_text(), profile().chunking)
    await coco.map(process_chunk, chunks, file.file_path.path, IdGenerator(), table)


@coco.fn
async def app_main(folder: pathlib.Path) -> None:
    schema = await sqlite.TableSchema.from_class(Row, primary_key=["id"])
    table = await sqlite.mount_table_target(DATABASE, "embeddings", schema)
    files = localfs.walk_dir(folder, recursive=True, path_matcher=PatternFilePathMatcher(included_patterns=["**/*.txt"]))
    await coco.mount_each(process_file, files.items(), table)


def bring_up_to_date(documents: pathlib.Path, state: pathlib.Path, model: CountingModel) -> dict[str, float]:
    """Update the table from every file of a folder; seconds by phase."""

    @coco.lifespan
    def lifespan(builder: coco.EnvironmentBuilder) -> Iterator[None]:
        builder.settings.db_path = state / "cocoindex.db"
        with sqlite.managed_connection(str(state / "embeddings.sqlite"), load_vec=False) as connection:
            builder.provide(DATABASE, connection)
            builder.provide(EMBEDDER, Embedder(model))
            yield

    begun = time.perf_counter()
    app = coco.App(coco.AppConfig(name="Benchmark"), app_main, folder=documents)
    app.update_blocking()
    return {"update": time.perf_counter() - begun}
