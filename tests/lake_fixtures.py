"""A lake of its own for each test, on the session's one Trino: the catalog is put back to a saved state, which takes milliseconds."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dev.stack import Stack
from dev.stack.catalog import catalog_file, warehouse
from embedding_lakehouse import settings
from embedding_lakehouse.clients.batches import journal
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.models import EmbeddingModel
from embedding_lakehouse.core.forgetting_tables import FORGETTING_TABLES
from embedding_lakehouse.core.index_tables import INDEX_TABLES
from embedding_lakehouse.core.ingest_tables import INGEST_RUNS
from embedding_lakehouse.core.monitoring_tables import MONITORING_TABLES
from embedding_lakehouse.core.tables import TABLES
from embedding_lakehouse.steps.set_up import create_tables
from tests.batches import BatchRun, CountingModel, put_documents, run_batch, state_of

# The audit reads the ingestions as well.
SAVED = (*TABLES, *INDEX_TABLES, *MONITORING_TABLES, INGEST_RUNS, *FORGETTING_TABLES)
# No model answers under these: the tests bring their own, of any length.
PROFILES = """
[profiles.small]
provider = "wordllama"
model_name = "counted"
model_version = "small-v1"
dimensions = 8
normalise = false
chunking = { strategy = "structure", max_characters = 50 }
batch = { documents = 40, shard_documents = 8, shard_tokens = 100, checkpoint_chunks = 3 }

[profiles.other]
provider = "wordllama"
model_name = "counted"
model_version = "other-v1"
dimensions = 8
normalise = false
chunking = { strategy = "words", words = 5, overlap = 1 }
"""


@dataclass(frozen=True, eq=False)
class SavedLake:
    """A state of the lakehouse's tables: the metadata of each, and every file that its batches had written by then."""

    home: Path
    metadata: dict[tuple[str, str], tuple[str, str]]
    batches: frozenset[str]
    files: dict[Path, bytes]
    is_whole: bool = False

    @classmethod
    def of(cls, home: Path, lake: Lake) -> "SavedLake":
        """The state in which the tables are now."""
        loaded = [lake.table(table) for table in SAVED]
        texts = {table.name(): (table.metadata_location, _path(table.metadata_location).read_text()) for table in loaded}
        batches = frozenset(f"batch_id={row['batch_id']}" for row in journal(lake).rows())
        return cls(home, texts, batches, {file: file.read_bytes() for file in _files(home, batches)})

    def whole(self) -> "SavedLake":
        """The same state with every file of the warehouse and no other, for a lake of its own whose files are removed."""
        return replace(self, files={file: file.read_bytes() for file in _all_files(self.home)}, is_whole=True)

    def restore(self) -> Lake:
        """Put the tables back into this state, whatever became of them; views go. The lake, through new connections."""
        found = _all_files(self.home) if self.is_whole else _files(self.home, self.batches)
        for file in found - self.files.keys():
            file.unlink()
        for file, content in self.files.items():
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        # Closed by the second context manager: the first one only ends the transaction.
        connection = sqlite3.connect(catalog_file(self.home), timeout=60)
        with connection as catalog:
            catalog.execute("delete from iceberg_tables where iceberg_type = 'VIEW'")
            for (namespace, name), (location, text) in self.metadata.items():
                # Under a new name each time: old metadata files are removed after a hundred commits.
                copy = f"{location.rpartition('/')[0]}/00000-{uuid4()}.metadata.json"
                _path(copy).write_text(text)
                catalog.execute("delete from iceberg_tables where table_namespace = ? and table_name = ?", (namespace, name))
                catalog.execute(
                    "insert into iceberg_tables (catalog_name, table_namespace, table_name, metadata_location, iceberg_type) "
                    "values ('iceberg_default', ?, ?, ?, 'TABLE')",
                    (namespace, name, copy),
                )
        connection.close()
        return connect()


@pytest.fixture(scope="session")
def empty_lake(trino_stack: Stack) -> SavedLake:
    """Every table of the lakehouse as `set_up_lakehouse` makes it."""
    return _created(trino_stack.home)


@cache
def _created(home: Path) -> SavedLake:
    """Made once, also where several folders of tests import the fixture."""
    lake = connect()
    for table in SAVED:
        if lake.catalog.table_exists(table.name):
            lake.catalog.drop_table(table.name)
    create_tables(lake=lake)
    return SavedLake.of(home, lake)


