"""What tests of the index share: a profile of their own, a lake to fill, a Pinecone server with faults, and a sync in one call."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.pinecone import IndexService, Record, VectorIndex
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.releases import IndexShape
from embedding_lakehouse.steps.set_up_index import create_index
from embedding_lakehouse.steps.sync_index.closing import record_sync, verify_records
from embedding_lakehouse.steps.sync_index.planning import plan_sync
from embedding_lakehouse.steps.sync_index.writing import delete_records, upsert_records
from tests.lake_builder import LakeBuilder
from tests.lake_fixtures import PROFILES, declare

API_KEY = "a-key-of-the-tests"
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def faulty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Pinecone server on which faults can be switched."""
    home = tmp_path_factory.mktemp("pinecone")
    command = [sys.executable, "-m", "dev.pinecone_server", "--port", "0", "--home", str(home), "--faults"]
    environment = os.environ | {"PINECONE_API_KEY": API_KEY}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as server:
        line = next(line for line in server.stdout if line.startswith("Listening on "))
        yield line.removeprefix("Listening on ").split(",")[0]
        server.terminate()


@pytest.fixture
def profile(request: pytest.FixtureRequest, profiles: Path) -> Profile:
    """A profile that no other test has, and so an index that no other test touches; of 8 dimensions, or of its parameter."""
    name = f"test-{uuid4().hex[:12]}"
    declare(profiles, declaration(name, getattr(request, "param", 8)) + PROFILES)
    return settings.profile(name)


def declaration(name: str, dimensions: int = 8) -> str:
    """A profile of the bundled model, whose vectors are taken as they come: those of the tests' own model have not the length 1."""
    return f"""
        [profiles."{name}"]
        provider = "wordllama"
        model_name = "l2_supercat"
        model_version = "{name}-v1"
        dimensions = {dimensions}
        normalise = false
        chunking = {{ strategy = "structure", max_characters = 50 }}
        index = {{ name = "{name}" }}
    """


@pytest.fixture
def builder(lake: Lake, profile: Profile) -> LakeBuilder:
    """Fills the lake under the test's own profile."""
    return LakeBuilder(lake, profile)


@dataclass
class Following:
    """The index of a profile as it follows the lake, on a server whose faults can be switched."""

    lake: Lake
    profile: Profile
    service: IndexService

    def plan(self) -> list[dict[str, Any]]:
        return plan_sync(self.profile.name, "sync_index", "a test", self.lake)

    def apply(self, shards: list[dict[str, Any]]) -> None:
        """What the DAG does with a plan."""
        upserted = [upsert_records(shard, self.lake, self.service) for shard in shards]
        verify_records(shards, upserted, self.lake, self.service)
        deleted = [delete_records(shard, self.lake, self.service) for shard in shards]
        record_sync(shards, upserted, deleted, self.lake)

    def upsert(self, shard: dict[str, Any]) -> dict[str, Any]:
        """What the DAG does first with a shard."""
        return upsert_records(shard, self.lake, self.service)

    def sync(self) -> tuple[int, int]:
        """One run of the DAG: records written and removed."""
        shards = self.plan()
        if shards:
            self.apply(shards)
        return sum(shard["upserts"] for shard in shards), sum(shard["deletes"] for shard in shards)

    @property
    def shape(self) -> IndexShape:
        return IndexShape.of_profile(self.profile)

    @property
    def index(self) -> VectorIndex:
        return self.service.open(self.shape)

    @property
    def namespace(self) -> str:
        return Releases(self.lake).live(self.profile.name)["namespace"]

    def records(self) -> dict[str, Record]:
        """Everything that the index holds."""
        index = self.index
        ids = [item.id for page in index._sdk.list(namespace=self.namespace) for item in page.vectors]
        return index.fetch(self.namespace, ids)

    def delete_index(self) -> None:
        """Remove the index behind everybody's back."""
        answer = httpx.delete(f"{self.service.host}/indexes/{self.profile.index.name}", headers={"Api-Key": API_KEY})
        answer.raise_for_status()

    def delete_namespace(self) -> None:
        """Remove the live namespace behind everybody's back, with the alias, which keeps it from being removed."""
        index = self.index
        if index.alias_target(self.profile.name):
            index._sdk._http.delete(f"/namespace-aliases/{self.profile.name}")
        index.delete_namespace(self.namespace)

    def inject(self, *rules: dict[str, Any], **settings: Any) -> None:
        """Switch faults at the server; without any, off."""
        put_faults(self.service.host, *rules, **settings)

    def hits(self) -> int:
        """How often the faults hit."""
        answer = httpx.get(f"{self.service.host}/faults", headers={"Api-Key": API_KEY})
        return sum(rule["hits"] for rule in answer.json()["rules"])


def put_faults(server: str, *rules: dict[str, Any], **settings: Any) -> None:
    """Switch faults at a server; without any, off."""
    answer = httpx.put(f"{server}/faults", json={"rules": list(rules), **settings}, headers={"Api-Key": API_KEY})
    answer.raise_for_status()


@pytest.fixture
def following(lake: Lake, profile: Profile, faulty_server: str) -> Iterator[Following]:
    """The test's own index, empty, with its first release."""
    service = IndexService(API_KEY, faulty_server, patience=20)
    create_index(profile.name, lake=lake, service=service)
    follows = Following(lake, profile, service)
    yield follows
    follows.inject(visibility_delay_ms=0)


def difference(builder: LakeBuilder, records: dict[str, Record]) -> dict[str, str]:
    """Where an index differs from the lake: what is wrong by record id; nothing where every id, vector and receipt is equal."""
    current = builder.current()
    wrong = dict.fromkeys(current.keys() - records.keys(), "missing") | dict.fromkeys(records.keys() - current.keys(), "orphaned")
    for name in current.keys() & records.keys():
        row, record = current[name], records[name]
        if record.values.tobytes() != np.asarray(row["embedding"], np.float32).tobytes():
            wrong[name] = "another vector"
        elif any(record.metadata[key] != row[key] for key in ("doc_id", "content_hash", "batch_id", "chunk_index", "start_offset")):
            wrong[name] = f"another receipt: {record.metadata}"
    return wrong
