"""A LangChain retriever over the live release (extra `langchain`): documents carry their receipt, and `explain` takes their ids."""

from dataclasses import asdict
from typing import Any

from pydantic import ConfigDict, Field

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.core.receipts import Match
from embedding_lakehouse.retrieval import search

try:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
except ImportError as error:
    raise ImportError(
        "embedding_lakehouse.langchain needs langchain-core: install the extra, pip install 'embedding-lakehouse[langchain]'"
    ) from error


class LakehouseRetriever(BaseRetriever):
    """Retrieves the `top_k` chunks nearest to a query, best first, among those whose metadata meet `filter` (Pinecone's filter language).

    A document's id is the record's, its text the chunk's, its metadata the receipt of the match with its `score`. Raises what
    `retrieval.search` raises.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    top_k: int = 5
    filter: dict[str, Any] | None = None
    profile: str | None = None
    lake: Lake | None = Field(default=None, exclude=True, repr=False)
    service: IndexService | None = Field(default=None, exclude=True, repr=False)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        matches = search(query, self.top_k, self.filter, self.profile, self.lake, self.service)
        return [_document(match) for match in matches]


def _document(match: Match) -> Document:
    receipt = asdict(match)
    text = receipt.pop("text")
    return Document(page_content=text or "", metadata=receipt, id=match.chunk_id)
