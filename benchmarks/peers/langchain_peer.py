"""LangChain's `index()` with its SQL record manager, in the mode `full`, which is the one that also finds deleted documents.

The vector store is LangChain's own in memory and is never saved, which costs this peer nothing.
"""

import time
from pathlib import Path

from langchain_classic.indexes import SQLRecordManager, index
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore

from benchmarks.embedder import CountingModel, profile
from embedding_lakehouse.core.chunking import chunk_document


class Model(Embeddings):
    """The common model as LangChain calls it."""

    def __init__(self, model: CountingModel) -> None:
        self.model = model

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.model.embed(texts).vectors.tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def bring_up_to_date(documents: Path, state: Path, model: CountingModel) -> dict[str, float]:
    """Index every file of a folder; seconds by phase."""
    begun = time.perf_counter()
    records = SQLRecordManager("benchmark", db_url=f"sqlite:///{state / 'records.sqlite'}")
    records.create_schema()
    chunking = profile().chunking
    chunks = [
        Document(page_content=chunk.text, metadata={"source": str(file.relative_to(documents)), "chunk": chunk.index})
        for file in sorted(documents.rglob("*.txt"))
        for chunk in chunk_document(file.read_text(), chunking)
    ]
    read = time.perf_counter()
    index(chunks, records, InMemoryVectorStore(Model(model)), cleanup="full", source_id_key="source", key_encoder="sha256")
    return {"read and split": read - begun, "index": time.perf_counter() - read}