@pytest.fixture
def lake(empty_lake: SavedLake, profiles: Path) -> Lake:
    """A lake whose tables are empty and have no history."""
    return empty_lake.restore()


@pytest.fixture(scope="module")
def module_lake(empty_lake: SavedLake, module_profiles: Path) -> Lake:
    """The same for fixtures that all tests of a module share, and none of them changes."""
    return empty_lake.restore()


class StagedBatch:
    """One batch after each of its steps, to begin a test at any of them; another was published before it.

    The batch embeds the difference of the documents `after` it and `before` it, under a profile with a model that `model` makes.
    """

    def __init__(
        self,
        home: Path,
        empty: SavedLake,
        profile: str = "small",
        model: Callable[[], EmbeddingModel] = CountingModel,
        before: Mapping[str, str] | None = None,
        after: Mapping[str, str] | None = None,
    ) -> None:
        self._profile, self._model = profile, model
        lake = empty.restore()
        put_documents(lake, before or BEFORE)
        run_batch(lake, profile, model())
        put_documents(lake, after or AFTER)
        run = BatchRun(lake, profile, model(), is_audited=True)
        self._saved: dict[str, tuple[SavedLake, dict[str, Any]]] = {}
        for step in run.steps():
            self._saved[step] = SavedLake.of(home, lake), dict(run.result)
        self.published = state_of(lake)

    def after(self, step: str) -> BatchRun:
        """The run that was stopped after a step, with a model that has not been asked yet."""
        saved, result = self._saved[step]
        return BatchRun(saved.restore(), self._profile, self._model(), result=dict(result))


# An edit, an unchanged and an emptied document, a deleted one, a copied text, and new ones over several checkpoints and shards.
BEFORE = {"a": "Alpha.", "b": "# Beta\n\nThe text of beta.", "c": "Gamma.", "d": "Delta.", "f": "Phi."}
AFTER = {
    "a": "Alpha.",
    "b": f"{BEFORE['b']}\n\n# More\n\nA section that leaves no place for the first one.",
    "c": "",
    "e": "Alpha.",
    "f": "Phi.",
    **{f"new {number}": "\n\n".join(f"Text {number} has this as its sentence {part}." for part in range(4)) for number in range(6)},
}


@pytest.fixture(scope="session")
def staged_batch(trino_stack: Stack, empty_lake: SavedLake, tmp_path_factory: pytest.TempPathFactory) -> StagedBatch:
    """A batch to begin with at any of its steps."""
    return _staged(trino_stack.home, empty_lake, tmp_path_factory.mktemp("staged") / "profiles.toml")


@cache
def _staged(home: Path, empty: SavedLake, profiles: Path) -> StagedBatch:
    with declared_profiles(profiles):
        return StagedBatch(home, empty)


@pytest.fixture
def profiles(tmp_path: Path) -> Iterator[Path]:
    """The file that declares the tests' own profiles; `declare` puts others into it."""
    with declared_profiles(tmp_path / "profiles.toml") as file:
        yield file


@pytest.fixture(scope="module")
def module_profiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same for fixtures that all tests of a module share."""
    with declared_profiles(tmp_path_factory.mktemp("profiles") / "profiles.toml") as file:
        yield file


@contextmanager
def declared_profiles(file: Path) -> Iterator[Path]:
    """Make the tests' own profiles the declared ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDDING_LAKEHOUSE_PROFILES", str(file))
        declare(file, PROFILES)
        yield file
    settings.profiles.cache_clear()


def declare(file: Path, text: str) -> None:
    """Put other profiles in place, as somebody who edits the file before the next process starts."""
    file.write_text(text)
    settings.profiles.cache_clear()


def _files(home: Path, batches: frozenset[str]) -> set[Path]:
    """What these batches staged or committed. Other files stay where they are: the catalog alone says which count."""
    found = (file for batch in batches for file in warehouse(home).glob(f"*/*/data/{batch}/**/*"))
    return {file for file in found if file.is_file()}


def _all_files(home: Path) -> set[Path]:
    return {file for file in warehouse(home).rglob("*") if file.is_file()}


def _path(location: str) -> Path:
    return Path(location.removeprefix("file://"))
