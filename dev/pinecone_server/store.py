"""The home folder: the catalog, and the namespaces that are open."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TypeVar

from dev.pinecone_server.catalog import DEFAULT_NAMESPACE, Catalog, Index, NamespaceEntry, new_key
from dev.pinecone_server.database import Database
from dev.pinecone_server.errors import Code, Refusal, invalid, not_found
from dev.pinecone_server.namespace import Namespace, NamespaceGone
from dev.pinecone_server.records import Change, Records
from dev.pinecone_server.versions import Visibility

T = TypeVar("T")


class Store:
    """Finds, makes and deletes namespaces, and keeps about `memory_bytes` of records in memory."""

    def __init__(self, home: Path, visibility: Visibility, memory_bytes: int) -> None:
        self.database = Database(home)
        self.visibility = visibility
        self.catalog = Catalog(self.database)
        self._memory_bytes = memory_bytes
        self._open: dict[int, Namespace] = {}
        self._lock = Lock()
        self._sweep()

    def namespace(self, index: Index, name: str) -> Namespace | None:
        """Return a namespace of an index, or None if there is none of this name."""
        with self._lock:
            entry = self.catalog.indexes.at(index.host_id).namespaces.get(name)
            if entry is None:
                return None
            if entry.key not in self._open:
                self._open[entry.key] = Namespace(self.database, entry.key, index.dimension, self.visibility)
            found = self._open[entry.key]
            crowd = self._over_budget(found)
        for namespace in crowd:
            namespace.unload()
        return found

    def read(self, index: Index, name: str, view: Callable[[Records], T]) -> tuple[T, int]:
        """Return what the function makes of a namespace's visible records, and their log sequence number.

        A namespace that does not exist reads as an empty one.
        """
        namespace = self.namespace(index, name)
        if namespace is None:
            return view(Records(index.dimension)), 0
        return namespace.read(view)

    def write(self, index: Index, name: str, plan: Callable[[Records], Change | None], *, create: bool = False) -> int:
        """Write what the function plans into a namespace and return its log sequence number, 0 where nothing was ever written.

        Raises Refusal if the name is an alias, or the namespace does not exist and is not to be made.
        """
        while True:
            namespace = self.namespace(index, name) or self._missing(index, name, create=create)
            if namespace is None:
                if create:
                    continue
                return 0
            try:
                return namespace.write(plan)
            except NamespaceGone:
                # Somebody deleted it in this moment: this write comes after the delete.
                continue

    def _missing(self, index: Index, name: str, *, create: bool) -> Namespace | None:
        current = self.catalog.indexes.at(index.host_id)
        if create:
            self.create_namespace(index, name)
            return self.namespace(index, name)
        if name in current.aliases:
            raise invalid(f"{name} is a namespace alias: write to its target namespace.", reason="WRITE_TO_ALIAS")
        if name != DEFAULT_NAMESPACE:
            raise not_found("Namespace not found")
        return None

    def create_namespace(self, index: Index, name: str, schema: dict | None = None, *, new: bool = False) -> None:
        """Make a namespace where there is none. Raises Refusal if an alias has the name, or `new` is asked for and it exists."""
        with self.catalog.changing() as draft:
            add_namespace(draft.at(index.host_id), name, NamespaceEntry(new_key(), schema), new=new)

    def delete_namespace(self, index: Index, name: str) -> None:
        """Delete a namespace with its records. Raises Refusal if there is none, or an alias is or leads to it."""
        with self.catalog.changing() as draft:
            current = draft.at(index.host_id)
            if name in current.aliases:
                raise invalid(f"{name} is a namespace alias, not a namespace.", reason="NAMESPACE_OPERATION_ON_ALIAS")
            if any(alias.target_namespace == name for alias in current.aliases.values()):
                message = f"Namespace {name} is the target of an alias: repoint or delete the alias first."
                raise invalid(message, reason="NAMESPACE_TARGETED_BY_ALIAS")
            if name not in current.namespaces:
                raise not_found("Namespace not found")
            entry = current.namespaces.pop(name)
        self._drop([entry])

    def delete_index(self, name: str) -> None:
        """Delete an index with all its records. Raises Refusal if there is none, or it is protected."""
        with self.catalog.changing() as draft:
            index = draft.named(name)
            if index.deletion_protection == "enabled":
                raise Refusal(Code.FORBIDDEN, "Deletion protection is enabled for this index. Disable deletion protection before retrying.")
            del draft[name]
        self._drop(list(index.namespaces.values()))

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def _drop(self, entries: list[NamespaceEntry]) -> None:
        for entry in entries:
            with self._lock:
                namespace = self._open.pop(entry.key, None)
            if namespace is None:
                self.database.drop([entry.key])
            else:
                namespace.drop()

    def _over_budget(self, needed: Namespace) -> list[Namespace]:
        others = sorted((each for each in self._open.values() if each is not needed), key=lambda each: each.used_at, reverse=True)
        room = self._memory_bytes - needed.bytes_in_memory
        crowd = []
        for namespace in others:
            room -= namespace.bytes_in_memory
            if room < 0 and namespace.bytes_in_memory:
                crowd.append(namespace)
        return crowd

    def _sweep(self) -> None:
        # What a killed server left of a deleted index or namespace, or of an import that never finished.
        known = {entry.key for index in self.catalog.indexes.values() for entry in index.namespaces.values()}
        self.database.drop(self.database.positions().keys() - known)


def add_namespace(index: Index, name: str, entry: NamespaceEntry, *, new: bool = False) -> None:
    """Enter a namespace into a draft of its index. Raises Refusal if an alias has the name, or `new` is asked for and it exists."""
    if name in index.aliases:
        message = f"{name} is in use by a namespace alias: write to the alias's target namespace."
        raise Refusal(Code.ALREADY_EXISTS, message, reason="NAME_IN_USE_BY_ALIAS")
    if name in index.namespaces:
        if new:
            raise Refusal(Code.ALREADY_EXISTS, f"Namespace {name} already exists.")
        return
    index.namespaces[name] = entry
