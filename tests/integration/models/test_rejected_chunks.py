"""Batches whose model refuses a text or has no vector for it: the chunk is recorded, its neighbours are bought once and published."""

from pathlib import Path

import numpy as np
import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import Embedded, EmbeddingModel, load_model
from embedding_lakehouse.clients.models.asking import PLAIN_WORD
from embedding_lakehouse.clients.models.refusals import TextsRefused
from embedding_lakehouse.clients.parts import delete_folder, parts_folder
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.monitoring_tables import QUALITY_RESULTS
from embedding_lakehouse.core.tables import REJECTED_CHUNKS
from embedding_lakehouse.errors import TransientError
from embedding_lakehouse.steps.embed_documents.rejecting import record_rejections
from tests.batches import BatchRun, CountingModel, current_chunks, current_documents, put_documents, run_batch
from tests.lake_fixtures import PROFILES, declare
from tests.model_fixtures import ModelServer

BAD = "This section holds POISON for every model."
GOOD = [f"Section {number} has nothing bad in all its text." for number in range(6)]
DOCUMENTS = {"a": "\n\n".join([GOOD[0], BAD, GOOD[1]]), "b": "\n\n".join([GOOD[2], GOOD[3]]), "c": BAD}
OPENAI = """
[profiles.openai]
provider = "openai"
model_name = "text-embedding-3-small"
model_version = "openai-v1"
dimensions = 64
chunking = { strategy = "structure", max_characters = 60 }
batch = { checkpoint_chunks = 2, shard_tokens = 20 }
"""


class RefusingModel(CountingModel):
    """Refuses every request with POISON in a text."""

    def embed(self, texts: list[str]) -> Embedded:
        if any("POISON" in text for text in texts):
            raise TextsRefused("the model does not like it")
        return super().embed(texts)


def rejected(lake: Lake) -> list[tuple[str, int, str, str]]:
    """Document, position, text and reason of every rejected chunk."""
    rows = lake.table(REJECTED_CHUNKS).scan().to_arrow().to_pylist()
    return sorted((row["doc_id"], row["chunk_index"], row["chunk_text"], row["reason"]) for row in rows)


def ids(doc_id: str, *texts: str) -> list[str]:
    return [chunk_id(doc_id, text) for text in texts]


@pytest.fixture
def published(lake: Lake) -> BatchRun:
    """A published batch with a text that stands in two documents and is refused."""
    put_documents(lake, DOCUMENTS)
    return run_batch(lake, model=RefusingModel(), is_audited=True)


def test_a_rejected_chunk_is_recorded_with_its_reason_and_is_no_part_of_its_version(published: BatchRun) -> None:
    lake = published.lake
    assert rejected(lake) == [("a", 1, BAD, "the model does not like it"), ("c", 0, BAD, "the model does not like it")]
    assert current_documents(lake) == {"a": ids("a", GOOD[0], GOOD[1]), "b": ids("b", GOOD[2], GOOD[3]), "c": []}
    assert len(current_chunks(lake)) == 4
    assert (published.row["chunks_planned"], published.row["chunks_rejected"]) == (6, 2)
    assert sorted(set(published.model.texts) - {PLAIN_WORD}) == GOOD[:4]


def test_the_audit_shows_rejected_chunks_and_blocks_nothing(published: BatchRun) -> None:
    results = published.lake.table(QUALITY_RESULTS).scan(row_filter="verdict <> 'passed'").to_arrow().to_pylist()
    assert [(row["check_name"], row["verdict"], row["violation_count"]) for row in results] == [("no_chunk_is_rejected", "warned", 2)]
    assert "the model does not like it" in results[0]["sample"]


def test_an_unchanged_document_with_a_rejected_chunk_is_not_embedded_again(published: BatchRun) -> None:
    assert run_batch(published.lake, model=RefusingModel()).result["plan"] == []


def test_a_text_that_the_model_takes_by_now_is_embedded_with_the_next_edit(published: BatchRun) -> None:
    lake = published.lake
    put_documents(lake, DOCUMENTS | {"a": "\n\n".join([GOOD[0], BAD, GOOD[4]])})
    edited = run_batch(lake, model=CountingModel(), is_audited=True)
    assert sorted(edited.model.texts) == sorted([BAD, GOOD[4]])
    assert current_documents(lake)["a"] == ids("a", GOOD[0], BAD, GOOD[4])


def test_a_retry_asks_for_no_rejected_text_again(lake: Lake) -> None:
    put_documents(lake, DOCUMENTS)
    first = BatchRun(lake, model=RefusingModel()).until("embed")
    again = CountingModel()
    run_batch(lake, model=again)
    assert again.texts == []
    assert len(rejected(lake)) == first.row["chunks_planned"] - 4 == 2


