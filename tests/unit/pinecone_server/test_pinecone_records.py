"""The in-memory records of the development Pinecone server, against the plainest possible model of them."""

import random

import numpy as np
import pytest

from dev.pinecone_server.records import Change, Records
from dev.pinecone_server.versions import Versions


def put(*ids: str, value: float = 1.0) -> Change:
    vectors = np.array([[value, row + 1.0] for row in range(len(ids))], dtype=np.float32)
    return Change(list(ids), vectors, [{"n": value} for _ in ids])


def state(records: Records) -> dict[str, tuple[list[float], dict]]:
    return {name: (records.vector(row).tolist(), records.metadata[row]) for row, name in enumerate(records.ids)}


def test_records_equal_a_dictionary_after_any_sequence_of_changes():
    chance, records, model = random.Random(8), Records(2), {}

    for step in range(2000):
        ids = list(dict.fromkeys(f"{chance.randrange(400):03d}" for _ in range(chance.randrange(1, 30))))
        kind = chance.random()
        if kind < 0.6:
            change = put(*ids, value=float(step + 1))
            model |= {name: (vector.tolist(), {"n": float(step + 1)}) for name, vector in zip(ids, change.vectors, strict=True)}
        elif kind < 0.99:
            change = Change(ids)
            for name in ids:
                model.pop(name, None)
        else:
            change = Change(clear=True)
            model.clear()
        records.apply(change)
        assert len(records) == len(model)

    assert state(records) == model
    assert records.page("", None, 1000)[0] == sorted(model)


def test_readers_see_the_records_as_of_some_earlier_write_and_never_a_mixture():
    versions = Versions(Records(2), 0)
    history = [state(versions.committed)]
    for step in range(30):
        versions.commit(put("a", "b", value=step + 1.0) if step % 3 else Change(["a"]), delay_s=0.0 if step < 10 else 3600.0)
        history.append(state(versions.committed))

    versions.settle()

    assert (versions.lsn, versions.visible_lsn) == (30, 10)
    assert state(versions.visible) == history[10]
    assert state(versions.committed) == history[30]


@pytest.mark.parametrize("metric", ["cosine", "dotproduct", "euclidean"])
def test_a_filtered_search_equals_a_search_among_the_matching_alone(metric: str):
    vectors = np.random.default_rng(2).normal(size=(500, 8)).astype(np.float32)
    everything, matching = Records(8), Records(8)
    for row, vector in enumerate(vectors):
        change = Change([f"{row:03d}"], vector[None, :], [{"kind": float(row % 3)}])
        everything.apply(change)
        if row % 3 == 1:
            matching.apply(change)
    query = vectors[7] + 0.1

    found = everything.search(query, metric, 20, lambda metadata: metadata["kind"] == 1)
    expected = matching.search(query, metric, 20)

    assert [everything.ids[match.row] for match in found] == [matching.ids[match.row] for match in expected]
    assert [match.score for match in found] == pytest.approx([match.score for match in expected])


def test_a_vector_is_its_own_nearest_with_a_score_of_one():
    records = Records(64)
    vectors = np.random.default_rng(2).normal(size=(100, 64)).astype(np.float32)
    records.apply(Change([str(row) for row in range(100)], vectors, [{}] * 100))

    best = [records.search(vector, "cosine", 1)[0] for vector in vectors]
    assert [match.row for match in best] == list(range(100))
    assert all(0.999999 <= match.score <= 1 for match in best)


def test_the_distance_to_itself_is_zero_also_far_from_the_origin():
    records = Records(2)
    records.apply(Change(["a", "b"], np.array([[1e6, 1e6], [1e6, 1e6 + 1]], dtype=np.float32), [{}, {}]))

    assert [match.score for match in records.search(np.array([1e6, 1e6]), "euclidean", 2)] == [0.0, 1.0]


@pytest.mark.parametrize("metric", ["cosine", "dotproduct", "euclidean"])
def test_scores_at_the_end_of_float32_stay_finite(metric: str):
    records = Records(2)
    records.apply(Change(["a", "b"], np.array([[3e38, 3e38], [-3e38, 3e38]], dtype=np.float32), [{}, {}]))

    scores = [match.score for match in records.search(np.array([3e38, 1.0]), metric, 2)]
    assert len(scores) == 2
    assert np.isfinite(scores).all()
