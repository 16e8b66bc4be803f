"""LlamaIndex's `IngestionPipeline` with a docstore, loaded before and persisted after each run, as its guide to document management shows.

The vector store is LlamaIndex's own in memory and is never saved, which costs this peer nothing.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core import Document
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.schema import BaseNode, NodeRelationship, TextNode, TransformComponent
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore
from pydantic import PrivateAttr

from benchmarks.embedder import CountingModel, profile
from embedding_lakehouse.core.chunking import chunk_document


class Windows(TransformComponent):
    """The common chunks as LlamaIndex's nodes."""

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[TextNode]:
        chunking = profile().chunking
        return [
            TextNode(text=chunk.text, relationships={NodeRelationship.SOURCE: node.as_related_node_info()})
            for node in nodes
            for chunk in chunk_document(node.get_content(), chunking)
        ]


class Model(BaseEmbedding):
    """The common model as LlamaIndex calls it."""

    _model: CountingModel = PrivateAttr()

    def __init__(self, model: CountingModel) -> None:
        super().__init__(model_name=profile().model_version, embed_batch_size=64)
        self._model = model

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._model.embed(texts).vectors.tolist()

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def bring_up_to_date(documents: Path, state: Path, model: CountingModel) -> dict[str, float]:
    """Ingest every file of a folder; seconds by phase."""
    begun = time.perf_counter()
    pipeline = IngestionPipeline(
        transformations=[Windows(), Model(model)],
        docstore=SimpleDocumentStore(),
        vector_store=SimpleVectorStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
    )
    kept = state / "pipeline"
    if kept.exists():
        pipeline.load(str(kept))
    loaded = time.perf_counter()
    files = sorted(documents.rglob("*.txt"))
    texts = [Document(text=file.read_text(), id_=str(file.relative_to(documents))) for file in files]
    read = time.perf_counter()
    pipeline.run(documents=texts)
    run = time.perf_counter()
    pipeline.persist(str(kept))
    return {"load": loaded - begun, "read": read - loaded, "run": run - read, "persist": time.perf_counter() - run}
