"""Batches bought in bulk, the real client against a server that answers like OpenAI: the same lake, at whatever moment anything ends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.model_server.vectors import tokens_of
from dev.stack import Stack
from embedding_lakehouse.bulk_trigger import BulkTrigger
from embedding_lakehouse.clients.models.openai_bulk import BulkJob, OpenAIBulk
from embedding_lakehouse.core.tables import REJECTED_CHUNKS
from embedding_lakehouse.errors import ConfigurationError
from embedding_lakehouse.settings import profile
from embedding_lakehouse.steps.embed_documents.bulk_buying import ShardJobs, Waiting, buy_in_bulk
from embedding_lakehouse.steps.embed_documents.embedding import Stage, work_left
from tests.batches import BatchRun, current_documents, put_documents, state_of
from tests.bulk_fixtures import BAD, DOCUMENTS, TEXTS, PricedBatch, bulk_shards, buy_all, buy_shard, finish, openai_profile, waited
from tests.bulk_process import killed_in
from tests.lake_fixtures import PROFILES, SavedLake, declare
from tests.model_fixtures import SECRETS, ModelServer

ALL = {*TEXTS, BAD}
DIRECT = "POST /v1/embeddings"
DELETE = "DELETE /v1/files by id"


@pytest.fixture(scope="module")
def priced_batch(trino_stack: Stack, empty_lake: SavedLake, module_profiles: Path, model_process: ModelServer) -> PricedBatch:
    declare(module_profiles, PROFILES + openai_profile())
    # Whatever tests before these left in force.
    model_process.put()
    lake = empty_lake.restore()
    put_documents(lake, DOCUMENTS)
    run = BatchRun(lake, "openai").until("price")
    saved, result = SavedLake.of(trino_stack.home, lake), dict(run.result)
    priced = PricedBatch(saved, result, {})
    direct = priced.again()
    finish(direct)
    return PricedBatch(saved, result, state_of(direct.lake))


@pytest.fixture
def run(priced_batch: PricedBatch, module_profiles: Path, model_server: ModelServer) -> Iterator[BatchRun]:
    """The priced batch, of several shards, and a service that was not asked yet."""
    declare(module_profiles, PROFILES + openai_profile())
    run = priced_batch.again()
    assert len(bulk_shards(run)) > 1
    return run


def assert_bought_once(server: ModelServer, directly: set[str] = frozenset()) -> None:
    """Every text was embedded once, these at the usual price, and no text was put in two batches."""
    _, texts = server.asked()
    assert (set(texts), set(texts.values())) == (ALL, {1})
    batched = server.batched()
    assert (set(batched), set(batched.values())) == (ALL, {1})
    assert server.calls()[DIRECT] == 0 if not directly else server.calls()[DIRECT] > 0


def test_a_batch_bought_in_bulk_is_that_of_a_direct_run_and_nothing_is_left_in_the_account(
    priced_batch: PricedBatch, run: BatchRun, model_server: ModelServer
) -> None:
    buy_all(run)
    finish(run)
    assert state_of(run.lake) == priced_batch.bought_directly
    assert_bought_once(model_server)
    assert sum(shard["texts_embedded"] for shard in run.result["embed"]) == 0
    assert model_server.kept_files() == 0


def test_the_price_is_that_of_bulk(run: BatchRun) -> None:
    assert run.row["texts_embedded"] == len(ALL)
    assert run.row["price_estimated"] == pytest.approx(run.row["tokens_estimated"] / 1_000 / 2)
    buy_all(run)
    finish(run)
    assert run.row["price"] == pytest.approx(run.row["tokens_embedded"] / 1_000 / 2)
    assert (run.row["tokens_embedded"], run.row["requests"]) == (sum(map(tokens_of, ALL)), len(ALL))


@pytest.mark.parametrize("above_texts", [0, len(ALL)])
def test_a_batch_that_is_not_large_enough_never_meets_the_batch_api(
    run: BatchRun, module_profiles: Path, model_server: ModelServer, above_texts: int
) -> None:
    declare(module_profiles, PROFILES + openai_profile(above_texts))
    assert bulk_shards(run) == []
    finish(run)
    assert set(model_server.calls()) == {DIRECT}


def test_a_shard_of_more_texts_than_a_job_takes_has_several(
    priced_batch: PricedBatch, run: BatchRun, module_profiles: Path, model_server: ModelServer
) -> None:
    declare(module_profiles, PROFILES + openai_profile(texts_per_job=3))
    model_server.put(bulk_texts=3)
    buy_all(run)
    assert model_server.calls()["POST /v1/batches"] >= len(ALL) / 3
    finish(run)
    assert state_of(run.lake) == priced_batch.bought_directly
    assert_bought_once(model_server)


ENDS = {
    "expired": {"bulk_end": "expired"},
    "expired without an answer": {"bulk_end": "expired", "bulk_share": 0},
    "cancelled by somebody": {"bulk_end": "cancelled"},
    "failed": {"bulk_end": "failed"},
    "refused": {"bulk_texts": 1},
    "some answers of no use": {"faults": [{"kind": "nan", "times": 3, "on": "line"}]},
    "some vectors of another length": {"faults": [{"kind": "wrong_dimension", "times": 3, "on": "line"}]},
    "two answers for the same text": {"faults": [{"kind": "doubled_index", "after": 1, "times": 1, "on": "line"}]},
}


@pytest.mark.parametrize("behaviour", ENDS.values(), ids=ENDS)
def test_what_a_job_leaves_is_bought_at_the_usual_price(
    priced_batch: PricedBatch, run: BatchRun, model_server: ModelServer, behaviour: dict
) -> None:
    model_server.put(**behaviour)
    buy_all(run)
    in_bulk = set(model_server.asked()[1])
    finish(run)
    assert state_of(run.lake) == priced_batch.bought_directly
    assert model_server.calls()[DIRECT] > 0
    bought_twice = {text for text, count in model_server.asked()[1].items() if count > 1}
    assert bought_twice <= in_bulk and len(bought_twice) <= (3 if "faults" in behaviour else 0)
    assert set(model_server.batched().values()) <= {1}


def test_a_job_whose_time_is_over_is_cancelled_and_what_it_answered_is_used(
    priced_batch: PricedBatch, run: BatchRun, module_profiles: Path, model_server: ModelServer
) -> None:
    declare(module_profiles, PROFILES + openai_profile(wait_hours=1 / 3600))
    model_server.put(bulk_polls=1_000_000)
    buy_all(run)
    assert model_server.calls()["POST /v1/batches/cancel"] >= 1
    assert 0 < len(model_server.asked()[1]) < len(ALL)
    finish(run)
    assert state_of(run.lake) == priced_batch.bought_directly
    assert set(model_server.asked()[1].values()) == {1}


def test_a_refused_text_is_rejected_afterwards_and_its_neighbours_are_bought_in_bulk(run: BatchRun, model_server: ModelServer) -> None:
    model_server.put(poison="POISON")
    buy_all(run)
    assert set(model_server.asked()[1]) == set(TEXTS)
    finish(run)
    rejected = run.lake.table(REJECTED_CHUNKS).scan().to_arrow().to_pylist()
    assert [(row["doc_id"], row["reason_code"]) for row in rejected] == [("bad", "refused")]
    assert current_documents(run.lake, "openai")["bad"] == []
    assert {text for text, count in model_server.asked()[1].items() if count > 1} == set()


def test_a_text_that_never_gets_a_vector_is_rejected_afterwards(run: BatchRun, model_server: ModelServer) -> None:
    model_server.put(poison="POISON", poison_as="nan")
    buy_all(run)
    finish(run)
    rejected = run.lake.table(REJECTED_CHUNKS).scan().to_arrow().to_pylist()
    assert [(row["doc_id"], row["reason_code"]) for row in rejected] == [("bad", "refused")]
    assert {text for text, count in model_server.asked()[1].items() if count > 1} == {BAD}


def test_a_text_that_must_be_split_is_in_no_job(run: BatchRun, module_profiles: Path, model_server: ModelServer) -> None:
    declare(module_profiles, PROFILES + openai_profile())
    service = OpenAIBulk(profile("openai"))
    shard = bulk_shards(run)[0]
    stage = Stage(run.lake, run.row, profile("openai"), 0)
    left, _ = work_left(run.lake, **shard)
    jobs = ShardJobs(stage, service, left)
    jobs.texts = {"a" * 64: "word " * 30, "b" * 64: "Short."}
    assert [text_hash for text_hash, _ in jobs._lines([])] == ["b" * 64]


KILLS = {
    "before the upload": ("POST /v1/files", "hang", 0),
    "after the upload": ("POST /v1/files", "hang_after", 1),
    "before the job": ("POST /v1/batches", "hang", 1),
    "after the job, unheard": ("POST /v1/batches", "hang_after", 0),
    "in the download": ("GET /v1/files/content", "hang_after", 0),
    "before the account is tidied": (DELETE, "hang", 0),
    "while the account is tidied": (DELETE, "hang_after", 0),
}


@pytest.mark.parametrize(("call", "kind", "files_left"), KILLS.values(), ids=KILLS)
def test_a_killed_try_is_made_good_by_the_next(
    priced_batch: PricedBatch, run: BatchRun, module_profiles: Path, model_server: ModelServer, call: str, kind: str, files_left: int
) -> None:
    model_server.put(faults=[{"kind": kind, "times": 1, "on": call}])
    shard = bulk_shards(run)[0]
    if call not in ("POST /v1/files", "POST /v1/batches"):
        waiting = buy_in_bulk(**shard, lake=run.lake)
        assert isinstance(waiting, Waiting)
        waited(waiting)
    environment = model_server.connections() | {"EMBEDDING_LAKEHOUSE_PROFILES": str(module_profiles)}
    assert killed_in(call, model_server, shard, environment) == -9
    buy_all(run)
    finish(run)
    assert state_of(run.lake) == priced_batch.bought_directly
    assert_bought_once(model_server)
    # An upload that no job was made of is found by an erasure.
    assert model_server.kept_files() == files_left


def interrupted(run: BatchRun, service: type[OpenAIBulk]) -> Stage:
    """Buy the first shard, and collect it by a service that is interrupted meanwhile; what was staged by then."""
    shard = bulk_shards(run)[0]
    waiting = buy_in_bulk(**shard, lake=run.lake)
    assert isinstance(waiting, Waiting)
    waited(waiting)
    stage = Stage(run.lake, run.row, profile("openai"), shard["shard"])
    with pytest.raises(KeyboardInterrupt):
        ShardJobs(stage, service(stage.profile), work_left(run.lake, **shard)[0]).go_on()
    return stage


@pytest.mark.parametrize("end", ["completed", "expired"])
def test_a_try_that_ends_after_the_account_is_tidied_is_made_good_by_the_next(
    priced_batch: PricedBatch, run: BatchRun, model_server: ModelServer, end: str
) -> None:
    class Ending(OpenAIBulk):
        def delete_files(self, job: BulkJob) -> None:
            super().delete_files(job)
            raise KeyboardInterrupt

    model_server.put(bulk_end=end)
    interrupted(run, Ending)
    buy_all(run)
    finish(run)
    assert state_of(run.lake) == priced_batch.bought_directly
    assert set(model_server.asked()[1].values()) == set(model_server.batched().values()) == {1}
    assert model_server.kept_files() == 0


def test_a_refused_deletion_stops_the_task_until_the_files_are_gone(
    priced_batch: PricedBatch, run: BatchRun, model_server: ModelServer
) -> None:
    model_server.put(faults=[{"kind": "unauthorized", "times": 1, "on": DELETE}])
    with pytest.raises(ConfigurationError, match="refuses the API key of the connection openai_default"):
        buy_shard(run.lake, bulk_shards(run)[0])
    buy_all(run)
    finish(run)
    assert model_server.kept_files() == 0
    assert state_of(run.lake) == priced_batch.bought_directly
    assert_bought_once(model_server)


def test_a_try_that_ends_between_two_checkpoints_is_made_good_by_the_next(
    priced_batch: PricedBatch, run: BatchRun, model_server: ModelServer
) -> None:
    class Ending(OpenAIBulk):
        def answers(self, output: Path) -> Iterator:
            for number, answer in enumerate(super().answers(output)):
                if number == 3:
                    raise KeyboardInterrupt
                yield answer

    stage = interrupted(run, Ending)
    assert stage.counts["texts_embedded"] == 2
    buy_all(run)
    finish(run)
    assert state_of(run.lake) == priced_batch.bought_directly
    assert_bought_once(model_server)


def test_a_task_that_is_cleared_in_its_wait_puts_nothing_again(run: BatchRun, model_server: ModelServer) -> None:
    model_server.put(bulk_polls=50)
    shards = bulk_shards(run)
    first = [buy_in_bulk(**shard, lake=run.lake) for shard in shards]
    again = [buy_in_bulk(**shard, lake=run.lake) for shard in shards]
    assert [one.job_ids for one in again if isinstance(one, Waiting)] == [one.job_ids for one in first if isinstance(one, Waiting)]
    assert model_server.calls()["POST /v1/batches"] == len(shards)


def test_two_tries_side_by_side_leave_one_job(priced_batch: PricedBatch, run: BatchRun, model_server: ModelServer) -> None:
    model_server.put(bulk_polls=5, bulk_share=0)
    shard = bulk_shards(run)[0]
    stage = Stage(run.lake, run.row, profile("openai"), shard["shard"])
    jobs = ShardJobs(stage, OpenAIBulk(stage.profile), work_left(run.lake, **shard)[0])
    jobs.service.submit(run.batch_id, shard["shard"], sorted(jobs._lines([])))
    jobs.service.submit(run.batch_id, shard["shard"], sorted(jobs._lines([])))
    buy_all(run)
    finish(run)
    assert model_server.calls()["POST /v1/batches/cancel"] == 1
    assert set(model_server.asked()[1].values()) == {1}
    assert state_of(run.lake) == priced_batch.bought_directly


def test_an_account_with_too_much_under_way_is_asked_again_later(
    priced_batch: PricedBatch, run: BatchRun, model_server: ModelServer
) -> None:
    model_server.put(bulk_queue_tokens=150, bulk_polls=3)
    buy_all(run)
    assert model_server.calls()["POST /v1/batches"] > len(bulk_shards(run))
    finish(run)
    assert state_of(run.lake) == priced_batch.bought_directly
    assert_bought_once(model_server)
    assert model_server.kept_files() == 0


def test_the_jobs_of_a_batch_that_is_given_up_are_cancelled(run: BatchRun, model_server: ModelServer) -> None:
    model_server.put(bulk_polls=50)
    shards = bulk_shards(run)
    for shard in shards:
        buy_in_bulk(**shard, lake=run.lake)
    run.discard_open = True
    run.plan()
    assert model_server.calls()["POST /v1/batches/cancel"] == len(shards)


def test_a_batch_is_given_up_though_its_account_does_not_answer(
    run: BatchRun, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OPENAI_DEFAULT", model_server.connections()["AIRFLOW_CONN_OPENAI_NOBODY"])
    discarded = run.batch_id
    run.discard_open = True
    assert run.plan()[0]["batch_id"] != discarded


def test_a_job_that_the_account_forgot_is_bought_at_the_usual_price(
    priced_batch: PricedBatch, run: BatchRun, model_server: ModelServer
) -> None:
    for shard in bulk_shards(run):
        buy_in_bulk(**shard, lake=run.lake)
    model_server.put()
    buy_all(run)
    assert model_server.batched() == {}
    finish(run)
    assert state_of(run.lake) == priced_batch.bought_directly


PASSING = [
    (call, kind)
    for call in ("POST /v1/files", "POST /v1/batches", "GET /v1/batches", "GET /v1/batches by id", "DELETE /v1/files by id")
    for kind in ("throttled", "server_error", "cut", "cut_after", "garbage")
] + [("GET /v1/files/content", kind) for kind in ("throttled", "server_error", "cut", "cut_after")]


@pytest.mark.parametrize(("call", "kind"), PASSING, ids=lambda value: value)
def test_what_passes_is_waited_out_and_nothing_is_bought_twice(run: BatchRun, model_server: ModelServer, call: str, kind: str) -> None:
    model_server.put(faults=[{"kind": kind, "times": 2, "on": call}], bulk_polls=2)
    shard = bulk_shards(run)[0]
    buy_shard(run.lake, shard)
    batched = model_server.batched()
    assert set(batched.values()) == {1}
    assert model_server.asked()[1] == batched
    assert buy_in_bulk(**shard, lake=run.lake)["texts_embedded"] == 0


MISTAKES = {
    "a key that is refused": ({"AIRFLOW_CONN_OPENAI_DEFAULT": "AIRFLOW_CONN_OPENAI_OTHER_KEY"}, "refuses the API key of the connection"),
    "no key": ({"AIRFLOW_CONN_OPENAI_DEFAULT": "AIRFLOW_CONN_OPENAI_NO_KEY"}, "the connection openai_default has no password"),
}


@pytest.mark.parametrize(("changed", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_and_no_key_is_shown(
    run: BatchRun, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch, changed: dict, message: str
) -> None:
    for name, other in changed.items():
        monkeypatch.setenv(name, model_server.connections()[other])
    with pytest.raises(ConfigurationError, match=message) as raised:
        buy_in_bulk(**bulk_shards(run)[0], lake=run.lake)
    assert [secret for secret in SECRETS if secret in str(raised.value)] == []


def test_a_server_without_a_batch_api_is_named(run: BatchRun, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OPENAI_DEFAULT", model_server.connections()["AIRFLOW_CONN_OPENAI_DEFAULT"].replace("/v1", "/v9"))
    with pytest.raises(ConfigurationError, match="has no Batch API: leave above_texts out of the profile's table bulk"):
        buy_in_bulk(**bulk_shards(run)[0], lake=run.lake)


def test_a_model_of_another_length_is_named_before_anything_is_bought_at_the_usual_price(run: BatchRun, model_server: ModelServer) -> None:
    model_server.put(faults=[{"kind": "wrong_dimension"}])
    buy_all(run)
    assert model_server.calls()[DIRECT] == 0
    with pytest.raises(ConfigurationError, match=r"answers vectors of \(63,\) dimensions, the profile declares 64"):
        finish(run)
    # Two requests under way, and plain text for each.
    assert model_server.calls()[DIRECT] <= 4


def test_the_trigger_keeps_no_key(run: BatchRun, model_server: ModelServer) -> None:
    waiting = buy_in_bulk(**bulk_shards(run)[0], lake=run.lake)
    assert isinstance(waiting, Waiting)
    path, arguments = BulkTrigger(**waiting._asdict()).serialize()
    assert path == "embedding_lakehouse.bulk_trigger.BulkTrigger"
    assert arguments.keys() == {"connection", "job_ids", "poll_seconds", "until"}
    assert [secret for secret in SECRETS if secret in str(arguments)] == []
