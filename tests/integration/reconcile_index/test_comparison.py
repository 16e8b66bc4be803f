"""What a comparison finds: every way in which a record can differ, and nothing else."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest

from embedding_lakehouse.clients.iceberg import drop_tag, scan
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.checksums import checksum
from embedding_lakehouse.core.index_tables import INDEX_FINDINGS, INDEX_RECONCILIATIONS
from embedding_lakehouse.core.records import encode_record, pack
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, SOURCE_DOCUMENTS, SYNC_CHANGES
from embedding_lakehouse.errors import ConfigurationError, ConflictError, NothingToDo
from embedding_lakehouse.steps.set_up import create_views
from tests.index_fixtures import Following
from tests.lake_builder import LakeBuilder
from tests.reconcile_fixtures import Reconciling

CORPUS = {"a.md": ["a one", "a two", "a three"], "b.md": ["b one", "b two"], "c.md": ["c one"]}
# Ids of our form, of other first characters, and those that need to be quoted in an address.
FOREIGN = ["0" * 64, "f" * 63 + "e", "abc", "Z9", "~tilde", " space first", "%41&=#?/", "A" * 64]


def put(following: Following, record_ids: list[str], **metadata: str) -> None:
    """Write records of somebody else into the namespace."""
    records = (encode_record(record_id, np.full(8, 0.5, np.float32), metadata) for record_id in record_ids)
    following.index.upsert(pack(records, following.namespace))


def delete_namespace(following: Following) -> None:
    """Remove the namespace behind everybody's back, with the alias that leads to it."""
    following.index._sdk._http.delete(f"/namespace-aliases/{following.profile.name}")
    following.index.delete_namespace(following.namespace)


def findings(reconciling: Reconciling) -> dict[str, tuple[str, str]]:
    """What the last comparison found: kind and detail by record."""
    name = reconciling.results["conclude"]["reconciliation_id"]
    rows = scan(reconciling.lake.table(INDEX_FINDINGS), reconciliation_id=name).to_arrow().to_pylist()
    assert len(rows) == len({row["record_id"] for row in rows})
    return {row["record_id"]: (row["finding"], row["detail"]) for row in rows}


@pytest.fixture
def synced(builder: LakeBuilder, following: Following) -> list[str]:
    """The ids of the records of a corpus that the index follows, rising."""
    builder.publish(CORPUS)
    following.sync()
    return sorted(builder.current())


def test_an_index_equal_to_the_record_has_no_findings(synced: list[str], reconciling: Reconciling):
    figures = reconciling.reconcile(repair="never")
    assert (figures["expected_count"], figures["listed_count"], figures["compared_count"]) == (6, 6, 6)
    assert (figures["fidelity"], figures["is_complete"], findings(reconciling)) == (1.0, True, {})


def test_removed_records_are_missing(synced: list[str], following: Following, reconciling: Reconciling):
    following.index.delete(following.namespace, synced[:2])
    figures = reconciling.reconcile(repair="never")
    assert findings(reconciling) == dict.fromkeys(synced[:2], ("missing", "is not there"))
    assert (figures["missing_count"], figures["fidelity"]) == (2, 4 / 6)


def test_foreign_records_are_orphaned_whatever_their_ids(synced: list[str], following: Following, reconciling: Reconciling):
    put(following, FOREIGN)
    figures = reconciling.reconcile(repair="never")
    assert findings(reconciling) == dict.fromkeys(FOREIGN, ("orphaned", "is not part of the record"))
    assert (figures["listed_count"], figures["fidelity"]) == (14, 6 / 14)


def test_a_changed_vector_is_stale(synced: list[str], following: Following, reconciling: Reconciling):
    following.index._sdk.update(id=synced[0], values=[0.5] * 8, namespace=following.namespace)
    reconciling.reconcile(repair="never")
    assert findings(reconciling) == {synced[0]: ("stale", "has another vector than the lake")}


def test_the_last_bit_of_a_vector_counts(synced: list[str], builder: LakeBuilder, following: Following, reconciling: Reconciling):
    vector = np.asarray(builder.current()[synced[0]]["embedding"], np.float32)
    vector[0] = np.nextafter(vector[0], np.float32(9))
    record = encode_record(synced[0], vector, following.records()[synced[0]].metadata)
    following.index.upsert(pack([record], following.namespace))
    reconciling.reconcile(repair="never")
    assert findings(reconciling) == {synced[0]: ("stale", "has another vector than the lake")}


