"""Where documents come from: a local folder, or a prefix of a bucket."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.core.listing import ListedFile
from embedding_lakehouse.errors import ConfigurationError, quoted


@dataclass(slots=True)
class Tally:
    """What a listing saw beside the files that it yielded; whole once the listing is exhausted."""

    ignored: int = 0
    is_complete: bool = True


class Source(Protocol):
    """A folder or prefix: lists its files, reads them. A file's address is `uri`, a slash, and its path."""

    uri: str

    def files(self, tally: Tally) -> Iterator[ListedFile]:
        """Every wanted file, as it is found.

        Raises ConfigurationError where the source is missing or may not be listed, TransientError where its service does not answer.
        """

    def read(self, path: str, most_bytes: int) -> bytes:
        """A file's first bytes. Raises Rejected (`unreadable`) where it is gone or may not be read."""

    def open(self, path: str) -> BinaryIO:
        """A file as a stream, with the errors of `read`."""


def source_of(settings: IngestSettings) -> Source:
    """The source that the settings name. Raises ConfigurationError for an address that is neither a folder nor an s3:// prefix."""
    scheme, separator, _ = settings.source.partition("://")
    if not separator or scheme == "file":
        from embedding_lakehouse.clients.sources.folder import FolderSource

        return FolderSource(settings.source, settings.pattern)
    if scheme in ("s3", "s3a", "s3n"):
        from embedding_lakehouse.clients.sources.bucket import BucketSource

        return BucketSource(settings.source, settings.pattern, settings.conn_id)
    raise ConfigurationError(
        f"the source {quoted(settings.source)} is neither a folder nor an s3:// prefix: set the Param source to one of these"
    )
