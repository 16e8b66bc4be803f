"""The index equals the lake after every kind of change, and nothing but the difference travels."""

from datetime import datetime, timedelta

import pytest

from embedding_lakehouse.clients.iceberg import drop_tag, scan
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.checksums import checksum
from embedding_lakehouse.core.hashing import chunk_id
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS, INDEX_SYNCS
from embedding_lakehouse.errors import ConfigurationError, ConflictError
from embedding_lakehouse.steps.sync_index.planning import plan_sync
from tests.index_fixtures import Following, difference
from tests.lake_builder import LakeBuilder

CORPUS = {"a.md": ["a one", "a two", "a three"], "b.md": ["b one", "b two"], "c.md": ["c one"]}


def test_a_first_sync_writes_every_current_chunk(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    assert following.sync() == (6, 0)
    assert difference(builder, following.records()) == {}


def test_an_edit_writes_its_new_chunks_and_removes_its_old_ones_only(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    builder.publish({"a.md": ["a one", "a two, edited", "a three"]})
    assert following.sync() == (1, 1)
    assert difference(builder, following.records()) == {}


def test_a_deleted_and_an_emptied_document_leave_the_index(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    builder.publish({"b.md": []}, deleted=("c.md",))
    assert following.sync() == (0, 3)
    assert difference(builder, following.records()) == {}


def test_several_batches_are_followed_in_one_sync(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    builder.publish({"a.md": ["a four"], "d.md": ["d one"]})
    builder.publish({"a.md": ["a one", "a five"]}, deleted=("d.md",))
    assert following.sync() == (1, 2)
    assert difference(builder, following.records()) == {}


def test_an_index_that_is_up_to_date_plans_nothing(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    assert following.plan() == []


def test_a_version_with_the_same_chunks_plans_nothing(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    builder.publish({"a.md": CORPUS["a.md"]})
    assert following.plan() == []


def test_another_profile_s_batch_plans_nothing(builder: LakeBuilder, following: Following, lake, profile):
    builder.publish(CORPUS)
    following.sync()
    table = lake.table(DOCUMENT_VERSIONS)
    table.append(table.schema().as_arrow().empty_table())
    assert following.plan() == []


def test_a_rollback_of_the_lake_is_followed_by_difference(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    before = builder.moment()
    builder.publish({"a.md": ["a one", "a two, edited", "a three"], "d.md": ["d one"]}, deleted=("c.md",))
    following.sync()
    builder.roll_back(before)
    assert following.sync() == (2, 2)
    assert difference(builder, following.records()) == {}


def test_a_rollback_and_a_new_batch_in_between_are_followed(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    before = builder.moment()
    builder.publish({"a.md": ["a one", "a four"]})
    following.sync()
    builder.roll_back(before)
    builder.publish({"a.md": ["a four", "a five"]})
    following.sync()
    assert difference(builder, following.records()) == {}


def test_a_vector_made_again_after_a_rollback_replaces_the_old_one(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    before = builder.moment()
    builder.publish({"d.md": ["d one", "d two"]})
    following.sync()
    builder.roll_back(before)
    builder.publish({"d.md": ["d one", "d two"]})
    assert following.sync() == (2, 0)
    assert difference(builder, following.records()) == {}


def test_vectors_of_a_rejected_batch_are_replaced(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    bad = builder.publish({"d.md": ["d one", "d two"]})
    following.sync()
    builder.reject(bad)
    builder.publish({"d.md": ["d one", "d two"]})
    assert following.sync() == (2, 0)
    assert difference(builder, following.records()) == {}


def test_ids_with_hash_slash_quotes_and_emoji_are_followed(builder: LakeBuilder, following: Following):
    names = ["a#1", "b/2/../3", 'it\'s "quoted"', "ключ 🗝", "a b\n\tc", "100%_like\\"]
    builder.publish({name: [f"text of {name}"] for name in names})
    following.sync()
    builder.publish({names[0]: ["edited"]}, deleted=tuple(names[1:3]))
    assert following.sync() == (1, 3)
    assert difference(builder, following.records()) == {}


def test_records_carry_titles_and_texts(builder: LakeBuilder, following: Following):
    builder.title({f"titled-{builder.profile.name}": "A title with “quotes”"})
    builder.publish({f"titled-{builder.profile.name}": ["some text"]})
    following.sync()
    (record,) = following.records().values()
    assert (record.metadata["title"], record.metadata["text"]) == ("A title with “quotes”", "some text")


def test_a_text_over_the_metadata_limit_is_left_out_and_said_so(builder: LakeBuilder, following: Following):
    builder.publish({"a.md": ["long " * 10_000]})
    following.sync()
    (record,) = following.records().values()
    assert record.metadata["text_omitted"] is True
    assert "text" not in record.metadata


def test_a_sync_is_recorded_with_its_figures(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    builder.publish({"a.md": ["a one", "a two, edited", "a three"]}, deleted=("b.md",))
    following.sync()
    rows = scan(following.lake.table(INDEX_SYNCS), profile=following.profile.name).to_arrow().to_pylist()
    figures = {(row["documents_changed"], row["records_upserted"], row["records_deleted"], row["requests"]) for row in rows}
    assert figures == {(3, 6, 0, 1), (2, 1, 3, 2)}
    assert Releases(following.lake).live(following.profile.name)["record_count"] == 4


def test_a_chunk_without_a_row_is_named_before_anything_is_written(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    builder.reject(builder.publish({"d.md": ["d one"]}))
    with pytest.raises(ConflictError, match=chunk_id("d.md", "d one")):
        following.plan()
    assert Releases(following.lake).live(following.profile.name)["open_syncs"] == []


def test_the_snapshots_that_a_release_holds_cannot_expire(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    builder.publish({"a.md": ["a four"]})
    for table in (DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS):
        table = following.lake.table(table)
        table.maintenance.expire_snapshots().older_than(datetime.now() + timedelta(days=1)).commit()
    assert following.sync() == (1, 3)


def test_the_checksum_of_a_release_is_that_of_its_records(builder: LakeBuilder, following: Following):
    for change in (CORPUS, {"a.md": ["a one", "a four"]}, {"d.md": ["d one"]}):
        builder.publish(change, deleted=("c.md",) if "d.md" in change else ())
        following.sync()
        assert Releases(following.lake).live(following.profile.name)["id_checksum"] == checksum(following.records())


def test_an_expired_watermark_names_the_rebuild(builder: LakeBuilder, following: Following):
    builder.publish(CORPUS)
    following.sync()
    live = Releases(following.lake).live(following.profile.name)
    builder.publish({"a.md": ["a four"]})
    versions = following.lake.table(DOCUMENT_VERSIONS)
    drop_tag(versions, f"release-{live['release_id']}")
    versions.maintenance.expire_snapshots().by_id(live["versions_snapshot"]).commit()
    with pytest.raises(ConfigurationError, match="rebuild_index"):
        following.plan()


def test_a_profile_without_a_release_is_told_to_set_up(builder: LakeBuilder):
    with pytest.raises(ConfigurationError, match="set_up_lakehouse"):
        plan_sync(builder.profile.name, lake=builder.lake)
