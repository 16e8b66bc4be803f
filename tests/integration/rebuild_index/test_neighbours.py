"""What verification asks of Trino: the exact nearest records by each metric, and the ids that a release should hold."""

from collections.abc import Callable

import numpy as np
import pytest

from embedding_lakehouse.clients.rebuilds import exact_neighbours, measure, release_ids
from embedding_lakehouse.core.syncs import Sync
from tests.lake_builder import LakeBuilder
from tests.release_fixtures import Rebuilding

DOCUMENTS = {f"{number}.md": [f"text {number} {part}" for part in range(4)] for number in range(15)}
Similarity = Callable[[np.ndarray, np.ndarray], np.ndarray]


def by_cosine(records: np.ndarray, probe: np.ndarray) -> np.ndarray:
    return records @ probe / np.linalg.norm(records, axis=1) / np.linalg.norm(probe)


def by_product(records: np.ndarray, probe: np.ndarray) -> np.ndarray:
    return records @ probe


def by_distance(records: np.ndarray, probe: np.ndarray) -> np.ndarray:
    return -np.linalg.norm(records - probe, axis=1)


@pytest.fixture
def sync(builder: LakeBuilder, rebuilding: Rebuilding) -> Sync:
    """A plan of every record of the lake, some of which were edited and deleted before."""
    builder.publish(DOCUMENTS)
    builder.publish({"0.md": ["another text"]}, deleted=("1.md",))
    return Sync(**rebuilding.plan()[0]["sync"])


def test_the_nearest_records_are_those_of_numpy_by_every_metric(builder: LakeBuilder, sync: Sync):
    rows = builder.current()
    vectors = {name: np.asarray(row["embedding"], np.float64) for name, row in rows.items()}
    names, records = list(vectors), np.stack(list(vectors.values()))
    probes = sorted(names)[:3]
    asked = {name: vectors[name].astype(np.float32) for name in probes}
    for metric, similarity in (("cosine", by_cosine), ("dotproduct", by_product), ("euclidean", by_distance)):
        expected = {probe: {names[place] for place in np.argsort(-similarity(records, vectors[probe]))[:10]} for probe in probes}
        assert exact_neighbours(builder.lake, builder.profile, metric, sync, asked) == expected


def test_all_records_that_tie_with_the_tenth_are_neighbours(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.embed = lambda text: [1.0] * 8
    builder.publish(DOCUMENTS)
    sync = Sync(**rebuilding.plan()[0]["sync"])
    probe = min(builder.current())
    found = exact_neighbours(builder.lake, builder.profile, "cosine", sync, {probe: np.ones(8, np.float32)})
    assert found == {probe: builder.current().keys()}


def test_the_ids_of_a_release_are_listed_in_order_and_by_prefix(builder: LakeBuilder, sync: Sync):
    release = {"profile": sync.profile, "versions_snapshot": sync.versions_after}
    everything = list(release_ids(builder.lake, release))
    assert everything == sorted(builder.current())
    assert list(release_ids(builder.lake, release, "a")) == [name for name in everything if name.startswith("a")]
    assert measure(builder.lake, sync.profile, sync.versions_after) == (14, len(everything))
