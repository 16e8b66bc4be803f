"""Alarms over a real lake: documents that wait, an index that is not the record, and the one that was raised already."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.reconciliations import Reconciliations
from embedding_lakehouse.core.monitoring_tables import ALERTS
from embedding_lakehouse.errors import AlarmRaised
from embedding_lakehouse.steps.monitor_embeddings.alarming import documents_are_fresh, index_equals_the_record
from tests.batches import put_documents, run_batch
from tests.drift_fixtures import moment
from tests.index_fixtures import Following


def compared(following: Following, day: int, fidelity: float) -> None:
    """Record a comparison of the live release."""
    counts = {f"{kind}_count": 0 for kind in ("expected", "listed", "compared", "missing", "orphaned", "stale", "wrong_profile", "newer")}
    name = f"{following.profile.name}-{day}"
    row = {"reconciliation_id": name, "release_id": following.namespace, "profile": following.profile.name, "fidelity": fidelity}
    Reconciliations(following.lake).record(row | counts | {"is_complete": True, "finished_at": moment(day)})


def note(lake: Lake, alarm: AlarmRaised, raised_at: datetime) -> None:
    """The alert of an alarm, as its listener writes it."""
    row: dict[str, Any] = {
        "alert_id": "a",
        "kind": alarm.kind,
        "profile": alarm.profile,
        "since_at": alarm.since_at,
        "raised_at": raised_at,
    }
    table = lake.table(ALERTS)
    table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))


def test_a_document_that_waits_longer_than_declared_is_an_alarm_until_it_is_embedded(lake: Lake) -> None:
    put_documents(lake, {"a": "Alpha.", "b": "Beta."})
    put = datetime.now(UTC)
    documents_are_fresh("small", lake, put + timedelta(hours=23, minutes=50))
    with pytest.raises(AlarmRaised, match="2 documents have waited longer than 24 hours for a current version") as raised:
        documents_are_fresh("small", lake, put + timedelta(hours=24, minutes=1))
    assert (raised.value.kind, raised.value.subject in ("a", "b")) == ("missed_freshness", True)
    run_batch(lake)
    documents_are_fresh("small", lake, put + timedelta(days=3))


def test_an_index_short_of_the_limit_is_an_alarm_since_it_first_was_and_one_never_compared_is_none(following: Following) -> None:
    index_equals_the_record(following.profile.name, following.lake)
    for day, fidelity in ((1, 0.9), (2, 1.0), (3, 0.95), (4, 0.97)):
        compared(following, day, fidelity)
    with pytest.raises(AlarmRaised, match=r"97\.0000% of release .* equals the record") as raised:
        index_equals_the_record(following.profile.name, following.lake)
    assert (raised.value.kind, raised.value.since_at) == ("low_fidelity", moment(3))
    compared(following, 5, 0.9995)
    index_equals_the_record(following.profile.name, following.lake)


def test_an_alarm_that_was_raised_is_raised_again_after_a_day(following: Following) -> None:
    compared(following, 1, 0.9)
    with pytest.raises(AlarmRaised) as raised:
        index_equals_the_record(following.profile.name, following.lake, moment(1))
    note(following.lake, raised.value, raised_at=moment(1))
    index_equals_the_record(following.profile.name, following.lake, moment(1.9))
    with pytest.raises(AlarmRaised):
        index_equals_the_record(following.profile.name, following.lake, moment(2))
