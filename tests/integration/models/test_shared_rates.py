"""Four tasks of one profile, each a process, against a service that counts: together they use its rates and stay within them."""

import os
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier

import pytest

from embedding_lakehouse import settings
from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.clients.models.embedder import Bought, Embedder
from tests.batch_process import PRELOADED
from tests.model_fixtures import ModelServer, Request, declared

TASKS = 4
WINDOW_S = 3
REQUESTS, TEXTS_A_REQUEST, TOKENS_A_TEXT = 75, 4, 100
TOKENS = REQUESTS * TEXTS_A_REQUEST * TOKENS_A_TEXT
REQUESTS_A_TASK = 60
A_MINUTE = 60 // WINDOW_S
LIMITS = {
    "requests_per_minute": REQUESTS * A_MINUTE,
    "tokens_per_minute": TOKENS * A_MINUTE,
    "inputs_per_request": TEXTS_A_REQUEST,
    "requests_in_flight": 3,
}


def run_task(environment: Mapping[str, str], task: int, requests: int, limits: Mapping[str, int], ready: Barrier) -> None:
    """One mapped task's part of the texts, which fills so many requests, once all tasks are ready."""
    os.environ.update(environment)
    profile = declared("openai", limits=limits)
    embedder = Embedder(profile, load_model(profile), settings.tasks_at_once(profile, TASKS))
    texts = [f"{task} {number} ".ljust(4 * TOKENS_A_TEXT, "x") for number in range(requests * TEXTS_A_REQUEST)]
    ready.wait()
    outcomes = [outcome for some in embedder.embed(texts) for outcome in some]
    assert sum(isinstance(outcome, Bought) for outcome in outcomes) == len(texts)


def run_tasks(server: ModelServer, requests_a_task: int, limits: Mapping[str, int]) -> list[Request]:
    """What the server was asked by all tasks at once; every text was embedded, once."""
    processes = get_context("forkserver")
    processes.set_forkserver_preload(PRELOADED)
    ready = processes.Barrier(TASKS)
    tasks = [processes.Process(target=run_task, args=(server.connections(), task, requests_a_task, limits, ready)) for task in range(TASKS)]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()
    assert [task.exitcode for task in tasks] == [0] * TASKS
    requests, texts = server.asked()
    assert (len(texts), set(texts.values())) == (TASKS * requests_a_task * TEXTS_A_REQUEST, {1})
    return requests


def most_in_a_window(requests: list[Request]) -> tuple[int, int]:
    """The most requests and tokens, refused ones among them, of the windows that follow each other from the first request on."""
    windows: dict[int, list[Request]] = {}
    for request in requests:
        windows.setdefault(int((request.at - requests[0].at) / WINDOW_S), []).append(request)
    return max(map(len, windows.values())), max(sum(request.tokens for request in window) for window in windows.values())


@pytest.fixture(scope="module")
def paced(model_process: ModelServer) -> list[Request]:
    """What four tasks ask that know the rates."""
    model_process.put(window_s=WINDOW_S, requests_per_window=REQUESTS, tokens_per_window=TOKENS)
    return run_tasks(model_process, REQUESTS_A_TASK, LIMITS)


def test_the_tasks_together_stay_within_the_rates(paced: list[Request]) -> None:
    requests, tokens = most_in_a_window(paced)
    assert requests <= 1.05 * REQUESTS
    assert tokens <= 1.05 * TOKENS


def test_the_tasks_together_use_the_rates(paced: list[Request]) -> None:
    admitted = [request for request in paced if request.status == 200]
    windows = (admitted[-1].at - admitted[0].at) / WINDOW_S
    assert len(admitted) / windows >= 0.8 * REQUESTS
    assert sum(request.tokens for request in admitted) / windows >= 0.8 * TOKENS


def test_tasks_that_know_no_rates_are_slowed_down_by_the_service_and_not_failed(model_process: ModelServer) -> None:
    model_process.put(window_s=WINDOW_S, requests_per_window=15)
    requests = run_tasks(model_process, 10, {"inputs_per_request": TEXTS_A_REQUEST, "requests_in_flight": 3})
    assert sum(request.status == 429 for request in requests) > 0


def test_tasks_share_the_rates_with_as_many_as_airflow_runs_at_once() -> None:
    profile = declared("openai")
    assert [settings.tasks_at_once(profile, shards) for shards in (1, 3, 64)] == [1, 3, 4]
    assert settings.tasks_at_once(declared("openai", limits={"most_parallel": 9}), 64) == 9
