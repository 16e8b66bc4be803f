"""Records through the real SDK: written in every form, found, fetched, listed, updated and deleted."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from pinecone import Index, NotFoundError, PineconeValueError, Vector
from pinecone.errors import ApiError, PayloadTooLargeError, ServiceError

from tests.integration.pinecone_server.conftest import API_KEY, Server


def ids_of(index: Index, **listing: str) -> list[str]:
    return [item.id for page in index.list(**listing) for item in page.vectors]


def test_records_come_in_every_form_the_sdk_takes(index: Index):
    forms = [("a", [1.0, 0.0]), ("b", [0.0, 1.0], {"n": 1}), {"id": "c", "values": [1.0, 1.0]}, Vector("d", [1.0, 2.0], metadata={"n": 2})]

    assert index.upsert(vectors=forms).upserted_count == 4
    assert ids_of(index) == ["a", "b", "c", "d"]


def test_a_batched_upsert_writes_everything_once(index: Index):
    records = [(f"id-{number:04d}", [number + 1.0, 1.0]) for number in range(2500)]

    written = index.upsert(vectors=records, batch_size=200, show_progress=False)

    assert (written.upserted_count, written.has_errors) == (2500, False)
    assert ids_of(index) == [name for name, _ in records]


def test_a_data_frame_is_written(index: Index):
    frame = pd.DataFrame({"id": ["a", "b"], "values": [[1.0, 0.0], [0.0, 1.0]], "metadata": [{"n": 1}, {"n": 2}]})

    index.upsert_from_dataframe(frame, show_progress=False)

    assert index.fetch(ids=["b"]).vectors["b"].metadata == {"n": 2}


def test_of_records_with_one_id_in_an_upsert_the_last_counts(index: Index):
    index.upsert(vectors=[("same", [1.0, 0.0], {"n": 1}), ("other", [1.0, 1.0]), ("same", [0.0, 1.0], {"n": 2})])

    same = index.fetch(ids=["same"]).vectors["same"]
    assert (same.values, same.metadata) == ([0.0, 1.0], {"n": 2})
    assert index.describe_index_stats().total_vector_count == 2


def test_an_upsert_replaces_values_and_metadata_whole(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0], {"old": 1})])
    index.upsert(vectors=[("a", [0.0, 1.0], {"new": 2})])

    record = index.fetch(ids=["a"]).vectors["a"]
    assert (record.values, record.metadata) == ([0.0, 1.0], {"new": 2})


def test_vectors_come_back_bit_for_bit_as_float32(server: Server):
    index = server.create_index(dimension=384)
    vectors = np.random.default_rng(7).normal(size=(50, 384)).astype(np.float32)
    index.upsert(vectors=[(str(row), vector.tolist()) for row, vector in enumerate(vectors)])

    fetched = index.fetch(ids=[str(row) for row in range(50)]).vectors
    assert np.array_equal(np.array([fetched[str(row)].values for row in range(50)], dtype=np.float32), vectors)


def test_metadata_keeps_its_types_and_makes_every_number_a_float(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0], {"text": "ä", "whole": 3, "part": 0.5, "flag": True, "list": ["x", "y"], "": "no name"})])

    metadata = index.fetch(ids=["a"]).vectors["a"].metadata
    assert metadata == {"text": "ä", "whole": 3, "part": 0.5, "flag": True, "list": ["x", "y"], "": "no name"}
    assert isinstance(metadata["whole"], float)


@pytest.mark.parametrize("metric", ["cosine", "dotproduct", "euclidean"])
def test_a_query_finds_the_exact_nearest_by_every_metric(server: Server, metric: str):
    index = server.create_index(dimension=16, metric=metric)
    vectors = np.random.default_rng(3).normal(size=(300, 16)).astype(np.float32)
    index.upsert(vectors=[(f"{row:03d}", vector.tolist()) for row, vector in enumerate(vectors)])
    query = np.random.default_rng(4).normal(size=16)
    wide = vectors.astype(np.float64)
    scores = {
        "cosine": wide @ query / (np.linalg.norm(wide, axis=1) * np.linalg.norm(query)),
        "dotproduct": wide @ query,
        "euclidean": ((wide - query) ** 2).sum(axis=1),
    }[metric]
    nearest = np.argsort(scores if metric == "euclidean" else -scores)[:10]

    matches = index.query(vector=query.tolist(), top_k=10).matches

    assert [match.id for match in matches] == [f"{row:03d}" for row in nearest]
    assert [match.score for match in matches] == pytest.approx(scores[nearest].tolist(), rel=1e-4, abs=1e-5)


def test_a_query_by_id_uses_that_record_and_finds_it_first(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0]), ("b", [1.0, 0.1]), ("c", [0.0, 1.0])])

    assert [match.id for match in index.query(id="a", top_k=2).matches] == ["a", "b"]


def test_a_query_by_an_unknown_id_finds_nothing(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0])])

    assert index.query(id="missing", top_k=1).matches == []


def test_values_and_metadata_come_only_when_asked_for(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0], {"n": 1})])

    (bare,) = index.query(vector=[1.0, 0.0], top_k=1).matches
    (full,) = index.query(vector=[1.0, 0.0], top_k=1, include_values=True, include_metadata=True).matches
    assert (bare.values, bare.metadata) == ([], None)
    assert (full.values, full.metadata) == ([1.0, 0.0], {"n": 1})


def test_records_of_one_score_come_in_the_order_of_their_ids(index: Index):
    index.upsert(vectors=[(name, [1.0, 1.0]) for name in ("d", "b", "a", "c")])

    assert [match.id for match in index.query(vector=[1.0, 1.0], top_k=3).matches] == ["a", "b", "c"]


@pytest.mark.parametrize(("metric", "score"), [("dotproduct", 0.0), ("euclidean", 1.0)])
def test_a_query_of_zeros_is_answered_where_it_has_a_meaning(server: Server, metric: str, score: float):
    index = server.create_index(metric=metric)
    index.upsert(vectors=[("a", [1.0, 0.0])])

    assert [match.score for match in index.query(vector=[0.0, 0.0], top_k=1).matches] == [score]


def test_a_query_of_zeros_has_no_direction_for_the_cosine(index: Index):
    with pytest.raises(ApiError, match="non-zero") as refusal:
        index.query(vector=[0.0, 0.0], top_k=1)
    assert (refusal.value.status_code, refusal.value.body["code"]) == (400, 3)


def test_the_parameters_of_a_faster_search_are_taken(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0])])

    assert [match.id for match in index.query(vector=[1.0, 0.0], top_k=1, scan_factor=0.5, max_candidates=100_000).matches] == ["a"]


def test_a_filter_restricts_a_query(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0], {"year": 2019}), ("b", [1.0, 0.0], {"year": 2020}), ("c", [1.0, 0.0])])

    found = index.query(vector=[1.0, 0.0], top_k=10, filter={"year": {"$gte": 2020}})
    assert [match.id for match in found.matches] == ["b"]


def test_a_query_over_namespaces_merges_their_nearest(index: Index):
    index.upsert(vectors=[("far", [0.0, 1.0])], namespace="one")
    index.upsert(vectors=[("near", [1.0, 0.1])], namespace="two")

    found = index.query_namespaces(vector=[1.0, 0.0], namespaces=["one", "two", "three"], metric="cosine", top_k=5)
    assert [match.id for match in found.matches] == ["near", "far"]


def test_reads_of_a_namespace_that_does_not_exist_are_empty(index: Index):
    assert index.query(vector=[1.0, 0.0], top_k=1, namespace="missing").matches == []
    assert index.fetch(ids=["a"], namespace="missing").vectors == {}
    assert ids_of(index, namespace="missing") == []


def test_fetch_leaves_unknown_ids_out(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0])])

    assert set(index.fetch(ids=["a", "missing"]).vectors) == {"a"}


def test_a_thousand_ids_are_fetched_in_one_request(index: Index):
    names = [f"{number:040x}" for number in range(1000)]
    index.upsert(vectors=[(name, [1.0, 0.0]) for name in names])

    assert len(index.fetch(ids=names).vectors) == 1000


def test_fetch_by_metadata_pages_through_all_matches(index: Index):
    index.upsert(vectors=[(f"{number:03d}", [1.0, 0.0], {"even": number % 2 == 0}) for number in range(20)])

    pages, token = [], None
    while not pages or token:
        page = index.fetch_by_metadata(filter={"even": True}, limit=4, pagination_token=token)
        pages.append(sorted(page.vectors))
        token = page.pagination.next if page.pagination else None
    assert [len(page) for page in pages] == [4, 4, 2]
    assert [name for page in pages for name in page] == [f"{number:03d}" for number in range(0, 20, 2)]


def test_ids_are_listed_sorted_by_prefix_and_page(index: Index):
    index.upsert(vectors=[(name, [1.0, 0.0]) for name in ("doc2#1", "doc1#2", "doc1#1", "doc10#1", "doc1#3")])

    first = index.list_paginated(prefix="doc1#", limit=2)
    second = index.list_paginated(prefix="doc1#", limit=2, pagination_token=first.pagination.next)
    assert [item.id for item in first.vectors] == ["doc1#1", "doc1#2"]
    assert [item.id for item in second.vectors] == ["doc1#3"]
    assert second.pagination is None


def test_a_token_of_another_listing_is_refused(index: Index):
    index.upsert(vectors=[(f"a{number}", [1.0, 0.0]) for number in range(3)])
    token = index.list_paginated(prefix="a", limit=1).pagination.next

    with pytest.raises(ApiError, match="another prefix"):
        index.list_paginated(prefix="b", limit=1, pagination_token=token)
    with pytest.raises(ApiError, match="Invalid pagination token"):
        index.list_paginated(pagination_token="no token")


def test_an_update_by_id_changes_values_and_merges_metadata(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0], {"stays": 1, "changes": 1})])

    index.update(id="a", values=[0.0, 1.0], set_metadata={"changes": 2, "comes": 3})

    record = index.fetch(ids=["a"]).vectors["a"]
    assert (record.values, record.metadata) == ([0.0, 1.0], {"stays": 1, "changes": 2, "comes": 3})


def test_an_update_of_an_unknown_id_changes_nothing(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0])])

    index.update(id="missing", values=[0.0, 1.0])

    assert ids_of(index) == ["a"]


def test_an_update_by_filter_counts_first_and_changes_then(index: Index):
    index.upsert(vectors=[(f"{number}", [1.0, 0.0], {"kind": "x" if number < 3 else "y"}) for number in range(5)])

    tried = index.update(filter={"kind": "x"}, set_metadata={"seen": True}, dry_run=True)
    assert tried.matched_records == 3
    assert index.fetch(ids=["0"]).vectors["0"].metadata == {"kind": "x"}
    done = index.update(filter={"kind": "x"}, set_metadata={"seen": True})
    assert done.matched_records == 3
    assert {name: "seen" in vector.metadata for name, vector in index.fetch(ids=["0", "2", "3"]).vectors.items()} == {
        "0": True,
        "2": True,
        "3": False,
    }


def test_a_delete_by_id_ignores_unknown_ones(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0]), ("b", [1.0, 0.0])])

    index.delete(ids=["a", "missing"])

    assert ids_of(index) == ["b"]


def test_a_delete_by_filter_removes_what_matches(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0], {"n": 1}), ("b", [1.0, 0.0], {"n": 2}), ("c", [1.0, 0.0])])

    index.delete(filter={"n": {"$lt": 2}})

    assert ids_of(index) == ["b", "c"]


def test_deleting_all_leaves_an_empty_namespace(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0])], namespace="ns")

    index.delete(delete_all=True, namespace="ns")

    assert ids_of(index, namespace="ns") == []
    assert index.describe_namespace(name="ns").record_count == 0


def test_a_delete_in_a_namespace_that_does_not_exist_is_not_found(index: Index):
    with pytest.raises(NotFoundError) as refusal:
        index.delete(ids=["a"], namespace="missing")

    assert refusal.value.body == {"code": 5, "message": "Namespace not found", "details": []}


def test_statistics_count_every_namespace(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0])])
    index.upsert(vectors=[("a", [1.0, 0.0]), ("b", [1.0, 0.0])], namespace="ns")

    stats = index.describe_index_stats()
    assert {name: summary.vector_count for name, summary in stats.namespaces.items()} == {"__default__": 1, "ns": 2}
    assert (stats.total_vector_count, stats.dimension, stats.metric) == (3, 2, "cosine")


def test_statistics_take_no_filter_as_on_a_serverless_index(index: Index):
    with pytest.raises(ApiError, match="do not support") as refusal:
        index.describe_index_stats(filter={"n": 1})
    assert refusal.value.status_code == 400


def test_the_default_namespace_has_two_names(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0])])

    assert set(index.fetch(ids=["a"], namespace="__default__").vectors) == {"a"}


def test_a_wrong_dimension_is_refused_with_code_3(index: Index):
    with pytest.raises(ApiError) as refusal:
        index.upsert(vectors=[("a", [1.0, 2.0]), ("b", [1.0, 2.0, 3.0])])

    message = "Vector dimension 3 does not match the dimension of the index 2"
    assert (refusal.value.status_code, refusal.value.body) == (400, {"code": 3, "message": message, "details": []})


@pytest.mark.parametrize(
    ("record", "trouble"),
    [
        ({"id": "a", "values": [0.0, 0.0]}, "contains only zeros"),
        ({"id": "a", "values": [1e-9, 0.0]}, "contains only zeros"),
        ({"id": "a", "values": [1e39, 1.0]}, "finite"),
        ({"id": "a", "values": [None, 1.0]}, "list of numbers"),
        ({"id": "a", "values": ["1", 1.0]}, "list of numbers"),
        ({"id": "a", "values": [True, 0.5]}, "list of numbers"),
        ({"id": "a", "values": [0, False]}, "list of numbers"),
        ({"id": "a", "values": [True, False]}, "list of numbers"),
        ({"id": "a", "values": []}, "Vector dimension 0"),
        ({"id": "a"}, "list of numbers"),
        ({"id": "ä", "values": [1.0, 0.0]}, "must be ASCII"),
        ({"id": "", "values": [1.0, 0.0]}, "1 to 512"),
        ({"id": "a" * 513, "values": [1.0, 0.0]}, "1 to 512"),
        ({"id": 1, "values": [1.0, 0.0]}, "must be a string"),
        ({"id": "a", "values": [1.0, 0.0], "metadata": {"x": None}}, "got 'null' for field 'x'"),
        ({"id": "a", "values": [1.0, 0.0], "metadata": {"x": {"y": 1}}}, "for field 'x'"),
        ({"id": "a", "values": [1.0, 0.0], "metadata": {"x": [1, 2]}}, "for field 'x'"),
        ({"id": "a", "values": [1.0, 0.0], "metadata": {"$x": 1}}, r"must not begin with \$"),
        ({"id": "a", "values": [1.0, 0.0], "metadata": {"x": "y" * 40_960}}, "exceeds the limit of 40960 bytes"),
    ],
)
def test_a_record_that_cannot_be_stored_is_refused_and_nothing_of_its_request_is_written(
    server: Server, index: Index, record: dict, trouble: str
):
    with server.http() as http:
        refused = http.post(f"{index.host}/vectors/upsert", json={"vectors": [{"id": "good", "values": [1.0, 0.0]}, record]})

    assert (refused.status_code, refused.json()["code"]) == (400, 3)
    with pytest.raises(ValueError, match=trouble):
        raise ValueError(refused.json()["message"])
    assert index.describe_index_stats().total_vector_count == 0


def test_records_of_ones_and_zeros_are_stored(index: Index):
    index.upsert(vectors=[("a", [1, 0]), ("b", [0.0, 1.0])])

    assert {name: vector.values for name, vector in index.fetch(ids=["a", "b"]).vectors.items()} == {"a": [1.0, 0.0], "b": [0.0, 1.0]}


def test_sparse_values_are_refused_as_not_emulated(index: Index):
    with pytest.raises(ServiceError, match="does not emulate sparse"):
        index.upsert(vectors=[{"id": "a", "values": [1.0, 0.0], "sparse_values": {"indices": [1], "values": [0.5]}}])


def test_integrated_embedding_is_refused_as_not_emulated(index: Index):
    with pytest.raises(ServiceError, match="does not emulate integrated"):
        index.upsert_records(namespace="ns", records=[{"_id": "a", "text": "b"}])


def test_a_request_over_two_megabytes_is_too_large(server: Server):
    index = server.create_index(dimension=2000)
    record = np.random.default_rng(1).normal(size=2000).tolist()

    with pytest.raises(PayloadTooLargeError, match="exceeds the maximum supported size of 2MB"):
        index.upsert(vectors=[(str(number), record) for number in range(100)])


def test_more_than_a_thousand_records_are_refused(index: Index):
    with pytest.raises(ApiError, match="at most 1000 vectors") as refusal:
        index.upsert(vectors=[(str(number), [1.0, 0.0]) for number in range(1001)])
    assert refusal.value.status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "trouble"),
    [
        ("/vectors/delete", {"ids": [str(number) for number in range(1001)]}, "at most 1000 ids"),
        ("/vectors/delete", {}, "exactly one"),
        ("/vectors/delete", {"ids": ["a"], "deleteAll": True}, "exactly one"),
        ("/vectors/delete", {"filter": {}}, "empty metadata filter"),
        ("/vectors/update", {"setMetadata": {"a": 1}}, "either 'id' or 'filter'"),
        ("/vectors/update", {"filter": {"a": 1}, "values": [1.0, 0.0]}, "does not support updating vector values"),
        ("/vectors/fetch_by_metadata", {"filter": {}}, "Empty filter"),
        ("/query", {"vector": [1.0, 0.0], "topK": 10_001}, "topK must be"),
        ("/query", {"vector": [1.0, 0.0], "topK": 0}, "topK must be"),
        ("/query", {"vector": [1.0, 0.0]}, "topK must be"),
        ("/query", {"topK": 1}, "either 'id' or 'vector'"),
        ("/query", {"id": "a", "topK": 1, "scanFactor": 0.4}, "scanFactor must be"),
        ("/query", {"id": "a", "topK": 1, "scanFactor": 4.1}, "scanFactor must be"),
        ("/query", {"id": "a", "topK": 1, "scanFactor": "2"}, "scanFactor must be"),
        ("/query", {"id": "a", "topK": 1, "maxCandidates": 0}, "maxCandidates must be"),
        ("/query", {"id": "a", "topK": 1, "maxCandidates": 100_001}, "maxCandidates must be"),
        ("/query", {"id": "a", "topK": 1, "filter": []}, "A filter must be an object"),
        ("/query", {"vector": [1.0, 0.0], "id": "a", "topK": 1}, "either 'id' or 'vector'"),
        ("/query", {"vector": [1.0], "topK": 1}, "Vector dimension 1"),
        ("/query", {"vector": [1.0, 0.0], "topK": 1, "filter": {"a": {"$like": "b"}}}, "not a valid operator"),
        ("/vectors/upsert", {"vectors": []}, "Invalid request"),
        ("/vectors/upsert", {"vectors": "a"}, "Invalid request"),
        ("/vectors/upsert", {"vectors": [{"id": "a", "values": [1.0, 0.0]}], "namespace": "ä"}, "ASCII"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_code_3(server: Server, index: Index, path: str, body: dict, trouble: str):
    with server.http() as http:
        refused = http.post(f"{index.host}{path}", json=body)

    assert (refused.status_code, refused.json()["code"]) == (400, 3)
    assert trouble in refused.json()["message"]


@pytest.mark.parametrize("body", [b"{", b'{"vectors": [{"id": "a", "values": [NaN, 1]}]}', b'{"topK": Infinity}', b"[]", b"\xff\xfe"])
def test_a_body_that_is_no_json_is_refused(server: Server, index: Index, body: bytes):
    with server.http() as http:
        refused = http.post(f"{index.host}/vectors/upsert", content=body)

    assert (refused.status_code, refused.json()["code"]) == (400, 3)


def test_a_result_over_four_megabytes_is_refused(server: Server):
    index = server.create_index(dimension=500)
    vectors = np.random.default_rng(1).normal(size=(1000, 500))
    for start in range(0, 1000, 100):
        index.upsert(vectors=[(f"{row}", vectors[row].tolist()) for row in range(start, start + 100)])

    with pytest.raises(ApiError, match="lower topK"):
        index.query(vector=vectors[0].tolist(), top_k=1000, include_values=True)


def test_an_unknown_path_of_an_index_is_not_found_in_grpc_style(server: Server, index: Index):
    with server.http() as http:
        refused = http.post(f"{index.host}/vectors/nonsense", json={})

    assert (refused.status_code, refused.json()["code"]) == (404, 5)


def test_concurrent_writers_of_one_namespace_lose_nothing(index: Index):
    def write(writer: int) -> None:
        for batch in range(5):
            index.upsert(vectors=[(f"{writer}-{batch}-{number}", [1.0, number + 1.0]) for number in range(20)], namespace="shared")
            index.delete(ids=[f"{writer}-{batch}-0"], namespace="shared")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))

    expected = {f"{writer}-{batch}-{number}" for writer in range(8) for batch in range(5) for number in range(1, 20)}
    assert set(ids_of(index, namespace="shared")) == expected


def test_every_answer_has_a_request_id(index: Index):
    index.upsert(vectors=[("a", [1.0, 0.0])])

    first, second = (index.query(vector=[1.0, 0.0], top_k=1).response_info.request_id for _ in range(2))
    assert first and second and first != second


def test_the_sdk_checks_what_it_can_before_a_request(index: Index):
    with pytest.raises(PineconeValueError):
        index.query(vector=[1.0, 0.0], top_k=0)
    assert API_KEY not in repr(index)
