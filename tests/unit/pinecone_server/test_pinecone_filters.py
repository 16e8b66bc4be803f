"""The metadata filter language of the development Pinecone server."""

import pytest

from dev.pinecone_server.errors import Refusal
from dev.pinecone_server.filters import compile_filter

RECORDS = {
    "comedy": {"genre": "comedy", "year": 2019.0, "rated": True},
    "drama": {"genre": "drama", "year": 2020.0, "rated": False},
    "both": {"genre": ["comedy", "drama"], "year": 2021.0},
    "bare": {},
    "texts": {"genre": "2019", "year": "2019", "rated": "true"},
    "ones": {"genre": "none", "year": 1.0, "rated": True},
}


def matched(condition: dict) -> set[str]:
    predicate = compile_filter(condition)
    return {name for name, metadata in RECORDS.items() if predicate(metadata)}


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ({"genre": "comedy"}, {"comedy", "both"}),
        ({"genre": {"$eq": "comedy"}}, {"comedy", "both"}),
        ({"genre": {"$ne": "comedy"}}, {"drama", "bare", "texts", "ones"}),
        ({"genre": {"$in": ["comedy", "none"]}}, {"comedy", "both", "ones"}),
        ({"genre": {"$nin": ["comedy", "none"]}}, {"drama", "bare", "texts"}),
        ({"genre": {"$in": []}}, set()),
        ({"genre": {"$nin": []}}, set(RECORDS)),
        ({"year": 2019}, {"comedy"}),
        ({"year": 2019.0}, {"comedy"}),
        ({"year": "2019"}, {"texts"}),
        ({"year": {"$in": [2019, "2019"]}}, {"comedy", "texts"}),
        ({"year": {"$gt": 2019}}, {"drama", "both"}),
        ({"year": {"$gte": 2019, "$lt": 2021}}, {"comedy", "drama"}),
        ({"year": {"$lte": 1.5}}, {"ones"}),
        ({"rated": True}, {"comedy", "ones"}),
        ({"rated": {"$ne": True}}, {"drama", "both", "bare", "texts"}),
        ({"rated": 1}, set()),
        ({"year": True}, set()),
        ({"rated": {"$in": [True, False]}}, {"comedy", "drama", "ones"}),
        ({"genre": {"$exists": True}}, set(RECORDS) - {"bare"}),
        ({"genre": {"$exists": False}}, {"bare"}),
        ({"genre": "comedy", "year": 2019}, {"comedy"}),
        ({"$and": [{"genre": "comedy"}, {"year": {"$gt": 2019}}]}, {"both"}),
        ({"$or": [{"year": 1}, {"$and": [{"genre": "drama"}, {"rated": False}]}]}, {"drama", "ones"}),
        ({"rated": True, "$or": [{"year": 1}, {"year": 2}]}, {"ones"}),
        ({}, set(RECORDS)),
        ({"missing": {"$gt": 0}}, set()),
        ({"missing": {"$ne": 1}}, set(RECORDS)),
    ],
)
def test_a_filter_matches(condition: dict, names: set[str]):
    assert matched(condition) == names


@pytest.mark.parametrize(
    ("condition", "trouble"),
    [
        ("genre", "must be an object"),
        ({"genre": ["comedy"]}, "compares with a string, number or boolean"),
        ({"genre": None}, "compares with a string, number or boolean"),
        ({"genre": {}}, "has no operator"),
        ({"genre": {"$like": "com"}}, "not a valid operator"),
        ({"genre": {"comedy": 1}}, "not a valid operator"),
        ({"year": {"$gt": "2019"}}, "takes a number"),
        ({"year": {"$gt": True}}, "takes a number"),
        ({"genre": {"$in": "comedy"}}, "takes a list"),
        ({"genre": {"$in": [None]}}, "compares with a string, number or boolean"),
        ({"genre": {"$in": ["x"] * 10_001}}, "at most 10000"),
        ({"genre": {"$exists": 1}}, "takes true or false"),
        ({"$eq": "comedy"}, "not allowed here"),
        ({"$not": {"genre": "comedy"}}, "not allowed here"),
        ({"$and": []}, "non-empty list"),
        ({"$or": {"genre": "comedy"}}, "non-empty list"),
        ({"$and": ["comedy"]}, "must be an object"),
    ],
)
def test_a_filter_that_is_none_is_refused(condition: object, trouble: str):
    with pytest.raises(Refusal, match=trouble):
        compile_filter(condition)


def test_a_filter_nested_beyond_reason_is_refused():
    condition: dict = {"genre": "comedy"}
    for _ in range(100):
        condition = {"$and": [condition]}

    with pytest.raises(Refusal, match="nested deeper"):
        compile_filter(condition)
