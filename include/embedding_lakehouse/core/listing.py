"""Which files of a source are documents, in which format, and how many may vanish without consent."""

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from embedding_lakehouse.core.batches import FEW_DELETES
from embedding_lakehouse.errors import ApprovalRequired, ConfigurationError

MARKDOWN = "text/markdown"
RST = "text/x-rst"
HTML = "text/html"
PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
CSV = "text/csv"
JSON_LINES = "application/jsonl"
MEDIA_TYPES = {
    ".txt": "text/plain",
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".rst": RST,
    ".html": HTML,
    ".htm": HTML,
    ".pdf": PDF,
    ".docx": DOCX,
    ".csv": CSV,
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
}
PARSED_TYPES = frozenset({HTML, PDF, DOCX})
ROW_TYPES = frozenset({CSV, JSON_LINES})


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as the listing shows it; `problem` is a sentence where it must not or cannot be read, with `etag` as its code."""

    path: str
    size_bytes: int
    modified_at: datetime | None
    etag: str
    problem: str | None = None


def media_type(path: str) -> str | None:
    """The media type by the file's ending, whatever its case; none for a format that is not supported."""
    name = path.rpartition("/")[2]
    return MEDIA_TYPES.get(f".{name.rpartition('.')[2].lower()}") if "." in name else None


def is_wanted(path: str, pattern: str) -> bool:
    """Whether the file is a document: a supported format, matching the pattern (`*` also matches slashes), not hidden, no lock file."""
    return media_type(path) is not None and fnmatchcase(path, pattern) and not is_hidden(path)


def is_hidden(path: str) -> bool:
    """Whether a part of the path is hidden (`.git`) or a program's lock file (`~$report.docx`)."""
    return any(part.startswith((".", "~$")) for part in path.split("/"))


def check_deletes(deleted: int, documents: int, delete_limit: float, allowed: bool) -> None:
    """Raise ApprovalRequired where a run would remove more of a source's documents than its limit, or every one of them.

    A few may always go, so that a small source needs no consent for everyday work.
    """
    many = deleted > FEW_DELETES and deleted > delete_limit * documents
    if not allowed and deleted and (many or deleted >= documents):
        raise ApprovalRequired(
            f"this run would remove up to {deleted:,} of the source's {documents:,} documents, because their files or rows are gone; "
            f"the limit is {delete_limit:.0%} (delete_limit). Nothing was changed. Check the source; to remove them, trigger "
            "ingest_documents with allow_deletes"
        )


def check_overlap(source: str, known: list[str]) -> None:
    """Raise ConfigurationError where the source lies in one that was ingested before, or holds one: its files would count twice."""
    for other in known:
        if source != other and (f"{source}/".startswith(f"{other}/") or f"{other}/".startswith(f"{source}/")):
            raise ConfigurationError(
                f"the source {source} overlaps with {other}, which is ingested already: its files would be documents twice. Ingest "
                f"{other}, or remove the rows of that source from docs_db.source_files and docs_db.source_documents first"
            )
