"""What a release held when an answer was given, as receipts and the dashboard tell it after erasures and maintenance."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.core.hashing import chunk_id, content_hash
from embedding_lakehouse.core.tables import DOCUMENT_VERSIONS, INDEX_RELEASES
from embedding_lakehouse.receipts import explain
from tests.batches import put_documents, run_batch
from tests.forgetting_fixtures import Forgetting
from tests.maintenance_fixtures import AT_ONCE, Maintaining
from tests.release_fixtures import Rebuilding

KEPT, PRIVATE, SECRET = "kept.md", "private.md", "secret.md"
OLD, NEW = "It is as it was.", "It is so no longer."
RULES = replace(AT_ONCE, receipt_age=timedelta(days=365))


@pytest.fixture
def lake(own_lake: Lake) -> Lake:
    """A lake whose files may be removed."""
    return own_lake


@dataclass
class Story:
    """A document that stays and changes, beside two that are forgotten, and the release that follows."""

    rebuilding: Rebuilding
    forgetting: Forgetting

    @property
    def release(self) -> str:
        return self.rebuilding.named("r1")

    def embed(self, text: str) -> None:
        """Publish that text of the document that stays."""
        put_documents(self.rebuilding.lake, {KEPT: text, PRIVATE: "Nobody knows it.", SECRET: "Nobody else does."})
        run_batch(self.rebuilding.lake, self.rebuilding.profile.name)

    def forget(self, doc_id: str) -> None:
        assert self.forgetting.forget(doc_ids=[doc_id])["checked"]["left"] == {}

    def maintain(self) -> None:
        """Let go whatever no receipt of a year needs."""
        Maintaining(self.rebuilding.lake, RULES).run(DOCUMENT_VERSIONS, INDEX_RELEASES)

    def held(self, answered_at: datetime) -> list[tuple[str, str, bool]]:
        """The releases of that time with the old text's record: id, version, and whether that is exactly what they held."""
        (receipt,) = explain([chunk_id(KEPT, OLD)], self.rebuilding.profile.name, answered_at, self.rebuilding.lake).receipts
        return [(release.release_id, release.content_hash, release.is_exact) for release in receipt.releases]

    def behind(self) -> list[tuple[str, str]]:
        """What the dashboard says of the document: each release with its version."""
        rows = self.rebuilding.lake.sql.named("dashboards/versions_behind_releases")
        return [(row["release_id"], row["content_hash"]) for row in rows if row["doc_id"] == KEPT]


@pytest.fixture
def story(rebuilding: Rebuilding, forgetting: Forgetting) -> Story:
    """The old text is in the index, the new one is published and not followed yet."""
    story = Story(rebuilding, forgetting)
    story.embed(OLD)
    rebuilding.sync()
    story.embed(NEW)
    return story


def test_what_a_release_held_when_it_answered_is_told_after_erasures(story: Story) -> None:
    held = [(story.release, content_hash(OLD), True)]
    answered = [datetime.now(UTC)]
    story.forget(PRIVATE)
    answered.append(datetime.now(UTC))
    assert story.behind() == [(story.release, content_hash(OLD))]
    story.forget(SECRET)
    assert [story.held(at) for at in answered] == [held, held]
    assert story.behind() == [(story.release, content_hash(OLD))]
    story.rebuilding.sync()
    story.maintain()
    assert [story.held(at) for at in answered] == [held, held]
    assert story.behind() == [(story.release, content_hash(NEW))]


def test_what_a_release_held_before_it_moved_on_is_told_after_an_erasure(story: Story) -> None:
    held = [(story.release, content_hash(OLD), True)]
    answered_at = datetime.now(UTC)
    story.rebuilding.sync()
    story.forget(PRIVATE)
    assert story.held(answered_at) == held
    story.maintain()
    assert story.held(answered_at) == held
