"""An erasure that is killed after any of its commits is finished by later runs; what other killed writers left does not hold it up."""

import json
import re
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from dev.stack.catalog import CATALOG_NAME, catalog_properties, create_catalog
from embedding_lakehouse.clients.iceberg import head_snapshot
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService, VectorIndex
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.clients.sql import SqlEngine
from embedding_lakehouse.core.checksums import checksum
from embedding_lakehouse.core.forgetting_tables import ERASURES
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.records import encode_record, metadata, pack
from embedding_lakehouse.core.releases import IndexShape
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, DOCUMENT_VERSIONS
from embedding_lakehouse.errors import LakehouseError
from embedding_lakehouse.steps.set_up import create_tables
from embedding_lakehouse.steps.set_up_index import create_index
from tests.batches import put_source_rows
from tests.forgetting_fixtures import Forgetting, Killed, hits
from tests.index_fixtures import API_KEY
from tests.interruptions import WatchedCatalog
from tests.lake_builder import LakeBuilder
from tests.maintenance_fixtures import files_of


class Commits:
    """Once armed, kills whoever commits, right after it."""

    is_armed = False

    def __call__(self, moment: str, table: str) -> None:
        if self.is_armed and moment == "after":
            raise Killed


def no_engine() -> None:
    raise AssertionError("named documents are erased without SQL")


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
def forgetting(commits: Commits, profile: Profile, faulty_server: str, tmp_path: Path) -> Forgetting:
    """Erasures in an empty lake that needs no SQL, whose commits are watched."""
    create_catalog(tmp_path)
    catalog = WatchedCatalog(CATALOG_NAME, **catalog_properties(tmp_path))
    catalog.watch = commits
    lake, service = Lake(catalog, SqlEngine("none", no_engine)), IndexService(API_KEY, faulty_server, patience=20)
    create_tables(lake=lake)
    create_index(profile.name, lake=lake, service=service)
    return Forgetting(lake, service)


def fill(forgetting: Forgetting, profile: Profile, mark: str) -> LakeBuilder:
    """Documents in three published batches, a live release that stands at the second one, and its records."""
    lake = forgetting.lake
    builder = LakeBuilder(lake, profile)
    rows = [{"doc_id": name, "document_text": f"{name} of {mark}", "content_hash": "0"} for name in (f"private {mark}",)]
    put_source_rows(lake, [*rows, {"doc_id": "kept", "document_text": "A text that stays.", "content_hash": "1"}])
    builder.publish({f"private {mark}": [f"{mark} lives here.", f"{mark} lived there."], "kept": ["A text that stays."]})
    builder.publish({f"private {mark}": [f"{mark} moved again."], "kept": ["A text that stays.", "One more of them."]})
    release_as_it_is(forgetting, builder)
    builder.publish({"kept": ["The last version of it."]})
    return builder


def release_as_it_is(forgetting: Forgetting, builder: LakeBuilder) -> None:
    """Make the profile's release hold what is current."""
    lake, releases = forgetting.lake, Releases(forgetting.lake)
    live, current = releases.live(builder.profile.name), builder.current()
    held = {
        "versions_snapshot": head_snapshot(lake.table(DOCUMENT_VERSIONS)).snapshot_id,
        "embeddings_snapshot": head_snapshot(lake.table(DOCUMENT_EMBEDDINGS)).snapshot_id,
        "record_count": len(current),
        "id_checksum": checksum(current),
    }
    releases.change(lambda rows: [row | held for row in rows if row["release_id"] == live["release_id"]])
    releases.keep_snapshots(live["release_id"])
    records = [encode_record(name, np.asarray(row["embedding"], np.float32), metadata(row, None, True)) for name, row in current.items()]
    index_of(forgetting, builder.profile).upsert(pack(records, live["namespace"]))


def is_finished(forgetting: Forgetting) -> bool:
    return any(row["state"] == "finished" for row in forgetting.lake.table(ERASURES).scan().to_arrow().to_pylist())


def index_of(forgetting: Forgetting, profile: Profile) -> VectorIndex:
    return forgetting.service.open(IndexShape.of_profile(profile))


