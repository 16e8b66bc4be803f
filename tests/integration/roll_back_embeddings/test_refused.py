"""What a roll-back refuses, and what waits for it: unknown moments, open batches, stale plans, and its own half-done state."""

from datetime import datetime

import pytest

from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.core.batches import ROLL_BACK
from embedding_lakehouse.core.roll_backs import RollBack
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, SOURCE_DOCUMENTS
from embedding_lakehouse.errors import ConfigurationError, ConflictError, InputError, NothingToDo
from embedding_lakehouse.settings import profile
from embedding_lakehouse.steps.embed_documents import planning
from embedding_lakehouse.steps.roll_back_embeddings.applying import apply_roll_back
from embedding_lakehouse.steps.roll_back_embeddings.planning import plan_roll_back
from tests.batches import put_documents, run_batch
from tests.roll_back_fixtures import RollingBack

FIRST = {"a": "Alpha.", "b": "Beta."}
SECOND = {"a": "Alpha, edited.", "c": "Gamma."}


@pytest.fixture
def published(rolling: RollingBack) -> list[str]:
    """Two published and synced batches."""
    ids = []
    for documents in (FIRST, SECOND):
        ids.append(rolling.embed(documents))
        rolling.sync()
    return ids


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"to": "yesterday"}, "neither a batch, a snapshot nor a time"),
        ({"to": "2026-01-31T12:00"}, "has no time zone"),
        ({"to": "2001-01-31T12:00+00:00"}, "was published by"),
        ({"to": "1234567890"}, "is no moment of profile"),
        ({"without_batch": "20010101T000000-abcdef"}, "is no moment of profile"),
        ({}, "either `to`"),
        ({"to": "x", "without_batch": "y"}, "either `to`"),
        ({"to": "x", "reason": " "}, "needs a reason"),
    ],
)
def test_a_wrong_request_is_refused_with_what_there_is(rolling: RollingBack, published: list[str], asked: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        rolling.plan(**asked)
    assert "moment of" not in message or published[1] in str(refused.value)


def test_a_snapshot_of_any_table_and_a_time_name_a_moment(rolling: RollingBack, published: list[str]) -> None:
    first = rolling.row(published[0])
    for moment in (first["versions_snapshot"], first["embeddings_snapshot"], first["published_at"].isoformat(), published[0]):
        assert RollBack.of_keys(rolling.plan(to=str(moment))).undone == [published[1]]


def test_a_snapshot_that_another_profile_made_names_the_moment_before_it(rolling: RollingBack, published: list[str]) -> None:
    run_batch(rolling.lake, "other")
    moment = head_snapshot(rolling.lake.table(DOCUMENT_VERSIONS)).snapshot_id
    rolling.embed({"a": "Alpha, edited again."})
    assert len(RollBack.of_keys(rolling.plan(to=str(moment))).undone) == 1


def test_an_expired_moment_is_reached_all_the_same(rolling: RollingBack, published: list[str]) -> None:
    for declared in (DOCUMENT_VERSIONS, DOCUMENT_EMBEDDINGS, SOURCE_DOCUMENTS):
        table = rolling.lake.table(declared)
        for tag in [name for name in table.refs() if name != "main"]:
            table.manage_snapshots().remove_tag(tag).commit()
        table.maintenance.expire_snapshots().older_than(datetime.now()).commit()
    expired = rolling.row(published[0])["versions_snapshot"]
    assert rolling.lake.table(DOCUMENT_VERSIONS).snapshot_by_id(expired) is None
    rolling.roll_back(to=str(expired))
    assert rolling.current() == {"a": ["Alpha."], "b": ["Beta."]}


def test_a_state_that_is_current_and_a_batch_that_is_rejected_are_nothing_to_do(rolling: RollingBack, published: list[str]) -> None:
    with pytest.raises(NothingToDo):
        rolling.plan(to=published[1])
    rolling.roll_back(without_batch=published[0])
    with pytest.raises(NothingToDo):
        rolling.plan(without_batch=published[0])


def test_another_profile_is_left_alone(rolling: RollingBack, published: list[str]) -> None:
    other = run_batch(rolling.lake, "other")
    with pytest.raises(InputError, match="is no moment of profile"):
        rolling.plan(without_batch=other.batch_id)
    before = state_of_profile(rolling, "other")
    rolling.roll_back(to=published[0])
    assert state_of_profile(rolling, "other") == before
    assert rolling.states()[other.batch_id] == "published"


def state_of_profile(rolling: RollingBack, name: str) -> list[dict]:
    rows = rolling.lake.table(DOCUMENT_VERSIONS).scan().to_arrow().to_pylist()
    return [row for row in rows if row["profile"] == name]


def test_a_roll_back_waits_for_the_open_batch_and_leaves_it_alone(rolling: RollingBack, published: list[str]) -> None:
    run = rolling.begin({"a": "Alpha, edited.", "d": "Delta."})
    with pytest.raises(ConflictError, match=run.batch_id):
        rolling.plan(to=published[0])
    run.publish()
    assert rolling.current() == {"a": ["Alpha, edited."], "d": ["Delta."]}


@pytest.mark.parametrize("is_published", [True, False], ids=["published", "open"])
def test_a_plan_that_a_batch_overtook_changes_nothing(rolling: RollingBack, published: list[str], is_published: bool) -> None:
    plan = rolling.plan(to=published[0])
    if is_published:
        rolling.embed({"a": "Alpha, edited again."})
    else:
        rolling.begin({"a": "Alpha, edited again."})
    before = rolling.states(), rolling.current()
    with pytest.raises(ConflictError):
        apply_roll_back(plan, lake=rolling.lake)
    assert (rolling.states(), rolling.current()) == before


def begin_only(rolling: RollingBack, to: str) -> dict:
    """A roll-back that was killed after its batches were marked, before the ledger moved."""
    plan = rolling.plan(to=to)
    run = {"dag_id": "roll_back_embeddings", "run_id": "a killed run"}
    batches.begin_roll_back(rolling.lake, profile(rolling.profile), RollBack.of_keys(plan), run)
    return plan


def test_a_half_done_roll_back_stops_embedding_and_syncing_and_is_finished_by_the_next_one(
    rolling: RollingBack, published: list[str]
) -> None:
    records = rolling.records()
    plan = begin_only(rolling, published[0])
    put_documents(rolling.lake, {"a": "Alpha, edited again."})
    changes = planning.detect_changes(rolling.profile, rolling.lake)
    for discard_open in (False, True):
        with pytest.raises(ConflictError, match="a killed run"):
            planning.plan_batch(rolling.profile, changes, "embed_documents", "r", discard_open, rolling.lake)
    assert rolling.sync() == (0, 0)
    assert rolling.records() == records

    finishing = rolling.plan(to="anything")
    assert (finishing["batch_id"], finishing["is_begun"]) == (plan["batch_id"], True)
    apply_roll_back(finishing, lake=rolling.lake)
    rolling.sync()
    assert rolling.current() == {"a": ["Alpha."], "b": ["Beta."]}
    assert rolling.records() == rolling.expected_records()


def test_a_sync_that_needs_a_rejected_vector_stops_and_says_so(rolling: RollingBack, published: list[str]) -> None:
    rolling.embed({"a": "Alpha, edited.", "c": "Gamma.", "d": "Delta."})
    records = rolling.records()
    begin_only(rolling, published[1])
    with pytest.raises(ConflictError, match="being published or rolled back"):
        rolling.sync()
    assert rolling.records() == records


def test_applying_twice_and_late_changes_nothing_more(rolling: RollingBack, published: list[str]) -> None:
    plan = rolling.roll_back(to=published[0])
    after = rolling.states(), rolling.current(), head_snapshot(rolling.lake.table(DOCUMENT_VERSIONS)).snapshot_id
    apply_roll_back(plan, lake=rolling.lake)
    assert (rolling.states(), rolling.current(), head_snapshot(rolling.lake.table(DOCUMENT_VERSIONS)).snapshot_id) == after
    assert [row["kind"] for row in batches.journal(rolling.lake).rows() if row["kind"]] == [ROLL_BACK]


def test_an_unknown_profile_is_named(rolling: RollingBack) -> None:
    with pytest.raises(ConfigurationError, match="unknown profile 'nobody'"):
        plan_roll_back("nobody", to="2026-01-31T12:00+00:00", reason="a test", lake=rolling.lake)
