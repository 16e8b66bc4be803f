"""Bulk imports: exported once, started once, followed to their end, and equal to the lake as upserts are."""

from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from embedding_lakehouse.core.rebuilds import choose_method
from embedding_lakehouse.errors import ConfigurationError
from tests.index_fixtures import API_KEY, difference
from tests.lake_builder import LakeBuilder
from tests.release_fixtures import Rebuilding

CORPUS = {"a.md": ["a one", "a two", "a three"], "b.md": ["b one", "b two"], "c.md": ["c one"]}


def imports(rebuilding: Rebuilding) -> list[dict]:
    """What the service knows of imports into the test's index."""
    answer = httpx.get(f"{rebuilding.index._sdk.host}/bulk/imports", headers={"Api-Key": API_KEY})
    return answer.raise_for_status().json()["data"]


def exported(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*.parquet"))


def test_an_import_fills_what_upserts_fill(builder: LakeBuilder, rebuilding: Rebuilding, tmp_path: Path):
    builder.publish(CORPUS)
    rebuilding.rebuild(method="import", import_uri=f"file://{tmp_path}")
    (told,) = imports(rebuilding)
    assert (rebuilding.live["method"], rebuilding.live["import_id"]) == ("import", told["id"])
    assert difference(builder, rebuilding.records()) == {}
    assert exported(tmp_path) == []


def test_files_lie_as_the_service_wants_them(builder: LakeBuilder, rebuilding: Rebuilding, tmp_path: Path):
    builder.publish(CORPUS)
    rebuilding.rebuild_until("fill_shard", method="import", import_uri=str(tmp_path))
    (file,) = exported(tmp_path)
    rows = pq.read_table(file)
    assert file.parent.name == rebuilding.named("r2")
    assert [(field.name, str(field.type)) for field in rows.schema] == [
        ("id", "string"),
        ("values", "list<element: float>"),
        ("metadata", "string"),
    ]
    assert set(rows["id"].to_pylist()) == builder.current().keys()


def test_an_import_whose_answer_was_lost_is_found_again(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.rebuild_until("fill_shard", method="import")
    rebuilding.inject({"kind": "cut_after", "path": "/bulk/imports", "times": 3})
    rebuilding.rebuild_until("start_import", method="import")
    rebuilding.inject()
    rebuilding.rebuild(method="import", run_id="another run")
    assert len(imports(rebuilding)) == 1
    assert difference(builder, rebuilding.records()) == {}


def test_an_import_that_fails_says_why_and_is_mended_by_the_next_run(builder: LakeBuilder, rebuilding: Rebuilding, tmp_path: Path):
    builder.publish(CORPUS)
    rebuilding.rebuild_until("fill_shard", method="import", import_uri=str(tmp_path))
    (file,) = exported(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(b"not Parquet".ljust(len(whole)))
    with pytest.raises(ConfigurationError, match=r"is failed: .*Parquet"):
        rebuilding.rebuild(method="import", import_uri=str(tmp_path))
    assert rebuilding.states() == {"r1": "live", "r2": "building"}
    file.write_bytes(whole)
    rebuilding.rebuild(method="import", import_uri=str(tmp_path), run_id="another run")
    assert [told["status"] for told in imports(rebuilding)] == ["Failed", "Completed"]
    assert difference(builder, rebuilding.records()) == {}


def test_an_import_that_runs_is_cancelled_with_its_release(builder: LakeBuilder, rebuilding: Rebuilding):
    builder.publish(CORPUS)
    rebuilding.rebuild_until("start_import", method="import")
    rebuilding.rebuild(discard_building=True, run_id="another run")
    assert rebuilding.states() == {"r1": "retired", "r2": "dropped", "r3": "live"}
    assert {told["status"] for told in imports(rebuilding)} <= {"Cancelled", "Completed"}
    assert not rebuilding.index.namespace_exists(rebuilding.named("r2"))


def test_a_run_with_another_folder_exports_again(builder: LakeBuilder, rebuilding: Rebuilding, tmp_path: Path):
    builder.publish(CORPUS)
    rebuilding.rebuild_until("fill_shard", method="import", import_uri=str(tmp_path / "one"))
    # A run with that folder was killed while it wrote there.
    (file,) = exported(tmp_path / "one")
    half = tmp_path / "two" / file.relative_to(tmp_path / "one")
    half.parent.mkdir(parents=True)
    half.write_bytes(file.read_bytes()[:100])
    rebuilding.rebuild(method="import", import_uri=str(tmp_path / "two"), run_id="another run")
    assert difference(builder, rebuilding.records()) == {}


@pytest.mark.parametrize(
    ("wanted", "records", "has_imports", "uri", "chosen"),
    [
        ("auto", 5_000_000, True, "s3://bucket/imports", "import"),
        ("auto", 5_000_000, False, "s3://bucket/imports", "upserts"),
        ("auto", 5_000_000, True, "file:///imports", "upserts"),
        ("auto", 5_000, True, "s3://bucket/imports", "upserts"),
        ("upserts", 5_000_000, True, "s3://bucket/imports", "upserts"),
        ("import", 5, True, "file:///imports", "import"),
    ],
)
def test_the_method_is_chosen_by_what_the_service_has_and_by_size(wanted, records, has_imports, uri, chosen):
    assert choose_method(wanted, records, has_imports, uri)[0] == chosen


def test_an_import_that_the_service_does_not_offer_is_refused():
    with pytest.raises(ConfigurationError, match="method=upserts"):
        choose_method("import", 5, False, "s3://bucket")
