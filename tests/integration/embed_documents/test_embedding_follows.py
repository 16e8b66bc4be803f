"""Whatever is done to the documents, what the lake says is current is what a fresh start with them would give."""

import random
from dataclasses import dataclass, field

import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.chunking import chunk_document
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.monitoring_tables import QUALITY_RESULTS
from embedding_lakehouse.steps.roll_back_embeddings.applying import apply_roll_back
from embedding_lakehouse.steps.roll_back_embeddings.planning import plan_roll_back
from tests.batches import BatchRun, CountingModel, current_chunks, current_documents, put_documents, run_batch
from tests.lake_fixtures import SavedLake

SENTENCES = [f"Sentence number {number} says something of its own." for number in range(12)]


@dataclass
class Edits:
    """Documents of a few sections each, edited at random; remembers every version, to go back to one."""

    draw: random.Random
    documents: dict[str, str] = field(default_factory=dict)
    history: list[dict[str, str]] = field(default_factory=list)

    def step(self) -> None:
        """A handful of edits."""
        self.history.append(dict(self.documents))
        for _ in range(self.draw.randint(1, 5)):
            self.draw.choice([self.add, self.add, self.edit, self.edit, self.delete, self.empty, self.revert, self.duplicate])()

    def add(self) -> None:
        self.documents[f"doc {self.draw.randrange(12)}"] = self.text()

    def edit(self) -> None:
        if doc_id := self.any():
            sections = self.documents[doc_id].split("\n\n")
            sections[self.draw.randrange(len(sections))] = self.draw.choice(SENTENCES)
            self.documents[doc_id] = "\n\n".join(sections)

    def delete(self) -> None:
        if doc_id := self.any():
            del self.documents[doc_id]

    def empty(self) -> None:
        if doc_id := self.any():
            self.documents[doc_id] = self.draw.choice(["", " \n"])

    def revert(self) -> None:
        before = self.draw.choice(self.history)
        if before:
            doc_id = self.draw.choice(sorted(before))
            self.documents[doc_id] = before[doc_id]

    def duplicate(self) -> None:
        if doc_id := self.any():
            self.documents[f"copy of {self.draw.randrange(4)}"] = self.documents[doc_id]

    def any(self) -> str | None:
        return self.draw.choice(sorted(self.documents)) if self.documents else None

    def text(self) -> str:
        return "\n\n".join(self.draw.choices(SENTENCES, k=self.draw.randint(1, 4)))