def test_changed_metadata_is_stale_and_names_the_keys(synced: list[str], following: Following, reconciling: Reconciling):
    following.index._sdk.update(id=synced[0], set_metadata={"text": "x", "added": 1}, namespace=following.namespace)
    reconciling.reconcile(repair="never")
    assert findings(reconciling) == {synced[0]: ("stale", "has other metadata than the lake: added, text")}


def test_records_of_another_model_are_of_the_wrong_profile(synced: list[str], following: Following, reconciling: Reconciling):
    put(following, synced[:1], model_version="another-v2")
    reconciling.reconcile(repair="never")
    finding, detail = findings(reconciling)[synced[0]]
    assert (finding, "'another-v2'" in detail) == ("wrong_profile", True)


def test_a_namespace_that_is_gone_misses_everything(synced: list[str], following: Following, reconciling: Reconciling):
    delete_namespace(following)
    figures = reconciling.reconcile(repair="never")
    assert (figures["missing_count"], figures["fidelity"]) == (6, 0.0)


def test_a_lake_ahead_of_the_index_is_lag_and_no_difference(synced: list[str], builder: LakeBuilder, reconciling: Reconciling):
    builder.publish({"a.md": ["a one", "a four"]}, deleted=("b.md",))
    figures = reconciling.reconcile(repair="never")
    assert (figures["fidelity"], figures["expected_count"], figures["chunks_behind"]) == (1.0, 6, 7)


def test_a_title_that_the_source_no_longer_has_is_no_difference(
    builder: LakeBuilder, following: Following, reconciling: Reconciling, profile
):
    doc_id = f"titled-{profile.name}"
    builder.title({doc_id: "A title"})
    builder.publish({doc_id: ["some text"]})
    following.sync()
    following.lake.table(SOURCE_DOCUMENTS).delete(f"doc_id = '{doc_id}'")
    assert reconciling.reconcile(repair="never")["fidelity"] == 1.0


def test_a_sample_finds_all_ids_and_says_how_many_records_it_fetched(builder: LakeBuilder, following: Following, reconciling: Reconciling):
    builder.publish({f"{number}.md": [f"text {number}"] for number in range(40)})
    following.sync()
    gone = sorted(builder.current())[:3]
    following.index.delete(following.namespace, gone)
    put(following, FOREIGN)
    figures = reconciling.reconcile(repair="never", compare="sample", sample_share=0.3)
    assert (figures["missing_count"], figures["orphaned_count"], figures["is_sample"]) == (3, len(FOREIGN), True)
    assert 0 < figures["compared_count"] < 37
    named = scan(reconciling.lake.table(INDEX_FINDINGS), finding="missing").to_arrow().to_pylist()
    assert all(row["doc_id"] and row["source_file"] and row["source_batch"] for row in named)


def test_each_comparison_samples_other_records(builder: LakeBuilder, following: Following, reconciling: Reconciling):
    builder.publish({f"{number}.md": [f"text {number}"] for number in range(60)})
    following.sync()
    counts = [reconciling.reconcile(repair="never", compare="sample", sample_share=0.5)["compared_count"] for _ in range(2)]
    assert all(10 < count < 50 for count in counts)


def test_concluding_twice_records_once(synced: list[str], following: Following, reconciling: Reconciling):
    following.index.delete(following.namespace, synced[:1])
    figures = reconciling.reconcile(repair="never")
    reconciling.conclude()
    assert reconciling.results["conclude"] == figures
    assert scan(reconciling.lake.table(INDEX_RECONCILIATIONS)).count() == 1
    assert len(findings(reconciling)) == 1


@pytest.mark.parametrize("kind", ["records", "ids"])
def test_a_part_that_is_run_again_after_the_conclusion_is_refused(synced: list[str], reconciling: Reconciling, kind: str):
    reconciling.reconcile()
    key = {"records": "shard", "ids": "ids"}[kind]
    reconciling.results[kind] = [reconciling.compare(part) for part in reconciling.results["plan"] if key in part]
    with pytest.raises(ConflictError, match="concluded before"):
        reconciling.conclude()


