"""Erasures while texts lie at the provider, the real client against a server that answers like OpenAI: nothing of them stays there."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dev.stack import Stack
from embedding_lakehouse.clients.forgetting import purchases
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models.openai_bulk import OpenAIBulk
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.core.hashing import text_hash
from embedding_lakehouse.core.purchases import NO_JOB
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS, SOURCE_DOCUMENTS
from embedding_lakehouse.errors import ConfigurationError
from embedding_lakehouse.settings import profile, profiles
from embedding_lakehouse.steps.embed_documents.bulk_buying import buy_in_bulk
from embedding_lakehouse.steps.forget_documents import beginning
from tests.batches import BatchRun, put_documents
from tests.bulk_fixtures import DOCUMENTS, TEXTS, PricedBatch, bulk_shards, buy_all, buy_shard, finish, openai_profile
from tests.forgetting_fixtures import PARAMS, Forgetting
from tests.interruptions import interrupted_at_commit
from tests.lake_fixtures import PROFILES, SavedLake, declare
from tests.model_fixtures import SECRETS, ModelServer

FORGOTTEN = "d3"
THEIRS = TEXTS[9:12]
CONNECTION = "openai_default"
LIST, DELETE, LOOK, CANCEL = "GET /v1/batches", "DELETE /v1/files by id", "GET /v1/batches by id", "POST /v1/batches/cancel"


@pytest.fixture(scope="module")
def priced_batch(trino_stack: Stack, own_module_lake: Lake, module_profiles: Path, model_process: ModelServer) -> PricedBatch:
    declare(module_profiles, PROFILES + openai_profile())
    put_documents(own_module_lake, DOCUMENTS)
    run = BatchRun(own_module_lake, "openai").until("price")
    return PricedBatch(SavedLake.of(trino_stack.home, own_module_lake).whole(), dict(run.result), {})


@pytest.fixture
def run(priced_batch: PricedBatch, module_profiles: Path, model_server: ModelServer) -> BatchRun:
    """The priced batch, and a service that was not asked yet."""
    declare(module_profiles, PROFILES + openai_profile())
    return priced_batch.again()


@pytest.fixture
def forgetting(run: BatchRun) -> Forgetting:
    """Erasures of the batch's lake, which has no release, so that no index is asked."""
    return Forgetting(run.lake, IndexService("a key", "http://127.0.0.1:9"))


@pytest.fixture
def account(run: BatchRun) -> OpenAIBulk:
    """The account that the batch is bought from."""
    return OpenAIBulk(profile("openai"))


def put_all(run: BatchRun) -> int:
    """Put the jobs of every shard; how many shards there are."""
    shards = bulk_shards(run)
    for shard in shards:
        buy_in_bulk(**shard, lake=run.lake)
    return len(shards)


def line(account: OpenAIBulk, text: str) -> tuple[str, bytes]:
    return text_hash(text), account.line(text_hash(text), text)


def held(account: OpenAIBulk) -> set[str]:
    """The hashes of all texts that the account has in a file."""
    return {name for file in account.files() for name in account.text_hashes(file)}


def test_jobs_that_are_under_way_are_cancelled_and_their_texts_are_gone(
    run: BatchRun, forgetting: Forgetting, account: OpenAIBulk, model_server: ModelServer
) -> None:
    model_server.put(bulk_polls=1_000)
    count = put_all(run)
    assert {text_hash(text) for text in THEIRS} <= held(account)
    plan = forgetting.plan(doc_ids=[FORGOTTEN])
    assert f"purchases in bulk looked for behind: {CONNECTION}" in plan["description"]
    assert model_server.calls()[LIST] == count
    certificate = forgetting.finish(plan, doc_ids=[FORGOTTEN])
    assert model_server.calls()[CANCEL] == count
    assert model_server.kept_files() == 0
    found = certificate["purchases_in_bulk"]
    assert [(one["batch_id"], one["state"], one["left"]) for one in found["purchases"]] == [(run.batch_id, "validating", {})] * count
    assert all(one["name"].startswith("batch_") and one["files_deleted"] for one in found["purchases"])
    assert found["not_reached"] == {}
    assert not any(said in str(certificate) for said in (*THEIRS, *SECRETS))

    model_server.put()
    again = BatchRun(run.lake, "openai").until("price")
    buy_all(again)
    finish(again)
    assert model_server.batched().keys() == {*TEXTS, DOCUMENTS["bad"]} - {*THEIRS}
    assert FORGOTTEN not in run.lake.table(DOCUMENT_EMBEDDINGS).scan().to_arrow()["doc_id"].to_pylist()


def test_what_dead_tries_and_published_batches_left_in_the_account_is_deleted(
    run: BatchRun, forgetting: Forgetting, model_server: ModelServer
) -> None:
    first, *others = bulk_shards(run)
    model_server.put(faults=[{"kind": "unauthorized", "times": 1, "on": "POST /v1/batches"}, {"kind": "unauthorized", "on": DELETE}])
    with pytest.raises(ConfigurationError):
        buy_in_bulk(**first, lake=run.lake)
    for shard in (first, *others):
        with suppress(ConfigurationError):
            buy_shard(run.lake, shard)
    finish(run)
    # An upload without a job, and of each job its texts and its answers.
    left = 1 + 2 * (1 + len(others))
    assert model_server.kept_files() == left
    model_server.put_faults()
    certificate = forgetting.forget(doc_ids=[FORGOTTEN])
    assert model_server.kept_files() == 0
    found = certificate["purchases_in_bulk"]["purchases"]
    assert sorted(one["state"] for one in found) == ["completed"] * (1 + len(others)) + [NO_JOB]
    assert sum(len(one["files_deleted"]) for one in found) == left
    assert forgetting.forget(doc_ids=["d4"])["purchases_in_bulk"]["purchases"] == []


