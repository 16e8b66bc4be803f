"""Batches are taken back: what becomes current, what the index follows with, and that no text is embedded for it."""

from datetime import UTC, datetime

import pytest

from dev.stack import Stack
from embedding_lakehouse.core.roll_backs import RollBack
from embedding_lakehouse.core.tables import EMBEDDING_BATCHES
from embedding_lakehouse.errors import NothingToDo
from embedding_lakehouse.steps.roll_back_embeddings.applying import apply_roll_back
from tests.interruptions import Killed, killed_at_commit
from tests.roll_back_fixtures import RollingBack

FIRST = {"a": "Alpha.", "b": "# Beta\n\nThe text of beta.", "c": "Gamma."}
SECOND = {"a": "Alpha, edited.", "b": FIRST["b"], "d": "Delta is new."}
THIRD = {"a": "Alpha, edited.", "b": "# Beta\n\nThe text of beta.\n\n# More\n\nA section that is longer than what fits.", "e": "Epsilon."}


@pytest.fixture
def batches(rolling: RollingBack) -> list[str]:
    """Three published batches: edits, deletions and new documents, each synced."""
    published = []
    for documents in (FIRST, SECOND, THIRD):
        published.append(rolling.embed(documents))
        rolling.sync()
    rolling.model.texts.clear()
    return published


@pytest.fixture
def states(rolling: RollingBack) -> list[dict[str, list[str]]]:
    """What the three documents' states look like when they are current."""
    return [
        {"a": ["Alpha."], "b": [FIRST["b"]], "c": ["Gamma."]},
        {"a": ["Alpha, edited."], "b": [FIRST["b"]], "d": ["Delta is new."]},
        {"a": ["Alpha, edited."], "b": [FIRST["b"], "# More\n\nA section that is longer than what fits."], "e": ["Epsilon."]},
    ]


@pytest.mark.parametrize("moment", [0, 1])
def test_going_back_to_a_batch_makes_its_state_current_and_the_index_follows(
    rolling: RollingBack, batches: list[str], states: list[dict], moment: int
) -> None:
    plan = rolling.roll_back(to=batches[moment])
    assert {doc: [text.strip() for text in texts] for doc, texts in rolling.current().items()} == states[moment]
    assert rolling.sync() == (plan["records_upserted"], plan["records_deleted"])
    assert rolling.records() == rolling.expected_records()
    assert rolling.model.texts == []
    assert [rolling.states()[batch] for batch in batches] == ["published"] * (moment + 1) + ["rejected"] * (2 - moment)


def test_the_plan_says_what_will_happen_and_changes_nothing(rolling: RollingBack, batches: list[str]) -> None:
    before = rolling.states(), rolling.current()
    plan = RollBack.of_keys(rolling.plan(to=batches[0]))
    assert plan.undone == batches[1:]
    assert (plan.documents_restored, plan.documents_removed) == (3, 1)
    assert (plan.records_upserted, plan.records_deleted, plan.chunks_changed) == (2, 3, 5)
    assert batches[1] in plan.description and "No text is embedded" in plan.description
    assert (rolling.states(), rolling.current()) == before


def test_a_dry_run_ends_with_the_plan(rolling: RollingBack, batches: list[str]) -> None:
    with pytest.raises(NothingToDo, match="3 documents get another version, 1 are removed"):
        rolling.plan(to=batches[0], dry_run=True)
    assert set(rolling.states().values()) == {"published"}


def test_a_roll_back_is_rolled_back_like_any_batch(rolling: RollingBack, batches: list[str]) -> None:
    before = rolling.current(), rolling.records()
    undone = rolling.roll_back(to=batches[0])["batch_id"]
    rolling.sync()
    rolling.roll_back(without_batch=undone)
    rolling.sync()
    assert (rolling.current(), rolling.records()) == before
    assert [rolling.states()[batch] for batch in (*batches, undone)] == ["published"] * 3 + ["rejected"]
    assert rolling.model.texts == []


def test_a_deletion_that_was_put_back_is_undone_like_at_first(rolling: RollingBack) -> None:
    rolling.embed(FIRST)
    before = rolling.current()
    deletion = rolling.embed({name: text for name, text in FIRST.items() if name != "a"})
    undone = rolling.roll_back(without_batch=deletion)["batch_id"]
    rolling.roll_back(without_batch=undone)
    assert "a" not in rolling.current()
    rolling.roll_back(without_batch=deletion)
    rolling.sync()
    assert rolling.current() == before
    assert rolling.records() == rolling.expected_records()


