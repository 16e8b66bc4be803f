"""Each of the five causes is provoked with real rows and batches, and named first."""

from pathlib import Path
from typing import Any

from embedding_lakehouse import settings
from embedding_lakehouse.clients.batches import journal
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS
from tests.batches import BatchRun, put_documents, rewrite_branch
from tests.drift_fixtures import KITCHEN, SHORTER, Monitoring, WordsModel, corpus, prose
from tests.index_fixtures import Following, declaration
from tests.lake_builder import LakeBuilder
from tests.lake_fixtures import PROFILES, declare
from tests.reconcile_fixtures import Reconciling
from tests.roll_back_fixtures import RollingBack


def edited(documents: dict[str, str], count: int) -> dict[str, str]:
    """The documents with a sentence more in the first ones."""
    first = sorted(documents)[:count]
    return documents | {name: f"{documents[name]}\n\n{prose(f'edit of {name}', paragraphs=1)}" for name in first}


def test_other_documents_are_a_source_change(monitoring: Monitoring) -> None:
    documents = corpus()
    monitoring.embed(documents)
    monitoring.monitor()
    batch_id = monitoring.embed({name: prose(name, KITCHEN) if name >= "doc 010" else text for name, text in documents.items()})
    row = monitoring.monitor()
    assert (row["is_drift"], row["causes"], row["since_batch_id"]) == (True, ["source"], batch_id)
    assert row["verdict"].startswith(f"retrieval drift since batch {batch_id}: source change; ")
    assert "30 of 40 documents changed" in row["verdict"]
    assert monitoring.measures(row)["centroid_distance"]["is_exceeded"]


def test_other_settings_of_the_splitter_are_a_chunking_change(monitoring: Monitoring, profiles: Path) -> None:
    monitoring.embed(corpus())
    monitoring.monitor()
    declare(profiles, SHORTER + PROFILES)
    # As somebody does who silences the refusal of changed settings.
    forced = {"profile_fingerprint": settings.profile("watched").fingerprint}
    journal(monitoring.lake).change(lambda rows: [row | forced for row in rows])
    monitoring.embed(edited(corpus(), 30))
    row = monitoring.monitor()
    assert row["causes"][0] == "chunking"
    assert "structure(max_characters=60)" in row["verdict"]


def test_texts_that_are_cut_otherwise_without_a_change_are_a_chunking_change(indexed: Monitoring, builder: LakeBuilder) -> None:
    builder.publish({f"doc {number}": [f"first {number}. second {number}. ", "third."] for number in range(8)})
    indexed.monitor()
    builder.publish({f"doc {number}": [f"first {number}. ", f"second {number}. ", "third."] for number in range(8)})
    row = indexed.monitor()
    assert row["causes"] == ["chunking"]
    assert "8 of 8 unchanged documents were cut otherwise" in row["verdict"]
    assert row["changed_document_count"] == 0


def test_rows_of_another_model_are_a_model_change(monitoring: Monitoring) -> None:
    monitoring.embed(corpus())
    monitoring.monitor()
    put_documents(monitoring.lake, edited(corpus(), 5))
    run = BatchRun(monitoring.lake, monitoring.profile, monitoring.model).until("commit")

    def of_another_model(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"model_name": "another", "embedding": row["embedding"][::-1]} for row in rows]

    rewrite_branch(monitoring.lake, DOCUMENT_EMBEDDINGS, run.batch_id, of_another_model)
    run.publish()
    row = monitoring.monitor()
    assert row["causes"] == ["model"]
    assert "have another model (another watched-v1 instead of l2_supercat watched-v1)" in row["verdict"]


def test_a_release_of_another_model_is_a_model_change(indexed: Monitoring, following: Following, builder: LakeBuilder) -> None:
    builder.publish({"a": ["alpha", "beta"], "b": ["gamma"]})
    following.sync()
    successor = Monitoring(indexed.lake, "small")
    successor.embed({"a": "alpha\n\nbeta", "b": "gamma"})
    row = successor.monitor(baseline=Releases(indexed.lake).live(indexed.profile)["release_id"])
    assert row["causes"][0] == "model"
    assert (row["baseline_kind"], row["is_watch"]) == ("release", False)
    assert "not comparable" in successor.measures(row)["centroid_distance"]["detail"]