def test_what_begins_meanwhile_is_found_at_the_end_and_purchases_of_other_texts_go_on(
    run: BatchRun, forgetting: Forgetting, account: OpenAIBulk, model_server: ModelServer, trino_stack: Stack
) -> None:
    model_server.put(bulk_polls=1_000)
    jobs = []

    def begin_others() -> None:
        batch = BatchRun(run.lake, "openai").until("price").batch_id
        for batch_id, texts in ((run.batch_id, TEXTS[:1]), (batch, THEIRS[:1]), (batch, TEXTS[1:2])):
            jobs.append(account.submit(batch_id, 0, [line(account, text) for text in texts]))

    lake = interrupted_at_commit(run.lake, trino_stack, SOURCE_DOCUMENTS.name, begin_others)
    certificate = forgetting.finish(forgetting.plan(doc_ids=[FORGOTTEN]), lake, doc_ids=[FORGOTTEN])
    found = {one["name"]: one["files_deleted"] for one in certificate["purchases_in_bulk"]["purchases"]}
    late, theirs, other = jobs
    assert found.keys() == {late.job_id, theirs.job_id}
    assert [account.job(job.job_id).state for job in jobs] == ["cancelled", "cancelled", "in_progress"]
    assert account.files().keys() == {other.input_file}


REFUSALS: dict[str, tuple[dict, bool]] = {
    "a deletion, for good": ({"kind": "unauthorized", "on": DELETE}, True),
    "a deletion, once": ({"kind": "unauthorized", "on": DELETE, "times": 1}, False),
    "a look at a job": ({"kind": "unauthorized", "on": LOOK}, True),
    "a cancellation": ({"kind": "unauthorized", "on": CANCEL}, True),
    "an answer, once": ({"kind": "server_error", "on": DELETE, "times": 1}, False),
    "any answer": ({"kind": "server_error"}, True),
    "the key": ({"kind": "unauthorized"}, True),
}


@pytest.mark.parametrize(("fault", "is_left"), REFUSALS.values(), ids=REFUSALS)
def test_what_the_account_refuses_is_in_the_certificate_and_the_rest_goes_on(
    run: BatchRun, forgetting: Forgetting, model_server: ModelServer, fault: dict, is_left: bool
) -> None:
    model_server.put(bulk_polls=1_000)
    put_all(run)
    model_server.put_faults(fault)
    certificate = forgetting.forget(doc_ids=[FORGOTTEN])
    assert certificate["checked"]["left"] == {}
    found = certificate["purchases_in_bulk"]
    named = [name for one in found["purchases"] for name in one["left"]] + list(found["not_reached"])
    assert bool(named) == is_left
    assert all(any(name in said and CONNECTION in said for said in certificate["out_of_reach"]) for name in named)
    assert not any(said in str(certificate) for said in (*THEIRS, *SECRETS))
    if not is_left:
        assert model_server.kept_files() == 0


def test_a_job_that_ends_in_its_own_time_is_waited_for(run: BatchRun, forgetting: Forgetting, model_server: ModelServer) -> None:
    model_server.put(bulk_polls=4)
    put_all(run)
    model_server.put_faults({"kind": "unauthorized", "on": CANCEL})
    erasure_id = beginning.begin_erasure(
        forgetting.plan(doc_ids=[FORGOTTEN]), PARAMS | {"doc_ids": [FORGOTTEN]}, "an approver", "a run", run.lake, forgetting.service
    )
    hasty = purchases.withdraw(run.lake, erasure_id, profiles(), settling_seconds=0)
    assert hasty.out_of_reach
    model_server.put_faults()
    patient = purchases.withdraw(run.lake, erasure_id, profiles(), settling_seconds=60)
    assert patient.out_of_reach == []
    assert model_server.kept_files() == 0


@pytest.fixture(params=["no longer declared", "no longer in bulk"])
def undeclare(request: pytest.FixtureRequest, module_profiles: Path) -> Iterator[Callable[[], None]]:
    text = PROFILES + (openai_profile(above_texts=0) if request.param == "no longer in bulk" else "")
    yield lambda: declare(module_profiles, text)


def test_a_profile_that_buys_nothing_in_bulk_any_more_is_not_looked_for(
    run: BatchRun, forgetting: Forgetting, model_server: ModelServer, undeclare: Callable[[], None]
) -> None:
    model_server.put(bulk_polls=1_000)
    put_all(run)
    before = model_server.calls()
    undeclare()
    certificate = forgetting.forget(doc_ids=[FORGOTTEN])
    assert certificate["purchases_in_bulk"] == {"purchases": [], "not_reached": {}}
    assert model_server.calls() == before
