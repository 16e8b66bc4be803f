"""Verdicts that follow each other: ordinary weeks, a drift that lasts, one that is rolled back, one that is meant."""

from datetime import timedelta

import pytest

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.monitoring_tables import DRIFT_MEASURES, DRIFT_SAMPLES, DRIFT_VERDICTS
from embedding_lakehouse.errors import AlarmRaised, InputError, NothingToDo
from embedding_lakehouse.steps.monitor_embeddings.alarming import retrieval_has_not_drifted
from embedding_lakehouse.steps.monitor_embeddings.concluding import conclude_comparison
from embedding_lakehouse.steps.monitor_embeddings.planning import plan_comparison, sample_states
from embedding_lakehouse.steps.roll_back_embeddings.applying import apply_roll_back
from embedding_lakehouse.steps.roll_back_embeddings.planning import plan_roll_back
from embedding_lakehouse.steps.set_up import create_views
from tests.drift_fixtures import KITCHEN, Monitoring, WordsModel, corpus, moment, prose
from tests.lake_builder import LakeBuilder

DAYS = 7


def next_day(documents: dict[str, str], day: int) -> dict[str, str]:
    """Two documents edited, one new, and every other day one gone."""
    names = sorted(documents)
    edits = {name: f"{documents[name]}\n\n{prose(f'{name} on day {day}', paragraphs=1)}" for name in names[day * 3 : day * 3 + 2]}
    gone = names[-1:] if day % 2 else []
    kept = {name: text for name, text in (documents | edits).items() if name not in gone}
    return kept | {f"doc of day {day}": prose(f"new on day {day}")}


def test_a_week_of_ordinary_batches_raises_nothing(monitoring: Monitoring) -> None:
    documents = corpus(30)
    monitoring.embed(documents, at=moment(0))
    verdicts = [monitoring.monitor(now=moment(0) + timedelta(hours=1))]
    for day in range(1, DAYS + 1):
        documents = next_day(documents, day)
        monitoring.embed(documents, at=moment(day))
        verdicts.append(monitoring.monitor(now=moment(day) + timedelta(hours=1)))
    weekly = monitoring.monitor(now=moment(DAYS) + timedelta(hours=2), is_daily=True)
    assert [row["is_drift"] for row in verdicts] == [False] * (DAYS + 1)
    assert all(row["changed_document_count"] == 3 for row in verdicts[1:])
    assert (weekly["is_drift"], weekly["baseline_batch_number"]) == (False, verdicts[0]["batch_number"])
    assert weekly["changed_document_count"] > 14
    for row in (*verdicts, weekly):
        retrieval_has_not_drifted(row["monitor_id"], monitoring.lake)


def test_a_drift_lasts_over_later_batches_until_it_is_rolled_back(monitoring: Monitoring) -> None:
    documents = corpus(30)
    good = monitoring.embed(documents)
    monitoring.monitor()
    documents |= {name: prose(name, KITCHEN) for name in documents if name >= "doc 008"}
    bad = monitoring.embed(documents)
    first = monitoring.monitor()
    monitoring.embed(documents | {"doc 000": prose("an edit")})
    later = monitoring.monitor()
    assert [(row["causes"], row["since_batch_id"], row["baseline_id"]) for row in (first, later)] == [(["source"], bad, good)] * 2
    assert first["since_at"] == later["since_at"] == first["measured_at"]
    with pytest.raises(AlarmRaised, match=f"drift of profile 'watched' since .*retrieval drift since batch {bad}: source change"):
        retrieval_has_not_drifted(later["monitor_id"], monitoring.lake)

    plan = plan_roll_back(monitoring.profile, to=good, reason="a test", lake=monitoring.lake)
    apply_roll_back(plan, "roll_back_embeddings", "a run", monitoring.lake)
    back = monitoring.monitor()
    assert (back["is_drift"], back["since_batch_id"], back["since_at"]) == (False, None, None)
    assert back["changed_document_count"] == 0
    retrieval_has_not_drifted(back["monitor_id"], monitoring.lake)


def test_a_drift_that_is_meant_is_the_state_to_compare_with(indexed: Monitoring, builder: LakeBuilder) -> None:
    builder.publish({f"doc {number}": [f"first {number}. second {number}. ", "third."] for number in range(4)})
    indexed.monitor()
    meant = builder.publish({f"doc {number}": [f"first {number}. ", f"second {number}. ", "third."] for number in range(4)})
    accepted = indexed.monitor(accept="the splitter was mended")
    assert (accepted["causes"], accepted["accepted_reason"]) == (["chunking"], "the splitter was mended")
    assert accepted["verdict"].endswith("; accepted: the splitter was mended")
    retrieval_has_not_drifted(accepted["monitor_id"], indexed.lake)
    after = indexed.monitor()
    assert (after["is_drift"], after["baseline_id"]) == (False, meant)


def test_the_history_is_a_view_with_the_main_figures(indexed: Monitoring, builder: LakeBuilder) -> None:
    create_views(indexed.lake)
    builder.embed = lambda text: WordsModel().vector(text).tolist()
    builder.publish({"a": ["one. two. ", "three."]})
    builder.publish({"a": ["one. ", "two. ", "three."]})
    row = indexed.monitor()
    connection = indexed.lake.sql.connect()
    cursor = connection.cursor()
    cursor.execute("select cause, exceeded_measures, changed_share, monitor_id from embeddings_db.embedding_drift")
    assert cursor.fetchall() == [["chunking", ["rechunked_documents"], 0.0, row["monitor_id"]]]
    connection.close()


def test_a_conclusion_that_runs_twice_is_recorded_once_and_leaves_no_sample(indexed: Monitoring, builder: LakeBuilder) -> None:
    builder.publish({"a": ["one"]})
    builder.publish({"a": ["two"]})
    compared = sample_states(plan_comparison(indexed.profile, lake=indexed.lake), indexed.lake)
    groups = list(indexed.measured(compared))
    for _ in range(2):
        conclude_comparison(compared, groups, lake=indexed.lake)
    counts = [indexed.lake.table(table).scan().count() for table in (DRIFT_VERDICTS, DRIFT_SAMPLES, DRIFT_MEASURES)]
    assert counts == [1, 0, sum(map(len, groups))]


def test_a_lake_where_nothing_was_embedded_has_nothing_to_monitor(lake: Lake) -> None:
    with pytest.raises(NothingToDo, match="nothing was ever embedded"):
        plan_comparison("small", lake=lake)


def test_a_time_names_the_state_that_was_current_then_and_one_that_never_was_is_refused(monitoring: Monitoring) -> None:
    first = monitoring.embed({"a": "Alpha."}, at=moment(1))
    monitoring.embed({"a": "Alpha, edited.", "b": "Beta."}, at=moment(2))
    planned = plan_comparison(monitoring.profile, moment(1.5).isoformat(), lake=monitoring.lake)
    assert (planned["baseline_kind"], planned["baseline_number"], planned["is_watch"]) == ("time", 1, False)
    by_name = plan_comparison(monitoring.profile, first, lake=monitoring.lake)
    for never in ("yesterday", "2001-01-31T12:00:00Z", moment(1.5).replace(tzinfo=None).isoformat(), "nobody-r1"):
        with pytest.raises(InputError):
            plan_comparison(monitoring.profile, never, lake=monitoring.lake)
    assert (by_name["baseline_kind"], by_name["counts"]) == ("batch", planned["counts"])
    assert {key: planned["counts"][key] for key in ("added", "edited", "removed", "unchanged")} == {
        "added": 1,
        "edited": 1,
        "removed": 0,
        "unchanged": 0,
    }
