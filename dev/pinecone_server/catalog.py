"""What exists beside the records: indexes, their namespaces, aliases and imports."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from threading import Lock

import orjson

from dev.pinecone_server.database import Database, Place
from dev.pinecone_server.errors import not_found

DEFAULT_NAMESPACE = "__default__"
# The one field of an index that the vectors API serves; every other name makes a document index.
VECTORS = "_values"
UNFINISHED = ("Pending", "InProgress")


@dataclass
class NamespaceEntry:
    """The key of a namespace's records in the database, and the metadata schema it was created with."""

    key: int
    schema: dict | None = None


@dataclass
class Alias:
    """A name that readers may use for a namespace."""

    name: str
    target_namespace: str
    created_at: str
    updated_at: str


@dataclass
class Import:
    """A bulk import and how far it is."""

    id: str
    uri: str
    on_error: str
    created_at: str
    status: str = "Pending"
    finished_at: str | None = None
    percent_complete: float = 0.0
    records_imported: int = 0
    records_refused: int = 0
    error: str | None = None


@dataclass
class Index:
    """A serverless index of one field of dense vectors. `host_id` names it in its host's address, and no two indexes ever share one."""

    name: str
    host_id: str
    dimension: int
    metric: str
    cloud: str
    region: str
    deletion_protection: str = "disabled"
    tags: dict[str, str] = field(default_factory=dict)
    read_capacity: dict = field(default_factory=lambda: {"mode": "OnDemand"})
    metadata_schema: dict | None = None
    vector_field: str = VECTORS
    namespaces: dict[str, NamespaceEntry] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)

    def resolve(self, name: str) -> str:
        """Return the namespace that a reader means: the alias's target, or the name itself."""
        return self.aliases[name].target_namespace if name in self.aliases else name


class Indexes(dict[str, Index]):
    """Indexes by name."""

    def named(self, name: str) -> Index:
        """Return an index by its name. Raises Refusal if there is none."""
        if name not in self:
            raise not_found(f"Index {name} not found.")
        return self[name]

    def at(self, host_id: str) -> Index:
        """Return the index behind a host. Raises Refusal if there is none, also after an index was deleted and made again."""
        for index in self.values():
            if index.host_id == host_id:
                return index
        raise not_found(f"No index at this host: {host_id} was deleted or never existed. Describe the index to learn its host.")


PARTS = {"namespaces": NamespaceEntry, "aliases": Alias, "imports": Import}


class Catalog:
    """All indexes as of the last change: what readers hold never changes under them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self.indexes = _restored(database.catalog())

    @contextmanager
    def changing(self) -> Iterator[Indexes]:
        """Yield a draft to edit. At the end it is on the disk and takes effect; an error inside leaves everything as it was."""
        with self._lock:
            draft = deepcopy(self.indexes)
            yield draft
            before, after = _entries(self.indexes), _entries(draft)
            changed = {place: fields for place, fields in after.items() if before.get(place) != fields}
            self._database.change_catalog(changed, before.keys() - after.keys())
            self.indexes = draft


def new_host_id(name: str) -> str:
    """Return an id for an index that none before had."""
    return f"{name}-{secrets.token_hex(4)}"


def new_key() -> int:
    """Return a key for a namespace that none before had, so that one made again never meets records of the deleted one."""
    return secrets.randbits(63)


def timestamp() -> str:
    """Return the moment in UTC as the service writes it, to the millisecond."""
    return re.sub(r"\+00:00$", "Z", datetime.now(UTC).isoformat(timespec="milliseconds"))


def _entries(indexes: Indexes) -> dict[Place, str]:
    entries: dict[Place, str] = {}
    for index in indexes.values():
        fields = asdict(index)
        parts = {(index.host_id, kind, name): part for kind in PARTS for name, part in fields.pop(kind).items()}
        entries |= {place: orjson.dumps(part).decode() for place, part in (((index.host_id, "index", index.name), fields), *parts.items())}
    return entries


def _restored(entries: list[tuple[Place, str]]) -> Indexes:
    indexes: dict[str, Index] = {}
    for (host_id, kind, name), text in entries:
        fields = orjson.loads(text)
        if kind == "index":
            indexes[host_id] = Index(**fields)
        else:
            getattr(indexes[host_id], kind)[name] = PARTS[kind](**fields)
    return Indexes({index.name: index for index in indexes.values()})
