"""The retriever under the real LangChain."""

import asyncio

import pytest
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda

from embedding_lakehouse.langchain import LakehouseRetriever
from embedding_lakehouse.retrieval import search
from tests.index_fixtures import Following
from tests.integration.retrieval.conftest import CORPUS

QUESTION = "How hot must the oven be?"

# The bundled model has no smaller vectors.
pytestmark = pytest.mark.parametrize("profile", [256], indirect=True)


def test_documents_carry_text_receipt_and_record_id(filled: Following) -> None:
    (document,) = LakehouseRetriever(top_k=1).invoke(QUESTION)
    (match,) = search(QUESTION, top_k=1)
    assert (document.page_content, document.id) == (CORPUS["bread.md"][1], match.chunk_id)
    names = ("doc_id", "content_hash", "batch_id", "source_snapshot", "release_id", "score")
    assert [document.metadata[name] for name in names] == [getattr(match, name) for name in names]


def test_a_filter_and_a_profile_narrow_what_is_retrieved(filled: Following) -> None:
    retriever = LakehouseRetriever(top_k=10, filter={"doc_id": {"$eq": "whales.md"}}, profile=filled.profile.name)
    assert {document.metadata["doc_id"] for document in retriever.invoke(QUESTION)} == {"whales.md"}


def test_the_retriever_stands_in_a_chain(filled: Following) -> None:
    def joined(documents: list[Document]) -> str:
        return " ".join(document.page_content for document in documents)

    chain = LakehouseRetriever(top_k=1) | RunnableLambda(joined)
    assert chain.invoke(QUESTION) == CORPUS["bread.md"][1]


def test_the_retriever_answers_asynchronously(filled: Following) -> None:
    (document,) = asyncio.run(LakehouseRetriever(top_k=1).ainvoke(QUESTION))
    assert document.metadata["doc_id"] == "bread.md"
