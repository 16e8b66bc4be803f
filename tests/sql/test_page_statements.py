"""What the statements of the page answer, over two batches of one profile, documents that wait, and checks that ran twice."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.hashing import content_hash
from embedding_lakehouse.core.monitoring_tables import QUALITY_RESULTS
from embedding_lakehouse.core.tables import INDEX_RELEASES
from embedding_lakehouse.page.documents import document_history
from embedding_lakehouse.page.reading import Reading
from embedding_lakehouse.steps.set_up import create_views
from tests.batches import BatchRun, put_documents, put_source_rows, run_batch
from tests.page_fixtures import BEGAN, VERDICT, append, record_alert, record_drift

FIRST = {"a": "Alpha.", "o'b": "It's beta.", "gone": "Gamma."}
SECOND = {"a": "Alpha.", "o'b": "It's beta anew.", "gone": "Gamma.", "copy": "Alpha."}
WAITED = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Shown:
    """The lake as the page reads it. Of the source as it is now one document is new, one was edited, one left."""

    lake: Lake
    first: BatchRun
    second: BatchRun

    @property
    def reading(self) -> Reading:
        return Reading(self.lake.sql, settings.profile("small"))


@pytest.fixture(scope="module")
def shown(module_lake: Lake) -> Shown:
    create_views(module_lake)
    put_documents(module_lake, FIRST)
    first = run_batch(module_lake)
    put_documents(module_lake, SECOND)
    shown = Shown(module_lake, first, run_batch(module_lake))
    texts = {"a": "Alpha.", "o'b": "It's beta, edited.", "copy": "Alpha.", "new": "Delta."}
    hours = {"o'b": 0, "new": 5}
    put_source_rows(
        module_lake,
        [
            {
                "doc_id": key,
                "document_text": text,
                "content_hash": content_hash(text),
                "updated_at": WAITED + timedelta(hours=hours.get(key, 9)),
            }
            for key, text in texts.items()
        ],
    )
    append(module_lake, INDEX_RELEASES, [*_releases(first.row["versions_snapshot"], shown.second.row["versions_snapshot"])])
    record_drift(module_lake, "small")
    record_alert(module_lake, "small")
    append(
        module_lake,
        QUALITY_RESULTS,
        [*_results(first.batch_id, ["failed", "passed", "warned"]), *_results(shown.second.batch_id, ["passed"])],
    )
    append(module_lake, QUALITY_RESULTS, _results(first.batch_id, ["accepted"], later=1))
    return shown


def _releases(*snapshots: int) -> list[dict]:
    """A retired release of the first batch, the live one of the second, and one whose snapshot has expired."""
    states = zip(("retired", "live", "verified"), (*snapshots, 1), strict=True)
    same = {"profile": "small", "index_name": "small", "created_at": BEGAN}
    return [same | {"release_id": state, "namespace": state, "state": state, "versions_snapshot": at} for state, at in states]


def _results(batch_id: str, verdicts: list[str], later: int = 0) -> list[dict]:
    same = {"batch_id": batch_id, "profile": "small", "severity": "fail", "checked_at": BEGAN + timedelta(hours=later), "sample": "[]"}
    return [same | {"check_name": f"check_{number}", "verdict": verdict} for number, verdict in enumerate(verdicts)]


def test_coverage_counts_each_way_to_differ_and_since_when(shown: Shown) -> None:
    coverage = shown.reading.coverage()
    assert coverage[:5] == (4, 2, 1, 1, 1)
    assert coverage.waiting_since == WAITED


def test_batches_come_newest_first_and_page_by_page(shown: Shown) -> None:
    newest = shown.reading.batches(1)
    older = shown.reading.batches(5, before=newest[0].batch_number)
    assert [[batch.batch_id for batch in rows] for rows in (newest, older)] == [[shown.second.batch_id], [shown.first.batch_id]]
    assert (newest[0].documents, newest[0].chunks_planned, newest[0].chunks_reused) == (2, 2, 1)
    assert shown.reading.batches(5, before=0) == []


def test_a_check_that_ran_again_counts_as_it_last_ran(shown: Shown) -> None:
    (batch,) = (batch for batch in shown.reading.batches(5) if batch.batch_id == shown.first.batch_id)
    assert (batch.passed_count, batch.warned_count, batch.failed_count, batch.accepted_count) == (1, 1, 0, 1)
    checks = shown.reading.checks(shown.first.batch_id)
    assert [(check.check_name, check.verdict) for check in checks] == [
        ("check_2", "warned"),
        ("check_0", "accepted"),
        ("check_1", "passed"),
    ]


def test_a_batch_is_shown_by_its_id_alone(shown: Shown) -> None:
    batch = shown.reading.batch(shown.first.batch_id)
    assert batch is not None
    assert (batch.profile, batch.state, batch.documents_new, batch.embeddings_snapshot) == (
        "small",
        "published",
        3,
        batches.batch(shown.lake, shown.first.batch_id)["embeddings_snapshot"],
    )
    assert shown.reading.batch("' or 1=1 --") is None


def test_costs_are_summed_in_all_and_since_a_time(shown: Shown) -> None:
    costs = shown.reading.costs(datetime(2100, 1, 1, tzinfo=UTC))
    assert (costs.chunks_planned, costs.chunks_embedded, costs.recent_chunks_planned, costs.recent_tokens) == (5, 4, 0, 0)
    assert shown.reading.costs(WAITED).recent_chunks_embedded == 4


def test_drift_comes_newest_first_and_its_measures_in_the_order_of_time(shown: Shown) -> None:
    (verdict,) = shown.reading.verdicts(1)
    assert (verdict.verdict, verdict.causes, verdict.is_drift) == (VERDICT, ["provider"], True)
    measures = shown.reading.measures(2)
    assert [(measure.monitor_id, measure.measure) for measure in measures] == [
        (f"small-{day}", name) for day in (6, 7) for name in ("canary_distance", "centroid_distance", "mean_text_length")
    ]


def test_comparisons_and_alerts_are_those_of_the_profile(shown: Shown) -> None:
    assert [(each.release_id, each.missing_count) for each in shown.reading.comparisons(5)] == [("small-r1", 1)]
    assert [alert.alert_id for alert in shown.reading.alerts(5)] == ["small-alert"]
    other = Reading(shown.lake.sql, settings.profile("other"))
    assert (other.comparisons(5), other.alerts(5), other.batches(5)) == ([], [], [])


@pytest.mark.parametrize(("text", "found"), [("O'B", ["o'b"]), ("o", ["copy", "o'b"]), ("%", []), ("", ["a", "copy", "new", "o'b"])])
def test_documents_are_found_by_a_part_of_their_id(shown: Shown, text: str, found: list[str]) -> None:
    assert [document.doc_id for document in shown.reading.documents(text, 10)] == found


def test_a_document_shows_its_versions_what_changed_and_its_chunks(shown: Shown) -> None:
    history = document_history(shown.lake, settings.profile("small"), "o'b", None, None)
    assert history is not None and history.comparison is not None
    assert [version.batch_id for version in history.versions] == [shown.second.batch_id, shown.first.batch_id]
    assert [(line.change, line.text) for line in history.comparison.lines] == [("removed", "It's beta."), ("added", "It's beta anew.")]
    assert [(chunk.row.chunk_text, chunk.row.batch_id) for chunk in history.chunks if chunk.row] == [
        ("It's beta anew.", shown.second.batch_id)
    ]


def test_an_older_version_shows_its_own_chunks(shown: Shown) -> None:
    number = shown.first.row["batch_number"]
    history = document_history(shown.lake, settings.profile("small"), "o'b", number, None)
    assert history is not None
    assert [chunk.row.chunk_text for chunk in history.chunks if chunk.row] == ["It's beta."]
    assert history.comparison is None


def test_a_copied_vector_names_the_batch_that_made_it(shown: Shown) -> None:
    history = document_history(shown.lake, settings.profile("small"), "copy", None, None)
    assert history is not None
    assert [(chunk.row.batch_id, chunk.row.copied_from_batch) for chunk in history.chunks if chunk.row] == [
        (shown.second.batch_id, shown.first.batch_id)
    ]


def held(shown: Shown, doc_id: str) -> dict[str, str | None]:
    history = document_history(shown.lake, settings.profile("small"), doc_id, None, None)
    return {each.release.release_id: each.content_hash for each in history.releases} if history else {}


def test_each_release_holds_the_version_of_its_own_state(shown: Shown) -> None:
    assert held(shown, "o'b") == {"live": content_hash("It's beta anew."), "retired": content_hash("It's beta."), "verified": None}


def test_a_release_from_before_a_document_does_not_hold_it(shown: Shown) -> None:
    assert held(shown, "copy") == {"live": content_hash("Alpha."), "verified": None}


def test_a_document_that_never_was_has_no_history(shown: Shown) -> None:
    assert document_history(shown.lake, settings.profile("small"), "none", None, None) is None
