"""Rebuild, switch and drop the releases of a test's own index, each in one call: what the DAGs do with their steps."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.releases import Releases
from embedding_lakehouse.core.releases import ReleaseRow
from embedding_lakehouse.errors import NothingToDo
from embedding_lakehouse.steps.drop_releases import drop_releases
from embedding_lakehouse.steps.rebuild_index.filling import await_import, fill_shard, record_fill, start_import
from embedding_lakehouse.steps.rebuild_index.planning import begin_rebuild, plan_rebuild
from embedding_lakehouse.steps.rebuild_index.verifying import verify_release
from embedding_lakehouse.steps.switch_release import choose_release, switch_release
from embedding_lakehouse.steps.sync_index.planning import plan_sync
from tests.index_fixtures import Following

PARAMS = {
    "as_of": "",
    "method": "auto",
    "dry_run": False,
    "keep_days": 7,
    "reason": "a test",
    "import_uri": "",
    "discard_building": False,
}
Step = tuple[str, Callable[[], Any]]


class Rebuilding(Following):
    """The releases of a profile's index, on a server whose faults can be switched."""

    def rebuild(self, as_of: str = "", run_id: str = "a run", **params: Any) -> str:
        """One run of the DAG rebuild_index; the release that is live then."""
        for _ in self.rebuilding(as_of, run_id, **params):
            continue
        return self.live["release_id"]

    def rebuilding(self, as_of: str = "", run_id: str = "a run", **params: Any) -> Iterator[str]:
        """The same, step by step: the name of each step that was just done."""
        wanted = PARAMS | {"profile": self.profile.name, "as_of": as_of} | params
        plan = plan_rebuild(wanted, self.lake, self.service)
        yield "plan_rebuild"
        shards = begin_rebuild(plan, wanted, run_id, self.lake, self.service)
        yield "begin_rebuild"
        for shard in shards:
            fill_shard(shard, self.lake, self.service)
            yield "fill_shard"
        yield from self._importing(shards)
        release_id = record_fill(shards, self.lake)
        yield "record_fill"
        verify_release(release_id, self.lake, self.service)
        yield "verify_release"
        catching_up = plan_sync(self.profile.name, "rebuild_index", run_id, self.lake, release_id)
        yield "plan_sync"
        if catching_up:
            self.apply(catching_up)
            yield "apply_sync"
        switch_release(release_id, wanted["keep_days"], wanted["reason"], run_id, self.lake, self.service)
        yield "switch_release"

    def _importing(self, shards: list[dict[str, Any]]) -> Iterator[str]:
        try:
            import_id = start_import(shards, self.lake, self.service)
        except NothingToDo:
            return
        yield "start_import"
        while not await_import(import_id, shards, self.lake, self.service):
            continue
        yield "await_import"

    def rebuild_until(self, step: str, **params: Any) -> None:
        """A run that ends after a step, as one that is killed there."""
        for done in self.rebuilding(**params):
            if done == step:
                return
        raise AssertionError(f"the run never came to {step}")

    def switch(self, release_id: str = "previous") -> str:
        """One run of the DAG switch_release; the release that is live then."""
        chosen = choose_release(self.profile.name, release_id, self.lake, self.service)
        return switch_release(chosen, 7, "a test", "a run", self.lake, self.service)

    def drop(self, release_id: str | None = None, dry_run: bool = False) -> list[str]:
        """One run of the DAG drop_releases; what was dropped."""
        return drop_releases(self.profile.name, release_id, dry_run, self.lake, self.service)

    @property
    def live(self) -> ReleaseRow:
        return Releases(self.lake).live(self.profile.name)

    def release(self, release_id: str) -> ReleaseRow:
        """The release as it is now."""
        return Releases(self.lake).named(release_id)

    def states(self) -> dict[str, str]:
        """The state of each release of the profile, by its number: r1, r2."""
        rows = [row for row in Releases(self.lake).rows() if row["profile"] == self.profile.name]
        return {row["release_id"].rpartition("-")[2]: row["state"] for row in sorted(rows, key=lambda row: row["created_at"])}

    def named(self, number: str) -> str:
        """The id of the release of that number."""
        return f"{self.profile.name}-{number}"

    def impatient(self, patience: float = 0.5) -> "Rebuilding":
        """The same with a service that is given up sooner."""
        return Rebuilding(self.lake, self.profile, replace(self.service, patience=patience))

    def through(self, lake: Lake) -> "Rebuilding":
        """The same through another lake, one in whose midst something happens for example."""
        return Rebuilding(lake, self.profile, self.service)


@pytest.fixture
def rebuilding(following: Following) -> Rebuilding:
    """The test's own index, empty, with its first release."""
    return Rebuilding(following.lake, following.profile, following.service)