def test_what_is_still_in_the_source_is_found_and_embedded_anew(rolling: RollingBack, batches: list[str]) -> None:
    rolling.roll_back(to=batches[0])
    rolling.sync()
    again = rolling.embed(THIRD)
    rolling.sync()
    assert sorted(text.strip() for text in rolling.model.texts) == [
        "# More\n\nA section that is longer than what fits.",
        "Alpha, edited.",
        "Epsilon.",
    ]
    assert rolling.records() == rolling.expected_records()
    assert {batch for _, batch in rolling.records().values()} == {batches[0], again}


def test_one_batch_is_undone_while_a_later_one_stays(rolling: RollingBack, batches: list[str]) -> None:
    rolling.roll_back(without_batch=batches[1])
    upserted, deleted = rolling.sync()
    current = rolling.current()
    assert current["a"] == ["Alpha."]
    assert current.keys() == {"a", "b", "c", "e"}
    assert (upserted, deleted) == (2, 1)
    assert rolling.records() == rolling.expected_records()
    assert rolling.model.texts == []


def test_a_later_version_that_rests_on_an_undone_vector_gives_way_until_it_is_embedded_again(rolling: RollingBack) -> None:
    section = "# More\n\nA section that is longer than what fits."
    rolling.embed({"b": FIRST["b"]})
    bad = rolling.embed({"b": f"{FIRST['b']}\n\n{section}"})
    last = {"b": f"{FIRST['b']}\n\n{section}\n\n# Last\n\nAnother section that is longer than that."}
    rolling.embed(last)
    rolling.sync()
    rolling.roll_back(without_batch=bad)
    rolling.sync()
    assert [text.strip() for text in rolling.current()["b"]] == [FIRST["b"]]
    assert rolling.records() == rolling.expected_records()
    rolling.model.texts.clear()
    rolling.embed(last)
    rolling.sync()
    assert [text.strip() for text in rolling.model.texts] == [section]
    assert rolling.records() == rolling.expected_records()


def test_a_copied_vector_goes_with_the_batch_that_made_it(rolling: RollingBack) -> None:
    rolling.embed({"a": "Alpha."})
    bad = rolling.embed({"a": "Alpha.", "b": "Wrong."})
    rolling.embed({"a": "Alpha.", "b": "Wrong.", "c": "Wrong."})
    rolling.embed({"a": "Alpha.", "c": "Wrong.", "d": "Wrong."})
    rolling.sync()
    rolling.roll_back(without_batch=bad)
    rolling.sync()
    assert rolling.current() == {"a": ["Alpha."]}
    assert rolling.records() == rolling.expected_records()


def test_undoing_a_roll_back_after_later_batches_keeps_those(rolling: RollingBack, batches: list[str]) -> None:
    undone = rolling.roll_back(to=batches[1])["batch_id"]
    rolling.embed({**SECOND, "f": "Phi."})
    rolling.sync()
    rolling.roll_back(without_batch=undone)
    rolling.sync()
    assert rolling.current().keys() == {"a", "b", "e", "f"}
    assert len(rolling.current()["b"]) == 2
    assert rolling.records() == rolling.expected_records()


def test_going_back_past_a_roll_back_takes_back_that_too(rolling: RollingBack, batches: list[str]) -> None:
    before = rolling.current(), rolling.records()
    rolling.roll_back(to=batches[1])
    rolling.sync()
    rolling.roll_back(to=batches[2])
    rolling.sync()
    assert (rolling.current(), rolling.records()) == before


def test_vectors_of_a_chunk_that_two_batches_made_follow_what_is_undone(rolling: RollingBack, batches: list[str]) -> None:
    rolling.roll_back(to=batches[1])
    again = rolling.embed(THIRD)
    rolling.sync()
    assert again in {batch for _, batch in rolling.records().values()}
    rolling.roll_back(to=batches[2])
    rolling.sync()
    assert {batch for _, batch in rolling.records().values()} <= set(batches)
    assert rolling.records() == rolling.expected_records()


def test_a_roll_back_that_was_killed_counts_from_when_its_ledger_was_current(
    rolling: RollingBack, batches: list[str], trino_stack: Stack
) -> None:
    plan = rolling.plan(to=batches[0])
    with pytest.raises(Killed):
        # The first commit begins it.
        apply_roll_back(plan, lake=killed_at_commit(rolling.lake, trino_stack, EMBEDDING_BATCHES.name, number=2))
    assert (rolling.states()[plan["batch_id"]], rolling.current()["a"]) == ("planned", ["Alpha."])
    answered_at = datetime.now(UTC)
    apply_roll_back(plan, lake=rolling.lake)
    row = rolling.row(plan["batch_id"])
    assert row["state"] == "published"
    assert row["planned_at"] < row["published_at"] <= answered_at
