"""What a run of `ingest_documents` was asked for: its Params, typed."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from embedding_lakehouse.core.texts import CONNECTION_ID, LONGEST_TEXT, has_controls, is_writable
from embedding_lakehouse.errors import ConfigurationError, quoted

# Raise it with any change that reads the same file into another text: every file is then read again.
READER_VERSION = "1"
ID_COLUMNS = ("doc_id", "id", "_id")
TEXT_COLUMNS = ("document_text", "text", "content", "body")
TITLE_COLUMNS = ("title",)


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Where documents come from, how rows are read, and the limits."""

    source: str
    conn_id: str | None = None
    pattern: str = "*"
    id_prefix: str = ""
    id_column: str | None = None
    text_column: str | None = None
    title_column: str | None = None
    max_document_megabytes: float = 20
    parse_seconds: int = 60
    delete_limit: float = 0.1
    allow_deletes: bool = False

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> "IngestSettings":
        """The settings of a run. Raises ConfigurationError where no source is given, and for what `check` refuses."""
        known = {name: params[name] for name in cls.__slots__ if name in params}
        if not str(known.get("source") or "").strip():
            raise ConfigurationError("no source: set the Param source, or EMBEDDING_LAKEHOUSE_SOURCE, to a folder or an s3:// prefix")
        settings = cls(**known | {"source": known["source"].strip()})
        settings.check()
        return settings

    def check(self) -> None:
        """Raise ConfigurationError for what no Param may be: it would fail in a file's midst, or let every limit pass."""
        texts = ("source", "pattern", "id_prefix", "id_column", "text_column", "title_column")
        for name in texts:
            text = getattr(self, name) or ""
            if len(text) > LONGEST_TEXT or has_controls(text) or not is_writable(text):
                raise ConfigurationError(
                    f"{name} is {quoted(text)}: write at most {LONGEST_TEXT:,} characters, none of them a control character"
                )
        if self.conn_id and not CONNECTION_ID.fullmatch(self.conn_id):
            raise ConfigurationError(f"conn_id is {quoted(self.conn_id)}: a connection's id has letters, digits, '_', '-' and '.'")
        limits = (("max_document_megabytes", 0, 500), ("parse_seconds", 1, 3_600), ("delete_limit", 0, 1))
        for name, least, most in limits:
            limit = getattr(self, name)
            if isinstance(limit, bool) or not isinstance(limit, int | float) or not least <= limit <= most:
                raise ConfigurationError(f"{name} is {quoted(limit)}, must be a number from {least} to {most}")

    @property
    def max_document_bytes(self) -> int:
        return int(self.max_document_megabytes * 1_000_000)

    @property
    def reader(self) -> str:
        """Fingerprint of everything that decides which documents a file becomes."""
        parts = (READER_VERSION, self.id_prefix, self.id_column, self.text_column, self.title_column)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    @property
    def limits(self) -> str:
        """Fingerprint of the limits: a file that was rejected for one is read again under others."""
        return f"{self.max_document_megabytes:g}/{self.parse_seconds}"

    @property
    def id_columns(self) -> tuple[str, ...]:
        return (self.id_column,) if self.id_column else ID_COLUMNS

    @property
    def text_columns(self) -> tuple[str, ...]:
        return (self.text_column,) if self.text_column else TEXT_COLUMNS

    @property
    def title_columns(self) -> tuple[str, ...]:
        return (self.title_column,) if self.title_column else TITLE_COLUMNS

    def as_params(self) -> dict[str, Any]:
        """The settings as Params."""
        return asdict(self)