def expected_chunks(documents: dict[str, str], model: CountingModel, profile: str = "small") -> dict[str, tuple[str, str, bytes]]:
    """What must be current: document, text and vector of each chunk by its id, computed without a lake."""
    chunking = settings.profile(profile).chunking
    return {
        chunk_id(doc_id, chunk.text): (doc_id, chunk.text, model.vector(chunk.text).tobytes())
        for doc_id, text in documents.items()
        for chunk in chunk_document(text, chunking, "text/markdown")
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_after_every_edit_the_lake_is_what_a_fresh_start_would_be(lake: Lake, empty_lake: SavedLake, seed: int) -> None:
    edits, model = Edits(random.Random(seed)), CountingModel()
    ever: set[str] = set()
    for _ in range(3):
        edits.step()
        put_documents(lake, edits.documents)
        run_batch(lake, model=model, is_audited=True)
        expected = expected_chunks(edits.documents, model)
        assert current_chunks(lake) == expected
        assert current_documents(lake).keys() == edits.documents.keys()
        ever |= {text for _, text, _ in expected.values()}
        # Each text was bought once, in whatever documents and versions it stands.
        assert sorted(model.texts) == sorted(ever)
    followed = current_chunks(lake), current_documents(lake)

    fresh = empty_lake.restore()
    put_documents(fresh, edits.documents)
    run_batch(fresh)
    assert (current_chunks(fresh), current_documents(fresh)) == followed


def test_an_unchanged_source_plans_nothing(lake: Lake) -> None:
    put_documents(lake, {"a": "Text."})
    run_batch(lake)
    before = lake.catalog.load_table("embeddings_db.document_embeddings").metadata_location
    put_documents(lake, {"a": "Text."})
    assert run_batch(lake).result["plan"] == []
    assert lake.catalog.load_table("embeddings_db.document_embeddings").metadata_location == before


def test_an_edit_buys_only_the_text_that_is_new(lake: Lake) -> None:
    put_documents(lake, {"a": "\n\n".join(SENTENCES)})
    run_batch(lake)
    put_documents(lake, {"a": "\n\n".join([*SENTENCES[:5], "A new sentence in the place of another.", *SENTENCES[6:]])})
    edited = run_batch(lake)
    assert edited.model.texts == ["A new sentence in the place of another."]
    assert (edited.row["chunks_planned"], edited.row["chunks_kept"], edited.row["chunks_embedded"]) == (12, 11, 1)


def test_a_text_of_another_document_is_copied_and_not_bought(lake: Lake) -> None:
    put_documents(lake, {"a": SENTENCES[0]})
    first = run_batch(lake)
    put_documents(lake, {"a": SENTENCES[0], "b": SENTENCES[0]})
    second = run_batch(lake)
    rows = {row["doc_id"]: row for row in lake.catalog.load_table("embeddings_db.document_embeddings").scan().to_arrow().to_pylist()}
    assert second.model.texts == []
    assert rows["b"]["embedding"] == rows["a"]["embedding"]
    assert rows["b"]["copied_from_batch"] == first.batch_id


def test_a_vector_whose_file_was_rewritten_meanwhile_is_bought_again(lake: Lake) -> None:
    put_documents(lake, {"a": SENTENCES[0]})
    run_batch(lake)
    put_documents(lake, {"a": SENTENCES[0], "b": SENTENCES[0]})
    copying = BatchRun(lake).until("price")
    table = lake.catalog.load_table("embeddings_db.document_embeddings")
    for task in table.scan().plan_files():
        table.io.delete(task.file.file_path)
    copying.embed()
    assert copying.model.texts == [SENTENCES[0]]


def test_ten_thousand_identical_documents_are_one_text(lake: Lake) -> None:
    put_documents(lake, {f"doc {number}": "The same text." for number in range(10_000)})
    run = run_batch(lake, "other", is_audited=True)
    assert run.model.texts == ["The same text."]
    assert len(current_chunks(lake, "other")) == 10_000


def test_ids_of_any_characters_lead_to_their_documents(lake: Lake) -> None:
    ids = ["a#1", "a/b/../c", "it's", 'say "hi"', "😀 👩‍👩‍👧‍👦", "a?b=c&d", "100%", "{{ x }}", "a\nb", " ", "-- x", "a||b"]
    documents = {doc_id: f"Text {number}." for number, doc_id in enumerate(ids)}
    put_documents(lake, documents)
    run_batch(lake, "other")
    assert {doc_id: text for doc_id, text, _ in current_chunks(lake, "other").values()} == documents


def test_texts_of_any_characters_come_back_as_they_were(lake: Lake) -> None:
    texts = ["nul \0 byte", "line\r\nends", "😀 \u202bשלום\u202c", "quote ' and \" and \\", "{{ x }} ? %s", "\u2028 \ufeff", "a" * 3_000]
    documents = {f"doc {number}": text for number, text in enumerate(texts)}
    put_documents(lake, documents)
    run = run_batch(lake, "other")
    assert current_chunks(lake, "other") == expected_chunks(documents, run.model, "other")


def test_what_was_rolled_back_is_embedded_again_and_every_check_holds(lake: Lake) -> None:
    put_documents(lake, {"a": SENTENCES[0]})
    run_batch(lake)
    put_documents(lake, {"a": SENTENCES[1], "b": SENTENCES[0]})
    undone = run_batch(lake)
    apply_roll_back(plan_roll_back("small", without_batch=undone.batch_id, reason="a test", lake=lake), lake=lake)
    run_batch(lake, is_audited=True)
    assert {row["verdict"] for row in lake.table(QUALITY_RESULTS).scan().to_arrow().to_pylist()} == {"passed"}
    assert current_documents(lake).keys() == {"a", "b"}