def test_an_erasure_killed_after_each_of_its_commits_comes_to_its_end(
    forgetting: Forgetting, commits: Commits, profile: Profile, tmp_path: Path
) -> None:
    mark = f"okapi{uuid4().hex[:10]}"
    builder = fill(forgetting, profile, mark)
    assert hits(tmp_path, [mark])
    commits.is_armed, kills = True, 0
    while not is_finished(forgetting):
        with pytest.raises(Killed):
            forgetting.forget(doc_ids=[f"private {mark}"])
        kills += 1
    (erasure,) = forgetting.lake.table(ERASURES).scan().to_arrow().to_pylist()
    certificate = json.loads(erasure["certificate"])
    assert 10 < kills < 60
    assert hits(tmp_path, [mark]) == []
    assert certificate["checked"]["left"] == {}

    live = Releases(forgetting.lake).live(profile.name)
    kept = {name for name, row in builder.rows.items() if row[0]["doc_id"] == "kept" and row[0]["chunk_text"] != "The last version of it."}
    assert set(index_of(forgetting, profile).list_ids(live["namespace"])) == kept
    assert (live["record_count"], live["id_checksum"]) == (len(kept), checksum(kept))
    at = forgetting.lake.table(DOCUMENT_VERSIONS).scan(snapshot_id=live["versions_snapshot"]).to_arrow().to_pylist()
    assert {(row["doc_id"], row["batch_number"]) for row in at} == {("kept", 1), ("kept", 2)}


def leave_half_written(lake: Lake) -> list[Path]:
    """Files as killed writers leave them, on a disk and in a bucket, beside the whole ones of the embeddings."""
    stored = files_of(lake, DOCUMENT_EMBEDDINGS)
    manifest = next(file for file in stored if file.suffix == ".avro" and not file.name.startswith("snap-"))
    manifests = next(file for file in stored if file.name.startswith("snap-"))
    rows = next(file for file in stored if file.suffix == ".parquet")
    left = []
    for whole, size in ((manifest, 0), (manifest, 300), (manifest, -20), (manifests, 10), (rows, 0), (rows, 4), (rows, 10), (rows, -10)):
        left.append(whole.with_name(f"{uuid4().hex}{whole.suffix}"))
        left[-1].write_bytes(whole.read_bytes()[:size])
    # What a machine without power may leave.
    left.append(manifest.with_name(f"{uuid4().hex}.avro"))
    left[-1].write_bytes(bytes(300))
    return left


def test_half_written_files_hold_no_erasure_up_and_are_said_to_be_there(forgetting: Forgetting, profile: Profile, tmp_path: Path) -> None:
    mark, lake = f"okapi{uuid4().hex[:10]}", forgetting.lake
    fill(forgetting, profile, mark)
    left = leave_half_written(lake)
    part = left[-1].with_name("a part.parquet.writing")
    part.write_bytes(b"PAR1 and then nothing more")
    certificate = forgetting.forget(doc_ids=[f"private {mark}"])
    assert certificate["checked"]["left"] == {}
    assert certificate["checked"]["files_half_written"] == len(left)
    assert certificate["out_of_reach"][-1].startswith(f"{len(left)} files that writers had not finished")
    assert [file for file in (*left, part) if not file.exists()] == [part]
    assert {hit.partition(": ")[0].rpartition("/")[2] for hit in hits(tmp_path, [mark])} <= {file.name for file in left}


@pytest.mark.parametrize("size", [0, 300, -20])
@pytest.mark.parametrize("kind", ["manifest", "list of manifests", "rows"])
def test_a_damaged_file_that_a_snapshot_needs_is_named_and_stays(forgetting: Forgetting, profile: Profile, kind: str, size: int) -> None:
    fill(forgetting, profile, "private")
    table = forgetting.lake.table(DOCUMENT_EMBEDDINGS)
    snapshot = head_snapshot(table)
    names = {
        "manifest": snapshot.manifests(table.io)[0].manifest_path,
        "list of manifests": snapshot.manifest_list,
        "rows": next(iter(table.scan().plan_files())).file.file_path,
    }
    damaged = Path(names[kind].removeprefix("file://"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:size])
    with pytest.raises(LakehouseError, match=f"{re.escape(damaged.name)} is not whole, and a snapshot of {DOCUMENT_EMBEDDINGS.name}"):
        forgetting.plan(doc_ids=["private private"])
    assert damaged.exists()

    damaged.write_bytes(whole)
    assert forgetting.forget(doc_ids=["private private"])["checked"]["left"] == {}
