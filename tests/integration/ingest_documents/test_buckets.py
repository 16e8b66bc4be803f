"""A large ingestion is compared bucket by bucket, so that its memory is bounded: the parts say what the whole says."""

from pathlib import Path

from embedding_lakehouse.clients.iceberg import append_once
from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.core.ingest_tables import INGEST_CHANGES, STAGED_DOCUMENTS
from embedding_lakehouse.steps.ingest_documents.listing import list_files
from embedding_lakehouse.steps.ingest_documents.parsing import parse_files
from tests.ingest_runner import Ingestion


def listed(ingestion: Ingestion, folder: Path) -> str:
    """An ingestion that is about to read new, changed and vanished files with duplicates; its id."""
    for number in range(30):
        (folder / f"{number:02}.md").write_text(f"text {number}")
    ingestion.run()
    for number in range(10):
        (folder / f"{number:02}.md").write_text(f"changed {number}")
    (folder / "29.md").unlink()
    (folder / "new.csv").write_text("id,text\n" + "".join(f"{number % 20},row {number}\n" for number in range(40)))
    ((first, *_),) = [[shard["ingest_id"] for shard in list_files({"source": str(folder)}, "a-run", ingestion.lake)]]
    return first


def test_files_are_compared_alike(ingestion: Ingestion, folder: Path) -> None:
    ingest_id = listed(ingestion, folder)
    reader = IngestSettings(str(folder)).reader

    def compared(buckets: int) -> list[tuple]:
        binds = [
            (ingest_id, buckets, bucket, f"file://{folder}", buckets, bucket, reader, reader, "20/60", reader) for bucket in range(buckets)
        ]
        return sorted(row for bind in binds for row in ingestion.lake.sql.rows("ingest/compare_files", bind))

    assert len(compared(1)) == 12
    assert compared(3) == compared(1)


def test_documents_are_compared_alike(ingestion: Ingestion, folder: Path) -> None:
    ingest_id = listed(ingestion, folder)
    staged = parse_files(ingest_id, 0, {"source": str(folder)}, ingestion.lake)
    append_once(ingestion.lake.table(STAGED_DOCUMENTS), [piece["part"] for piece in staged["slices"]], {"batch_id": ingest_id})
    for comparison_id, buckets in (("whole", 1), ("parts", 3)):
        for bucket in range(buckets):
            binds = (ingest_id, ingest_id, buckets, bucket, f"file://{folder}", buckets, bucket, ingest_id, comparison_id)
            ingestion.lake.sql.execute("ingest/compare_documents", binds)
    changes: dict[str, list[tuple]] = {"whole": [], "parts": []}
    for row in ingestion.rows(INGEST_CHANGES):
        changes[row.pop("comparison_id")].append(tuple(sorted(row.items(), key=lambda item: item[0])))
    assert len(changes["whole"]) == 10 + 1 + 20 + 20
    assert sorted(changes["parts"], key=str) == sorted(changes["whole"], key=str)