def test_committing_twice_records_once(lake: Lake) -> None:
    put_documents(lake, DOCUMENTS)
    run = BatchRun(lake, model=RefusingModel()).until("embed")
    assert record_rejections(lake, run.row, set()) == record_rejections(lake, run.row, set())
    run.commit()
    run.commit()
    run.publish()
    assert (len(rejected(lake)), current_documents(lake)["c"]) == (2, [])


def test_a_chunk_that_another_try_embedded_is_not_rejected(lake: Lake) -> None:
    put_documents(lake, DOCUMENTS)
    run = BatchRun(lake, model=RefusingModel()).until("price")
    BatchRun(lake, model=RefusingModel(), result=dict(run.result)).embed()
    put_other_try(BatchRun(lake, result=dict(run.result)))
    run_batch(lake, model=CountingModel())
    assert rejected(lake) == []
    assert current_documents(lake)["c"] == ids("c", BAD)


def put_other_try(run: BatchRun) -> None:
    """Stage what a try that began at the same time stages: it has not seen the rejections of the other one."""
    table = run.lake.table(REJECTED_CHUNKS)
    folder = parts_folder(table, f"batch_id={run.batch_id}")
    kept = {file: file.read_bytes() for file in Path(folder.removeprefix("file://")).rglob("*.parquet")}
    delete_folder(table, folder)
    run.embed()
    for file, content in kept.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def load_openai() -> EmbeddingModel:
    return load_model(settings.profile("openai"))


def test_the_real_client_s_poisoned_text_is_rejected_and_its_neighbours_are_published(
    lake: Lake, profiles: Path, model_server: ModelServer
) -> None:
    declare(profiles, PROFILES + OPENAI)
    model_server.put(poison="POISON")
    put_documents(lake, DOCUMENTS)
    run_batch(lake, "openai", load_openai(), is_audited=True)
    assert [(doc_id, index) for doc_id, index, _, _ in rejected(lake)] == [("a", 1), ("c", 0)]
    assert len(current_chunks(lake, "openai")) == 4
    assert set(model_server.asked()[1].values()) == {1}


@pytest.mark.parametrize("kind", ["nan", "too_few", "wrong_dimension", "error_body"])
def test_a_text_that_never_gets_a_vector_is_rejected_and_later_documents_are_published(
    lake: Lake, profiles: Path, model_server: ModelServer, kind: str
) -> None:
    declare(profiles, PROFILES + OPENAI)
    model_server.put(poison="POISON", poison_as=kind)
    put_documents(lake, DOCUMENTS)
    run_batch(lake, "openai", load_openai(), is_audited=True)
    assert [(doc_id, index, text) for doc_id, index, text, _ in rejected(lake)] == [("a", 1, BAD), ("c", 0, BAD)]
    assert "plain text has a vector and this has none" in rejected(lake)[0][3]
    assert {text for _, text, _ in current_chunks(lake, "openai").values()} == set(GOOD[:4])

    put_documents(lake, DOCUMENTS | {"d": GOOD[4]})
    run_batch(lake, "openai", load_openai(), is_audited=True)
    assert {text for _, text, _ in current_chunks(lake, "openai").values()} == set(GOOD[:5])


class ShortSightedModel(CountingModel):
    """Answers NaN for whatever is longer than a word."""

    def vector(self, text: str) -> np.ndarray:
        return super().vector(text) if len(text) < 10 else np.full(self.dimensions, np.nan, np.float32)


def test_a_model_that_is_wrong_about_every_text_but_a_word_rejects_none(lake: Lake) -> None:
    put_documents(lake, DOCUMENTS)
    run = BatchRun(lake, model=ShortSightedModel()).until("price")
    with pytest.raises(TransientError, match="NaN or infinity"):
        run.embed()
    assert len(run.model.texts) < 20
    # What is right again embeds all of it.
    run_batch(lake, model=CountingModel())
    assert (rejected(lake), current_documents(lake)["c"]) == ([], ids("c", BAD))


class BrokenModel(CountingModel):
    """A model of one's own with a mistake in its code, which one text comes upon."""

    def vector(self, text: str) -> np.ndarray:
        return {}[text] if "POISON" in text else super().vector(text)


def test_a_text_over_which_a_model_of_one_s_own_breaks_is_rejected_alone(lake: Lake) -> None:
    put_documents(lake, DOCUMENTS)
    run_batch(lake, model=BrokenModel())
    assert [(doc_id, reason.split(":")[0]) for doc_id, _, _, reason in rejected(lake)] == [
        ("a", "plain text has a vector and this has none"),
        ("c", "plain text has a vector and this has none"),
    ]
    assert len(current_chunks(lake)) == 4
