"""The journal of erasures, and the notes of one at work: which documents, which files held them, what was done. The notes go at its end."""

import json
from dataclasses import dataclass
from typing import Any

from embedding_lakehouse.clients.forgetting.holdings import WORK_FOLDER
from embedding_lakehouse.clients.journal import Journal, JournalRow
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.parts import delete_folder, read_bytes, write_note
from embedding_lakehouse.core.forgetting import FINISHED, Forgotten
from embedding_lakehouse.core.forgetting_tables import ERASURES
from embedding_lakehouse.errors import ConflictError, InputError

NOTE = ".json"
DOCUMENTS = "documents"


def journal(lake: Lake) -> Journal:
    """The journal of erasures."""
    return Journal(lake.catalog, ERASURES, "erasure_id")


def unfinished(lake: Lake) -> JournalRow | None:
    """The erasure that was begun and not finished, if there is one."""
    return next((row for row in journal(lake).rows() if row["state"] != FINISHED), None)


def named(lake: Lake, erasure_id: str) -> JournalRow:
    """The erasure of that id. Raises InputError where there is none."""
    for row in journal(lake).rows():
        if row["erasure_id"] == erasure_id:
            return row
    raise InputError(f"there is no erasure {erasure_id} in {ERASURES.name}")


def begin(lake: Lake, row: JournalRow) -> None:
    """Journal an erasure. Raises ConflictError where another one is not finished."""

    def decide(rows: list[JournalRow]) -> list[JournalRow]:
        if other := next((one for one in rows if one["state"] != FINISHED), None):
            raise ConflictError(f"the erasure {other['erasure_id']} is not finished: trigger forget_documents, which finishes it first")
        return [row]

    journal(lake).change(decide)


def move(lake: Lake, erasure_id: str, **changes: Any) -> JournalRow:
    """Change columns of an erasure's row; the row."""
    (row,) = journal(lake).change(lambda rows: [row | changes for row in rows if row["erasure_id"] == erasure_id])
    return row


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes of one erasure at work, as files beside its journal."""

    lake: Lake
    erasure_id: str

    @property
    def _folder(self) -> str:
        return f"{self.lake.table(ERASURES).location().rstrip('/')}/{WORK_FOLDER}/{self.erasure_id}"

    def write(self, name: str, content: Any) -> None:
        """Write one note; one of the same name is replaced."""
        write_note(self.lake.table(ERASURES), f"{self._folder}/{name}{NOTE}", json.dumps(content))

    def read(self, name: str, otherwise: Any = None) -> Any:
        """One note, or `otherwise` where it was never written."""
        try:
            return json.loads(read_bytes(self.lake.table(ERASURES), f"{self._folder}/{name}{NOTE}"))
        except FileNotFoundError:
            return otherwise

    def forgotten(self) -> Forgotten:
        """The documents. Raises ConflictError where the erasure has none any more."""
        note = self.read(DOCUMENTS)
        if note is None:
            raise ConflictError(f"the notes of erasure {self.erasure_id} are gone: it was finished meanwhile")
        return Forgotten.of_note(note)

    def remove(self) -> None:
        """Remove the notes."""
        delete_folder(self.lake.table(ERASURES), self._folder)


def remove_strays(lake: Lake) -> None:
    """Remove the notes of erasures that never began."""
    table = lake.table(ERASURES)
    if unfinished(lake) is None:
        delete_folder(table, f"{table.location().rstrip('/')}/{WORK_FOLDER}")
