"""Bulk imports: Parquet files of a folder into namespaces that do not exist yet. Not every service has them."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from pinecone import NotFoundError
from pinecone.errors import ApiError

from embedding_lakehouse.clients.pinecone.aliases import NOT_IMPLEMENTED
from embedding_lakehouse.clients.pinecone.connection import IndexConnection

COMPLETED, FAILED, CANCELLED = "Completed", "Failed", "Cancelled"
UNFINISHED = ("Pending", "InProgress")
FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Import:
    """A bulk import as the service tells of it; `error` says why it failed."""

    import_id: str
    uri: str
    status: str
    records: int
    percent: float
    error: str


class Imports(IndexConnection):
    """The bulk imports of one index."""

    def has_imports(self) -> bool:
        """Whether the service imports at all for this account."""
        return self._patiently("list imports", self._has_imports)

    def start_import(self, uri: str) -> str:
        """Start the import of a folder, which ends at the first record that the service refuses; its id.

        Where one from the same folder runs or is finished already, that one's id: a request whose answer was lost starts no second one.
        """
        return self._patiently("start import", partial(self._start, uri))

    def read_import(self, import_id: str) -> Import:
        """The import as it is now."""
        return _import(self._patiently("read import", partial(self._sdk.describe_import, import_id)))

    def cancel_import(self, import_id: str) -> None:
        """Cancel the import, so that it makes no namespace any more; one that is finished stays as it is."""
        if self.read_import(import_id).status in UNFINISHED:
            self._patiently("cancel import", partial(self._sdk.cancel_import, import_id))

    def _has_imports(self) -> bool:
        try:
            self._sdk.list_imports_paginated(limit=1)
        except ApiError as error:
            if isinstance(error, NotFoundError) or error.status_code in (FORBIDDEN, NOT_IMPLEMENTED):
                return False
            raise
        return True

    def _start(self, uri: str) -> str:
        known = [found for found in map(_import, self._sdk.list_imports()) if found.uri == uri]
        for wanted in ((COMPLETED,), UNFINISHED):
            for found in known:
                if found.status in wanted:
                    return found.import_id
        return self._sdk.start_import(uri, error_mode="abort").id


def _import(told: Any) -> Import:
    return Import(told.id, told.uri, told.status, told.records_imported or 0, told.percent_complete or 0.0, told.error or "")