def test_what_was_expected_is_dropped_once_it_was_compared(synced: list[str], reconciling: Reconciling):
    name = reconciling.reconcile(repair="never")["reconciliation_id"]
    assert scan(reconciling.lake.table(SYNC_CHANGES), sync_id=name).count() == 0


def test_the_checksum_and_count_of_the_release_are_set_right(synced: list[str], following: Following, reconciling: Reconciling, profile):
    releases = Releases(following.lake)
    releases.change(lambda rows: [row | {"record_count": 99, "id_checksum": None} for row in rows if row["profile"] == profile.name])
    reconciling.reconcile(repair="never")
    live = releases.live(profile.name)
    assert (live["record_count"], live["id_checksum"]) == (6, checksum(synced))


def test_fidelity_is_kept_over_time(synced: list[str], following: Following, reconciling: Reconciling):
    following.index.delete(following.namespace, synced[:3])
    reconciling.reconcile()
    reconciling.reconcile()
    create_views(reconciling.lake)
    with reconciling.lake.sql.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("select fidelity, repaired_at is not null from embeddings_db.index_fidelity order by compared_at")
        assert [tuple(row) for row in cursor.fetchall()] == [(0.5, True), (1.0, False)]


def test_a_release_that_was_never_synced_has_nothing_to_compare(builder: LakeBuilder, reconciling: Reconciling):
    builder.publish(CORPUS)
    with pytest.raises(NothingToDo, match="sync_index"):
        reconciling.reconcile()


def test_an_index_that_is_to_be_empty_is_compared_too(
    synced: list[str], builder: LakeBuilder, following: Following, reconciling: Reconciling
):
    builder.publish({}, deleted=tuple(CORPUS))
    following.sync()
    assert reconciling.reconcile()["fidelity"] == 1.0
    put(following, FOREIGN)
    assert reconciling.reconcile()["orphaned_count"] == len(FOREIGN)
    assert following.records() == {}


def test_a_batch_rejected_and_not_yet_synced_names_the_sync(builder: LakeBuilder, following: Following, reconciling: Reconciling):
    builder.publish(CORPUS)
    bad = builder.publish({"d.md": ["d one"]})
    following.sync()
    builder.reject(bad)
    with pytest.raises(ConflictError, match="sync_index"):
        reconciling.reconcile()
    left = scan(reconciling.lake.table(SYNC_CHANGES)).to_arrow()["sync_id"].unique()
    assert len(left) == 1


@pytest.mark.parametrize("declared", [DOCUMENT_VERSIONS, DOCUMENT_EMBEDDINGS], ids=["versions", "embeddings"])
def test_an_expired_watermark_names_the_rebuild(synced: list[str], builder: LakeBuilder, following: Following, reconciling, declared):
    live = Releases(following.lake).live(following.profile.name)
    builder.publish({"a.md": ["a four"]})
    table = following.lake.table(declared)
    drop_tag(table, f"release-{live['release_id']}")
    table.maintenance.expire_snapshots().older_than(datetime.now() + timedelta(days=1)).commit()
    with pytest.raises(ConfigurationError, match="rebuild_index"):
        reconciling.reconcile()


def test_a_data_file_that_is_gone_is_named(synced: list[str], reconciling: Reconciling):
    steps = reconciling.comparing()
    next(steps)
    name = reconciling.results["plan"][0]["comparison"]["expected"]["sync_id"]
    file = scan(reconciling.lake.table(SYNC_CHANGES), sync_id=name).to_arrow()["source_file"][0].as_py()
    Path(file.removeprefix("file://")).unlink()
    with pytest.raises(ConflictError, match=f"{file} was removed"):
        next(steps)


def test_what_travels_between_tasks_is_keys(synced: list[str], following: Following, reconciling: Reconciling):
    put(following, FOREIGN)
    reconciling.reconcile(repair="never")
    travelled = orjson.dumps([reconciling.results[name] for name in ("plan", "records", "ids", "conclude")])
    assert not any(record_id.encode() in travelled for record_id in [*synced, *FOREIGN[:2]])