def test_a_successor_with_the_same_model_and_another_splitter_is_a_chunking_change(
    indexed: Monitoring, following: Following, profiles: Path
) -> None:
    longer = declaration("again").replace("50", "90")
    declare(profiles, declaration(indexed.profile) + longer)
    texts = {name: text.replace("\n\n", " ") for name, text in corpus(8).items()}
    indexed.embed(texts)
    following.sync()
    indexed.monitor()
    successor = Monitoring(indexed.lake, "again")
    successor.embed(texts)
    successor.monitor()
    row = successor.monitor(baseline=Releases(indexed.lake).live(indexed.profile)["release_id"])
    assert row["causes"] == ["chunking"]
    assert "which gives the same texts the same vectors" in successor.measures(row)["other_model"]["detail"]


def test_a_model_that_answers_otherwise_behind_its_version_is_a_provider_change(indexed: Monitoring) -> None:
    batch_id = indexed.embed(corpus(8))
    assert indexed.monitor()["canary_cosine"] is None
    assert indexed.monitor()["canary_cosine"] == 1.0
    indexed.model = WordsModel(turned=0.4)
    row = indexed.monitor()
    assert row["causes"] == ["provider"]
    assert 0.5 < row["canary_cosine"] < 0.999
    fell = f"canary cosine fell from 1.000 to {row['canary_cosine']:.3f}"
    assert row["verdict"] == f"retrieval drift since batch {batch_id}: provider change; {fell}"


def test_texts_embedded_twice_that_disagree_are_a_provider_change(indexed: Monitoring, builder: LakeBuilder) -> None:
    builder.embed = lambda text: WordsModel().vector(text).tolist()
    builder.publish({"a": ["the tide turns"], "b": ["the crane lifts"]})
    indexed.monitor()
    builder.embed = lambda text: WordsModel(turned=0.4).vector(text).tolist()
    builder.publish({"c": ["the tide turns"], "d": ["the ferry waits"]})
    row = indexed.monitor()
    assert row["causes"] == ["provider"]
    assert "1 texts embedded twice agree to" in row["verdict"]


def test_an_index_that_lacks_records_is_an_index_fault(indexed: Monitoring, following: Following) -> None:
    indexed.embed(corpus(12))
    following.sync()
    following.index.delete(following.namespace, sorted(following.records())[:10])
    Reconciling(following).reconcile(repair="never")
    row = indexed.monitor()
    assert row["causes"] == ["index"]
    assert row["fidelity"] < 0.95 and row["recall"] < 0.95
    assert "index fault" in row["verdict"]
    Reconciling(following).reconcile(repair_limit=1)
    repaired = indexed.monitor()
    assert (repaired["is_drift"], repaired["recall"]) == (False, 1.0)


def test_an_index_is_asked_for_each_chunk_once_where_two_batches_embedded_it(
    indexed: Monitoring, following: Following, builder: LakeBuilder
) -> None:
    documents = {f"{number}.md": [f"text {number} {part}" for part in range(4)] for number in range(5)}
    undone = builder.publish(documents)
    builder.reject(undone)
    builder.publish(documents)
    builder.put_back(undone)
    following.sync()
    row = indexed.monitor()
    assert (row["recall"], "index" in row["causes"]) == (1.0, False)


def test_an_index_that_a_roll_back_is_ahead_of_is_not_blamed(indexed: Monitoring, following: Following) -> None:
    indexed.embed(corpus(8))
    batch_id = indexed.embed(edited(corpus(8), 6))
    following.sync()
    RollingBack(following).roll_back(without_batch=batch_id)
    row = indexed.monitor()
    assert (row["recall"], "index" in row["causes"]) == (None, False)
    assert "a roll-back came after" in indexed.measures(row)["index_recall"]["detail"]
    following.sync()
    assert indexed.monitor()["recall"] == 1.0


def test_an_index_that_a_sync_writes_to_is_not_asked(indexed: Monitoring, following: Following, builder: LakeBuilder) -> None:
    builder.publish({"a": ["alpha", "beta"]})
    following.sync()
    Releases(indexed.lake).change(lambda rows: [row | {"open_syncs": ["a sync"]} for row in rows if row["profile"] == indexed.profile])
    row = indexed.monitor()
    assert row["recall"] is None
    assert "a sync is writing" in indexed.measures(row)["index_recall"]["detail"]


def test_an_index_that_is_down_is_said_and_fails_nothing(indexed: Monitoring, following: Following) -> None:
    indexed.embed(corpus(4))
    following.sync()
    following.delete_index()
    row = indexed.monitor()
    assert (row["is_drift"], row["recall"]) == (False, None)
    assert "the index was not asked" in indexed.measures(row)["index_recall"]["detail"]
