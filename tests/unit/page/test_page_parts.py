"""The parts of the page that need neither a lake nor Airflow: the gate, the forms, the charts, what changed between two texts."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import pytest
import requests
import trino.dbapi
from botocore.exceptions import NoCredentialsError
from fastapi import FastAPI
from pyiceberg.catalog.sql import SqlCatalog
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.testclient import TestClient

from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.sql import SqlEngine
from embedding_lakehouse.core.text_changes import Line, text_changes
from embedding_lakehouse.page.charts import drift_charts
from embedding_lakehouse.page.forms import FORMS
from embedding_lakehouse.page.gate import Gate
from embedding_lakehouse.page.remembering import Look, Remembered
from embedding_lakehouse.page.rows import Measure
from embedding_lakehouse.page.showing import Sources
from tests.page_fixtures import Somebody, client

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECRET = "a-password-that-nobody-may-see"


class Refusing:
    """Refuses everybody with a status."""

    def __init__(self, status: int) -> None:
        self.status = status

    async def reader(self, request: Request) -> Somebody:
        raise HTTPException(self.status)


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_refused_never_loads_the_page(status: int) -> None:
    made: list[FastAPI] = []
    answer = TestClient(Gate(lambda: made.append(FastAPI()) or made[0], Refusing(status))).get("/anything")
    assert (answer.status_code, made) == (status, [])
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_a_page_is_kept_nowhere_and_a_file_by_the_browser_alone() -> None:
    browser = client(Sources(sql=dead_trino))
    kept = {
        path: browser.get(path).headers["cache-control"] for path in ("/trigger/switch_release", "/static/none.css", "/static/page.css")
    }
    assert kept == {"/trigger/switch_release": "no-store", "/static/none.css": "no-store", "/static/page.css": "private, no-cache"}


def test_the_page_is_made_once() -> None:
    made: list[FastAPI] = []
    browser = TestClient(Gate(lambda: made.append(FastAPI()) or made[-1], Somebody()))
    assert [browser.get("/none").status_code for _ in range(3)] == [404] * 3
    assert len(made) == 1


def dead_trino() -> SqlEngine:
    connection = {"host": "127.0.0.1", "port": 9, "user": SECRET, "http_scheme": "http"}
    return SqlEngine("trino", lambda: trino.dbapi.connect(**connection), patience=0)


@pytest.mark.parametrize("path", ["/", "/batches", "/drift", "/releases", "/documents?doc_id=a"])
def test_a_trino_that_is_down_is_said_plainly(path: str) -> None:
    answer = client(Sources(sql=dead_trino)).get(path)
    assert answer.status_code == 503
    assert "does not answer right now" in answer.text
    assert "Traceback" not in answer.text and SECRET not in answer.text and "trino.exceptions" not in answer.text


class Silent(ThreadingHTTPServer):
    """Takes a request, keeps its headers, and never answers it."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.is_over = Event()
        super().__init__(("127.0.0.1", 0), SilentHandler)


class SilentHandler(BaseHTTPRequestHandler):
    """One request to it."""

    server: Silent

    def do_POST(self) -> None:
        self.server.heard.append(self.headers)
        self.server.is_over.wait(60)


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.is_over.set()
    server.shutdown()
    server.server_close()


def test_a_trino_that_is_silent_is_given_up_before_it_answers(silent: Silent) -> None:
    connection = {"host": "127.0.0.1", "port": silent.server_port, "user": "somebody", "http_scheme": "http"}
    engine = SqlEngine("trino", lambda: trino.dbapi.connect(**connection), patience=0, statement_seconds=1)
    answer = client(Sources(sql=lambda: engine)).get("/batches")
    assert (answer.status_code, "does not answer right now" in answer.text, silent.is_over.is_set()) == (503, True, False)
    assert {headers["X-Trino-Session"] for headers in silent.heard} == {"query_max_run_time=1s"}


@pytest.mark.parametrize(
    "error", [requests.ConnectionError(SECRET), OperationalError("select", {}, Exception(SECRET)), NoCredentialsError()]
)
def test_a_catalog_that_is_away_is_said_plainly(error: Exception) -> None:
    def away() -> Lake:
        raise error

    answer = client(Sources(sql=dead_trino, lake=away)).get("/receipt?record_id=a")
    assert (answer.status_code, "does not answer right now" in answer.text, SECRET in answer.text) == (503, True, False)


def test_looking_at_a_lakehouse_that_was_never_set_up_sets_nothing_up(tmp_path: Path) -> None:
    catalog = SqlCatalog("empty", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}")
    lake = Lake(catalog, dead_trino(), is_only_read=True)
    answer = client(Sources(sql=dead_trino, lake=lambda: lake)).get("/receipt?record_id=a")
    assert (answer.status_code, "run the DAG set_up_lakehouse" in answer.text, catalog.list_namespaces()) == (503, True, [])


def test_an_unexpected_failure_shows_nothing_of_itself() -> None:
    def broken() -> SqlEngine:
        raise RuntimeError(SECRET)

    answer = client(Sources(sql=broken)).get("/batches")
    assert (answer.status_code, SECRET in answer.text, "The page failed" in answer.text) == (500, False, True)


@pytest.mark.parametrize(
    "path", ["/search?question=a&top_k=0", "/search?question=a&top_k=51", f"/search?question={'a' * 2_001}", "/drift?profile=none"]
)
def test_what_cannot_be_asked_is_said_so(path: str) -> None:
    answer = client(Sources(sql=dead_trino)).get(path)
    assert (answer.status_code, "That cannot be asked" in answer.text) == (400, True)


def test_a_profile_that_is_unknown_is_not_repeated_as_html() -> None:
    assert "<script>" not in client(Sources(sql=dead_trino)).get("/?profile=<script>").text.replace("<script src", "")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_pages_are_only_read(method: str) -> None:
    answer = client(Sources(sql=dead_trino)).request(method, "/batches")
    assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})


def test_a_page_may_be_asked_for_its_head_alone() -> None:
    answer = client(Sources(sql=dead_trino)).head("/trigger/switch_release")
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_page_of_a_missing_file_leads_back_to_the_pages() -> None:
    answer = client(Sources(sql=dead_trino)).get("/static/none.css")
    assert answer.status_code == 404
    assert 'href="/static/page.css"' in answer.text and 'href="/documents?' in answer.text


def test_a_form_takes_from_a_link_what_it_has_and_no_more() -> None:
    fields = {
        field.name: field for field in FORMS["embed_documents"].filled({"discard_open": "true", "evil": "x", "accept_reason": "y" * 9_999})
    }
    assert fields["discard_open"].is_on and not fields["allow_deletes"].is_on
    assert "evil" not in fields
    assert len(fields["accept_reason"].value) == 2_000


def test_who_may_not_trigger_gets_no_form() -> None:
    answers = {
        who: client(Sources(sql=dead_trino), who).get("/trigger/switch_release") for who in (Somebody(), Somebody(("switch_release",)))
    }
    assert ["<form" in answer.text for answer in answers.values()] == [False, True]


def measure(name: str, day: int, drift: float | None, is_exceeded: bool = False) -> Measure:
    return Measure(f"m{day}", name, None, None, 5.0, drift, 0.1, is_exceeded, None, NOW + timedelta(days=day))


def test_what_is_exceeded_now_is_drawn_first() -> None:
    charts = drift_charts([measure("a", 0, 0.0), measure("b", 0, 0.0), measure("a", 1, 0.05), measure("b", 1, 0.2, True)])
    assert [(chart.title, chart.values, chart.is_exceeded) for chart in charts] == [("b", [0.0, 0.2], True), ("a", [0.0, 0.05], False)]


def test_a_measure_without_a_comparison_is_drawn_by_its_value_and_nan_is_left_out() -> None:
    (chart,) = drift_charts([measure("a", 0, None)])
    (other,) = drift_charts([measure("a", 0, float("nan"))])
    assert (chart.unit, chart.drawn["values"], other.drawn["values"]) == ("value", [5.0], [None])


def settled(remembered: Remembered, key: str, read: Callable[[], int]) -> Look:
    """What is known once nobody reads any more."""
    deadline = monotonic() + 60
    while (look := remembered.look(key, read)).is_being_read:
        assert monotonic() < deadline
        sleep(0.01)
    return look


def test_nobody_waits_for_an_answer_that_is_read_anew() -> None:
    time, reads, may_read = [0.0], iter(range(10)), Event()
    remembered = Remembered(60, clock=lambda: time[0])

    def read() -> int:
        assert may_read.wait(60)
        return next(reads)

    first = [remembered.look("a", read) for _ in range(3)]
    assert [(look.answer, look.is_being_read) for look in first] == [(None, True)] * 3
    may_read.set()
    assert settled(remembered, "a", read).answer == 0
    time[0] = 60.0
    may_read.clear()
    stale = remembered.look("a", read)
    assert (stale.answer, stale.is_being_read) == (0, True)
    may_read.set()
    assert settled(remembered, "a", read).answer == 1


def test_an_answer_is_kept_for_its_time_and_by_its_key() -> None:
    reads = iter(range(10))
    remembered = Remembered(60)
    assert [settled(remembered, key, lambda: next(reads)).answer for key in ("a", "a", "b")] == [0, 0, 1]


def test_what_cannot_be_read_is_not_tried_again_at_once_and_leaves_the_old_answer() -> None:
    time, tries = [0.0], []
    remembered = Remembered(60, clock=lambda: time[0])
    settled(remembered, "a", lambda: 7)
    time[0] = 60.0

    def failing() -> int:
        tries.append(time[0])
        raise RuntimeError("no answer")

    assert [settled(remembered, "a", failing).answer for _ in range(2)] == [7, 7]
    assert tries == [60.0]


def test_changed_lines_stand_between_what_was_kept() -> None:
    before, after = "\n".join("abcdefghijklm"), "\n".join("abcdeXghijklmn")
    assert text_changes(before, after) == [
        *(Line("kept", text) for text in "de"),
        Line("removed", "f"),
        Line("added", "X"),
        *(Line("kept", text) for text in "gh"),
        Line("gap", ""),
        *(Line("kept", text) for text in "lm"),
        Line("added", "n"),
    ]


def test_a_change_far_along_a_line_is_seen() -> None:
    lines = text_changes("x" * 5_000 + " old", "x" * 5_000 + " new")
    assert [(line.change, line.text[-4:], len(line.text)) for line in lines or []] == [("removed", " old", 84), ("added", " new", 84)]


def test_equal_texts_have_no_changes_and_endless_ones_are_not_compared() -> None:
    assert (text_changes("a\nb", "a\nb"), text_changes("a\n" * 4_001, "b")) == ([], None)


def test_the_plugin_imports_nothing_heavy() -> None:
    shown = "import runpy, sys; runpy.run_path('plugins/embeddings_page.py'); print(sorted({HEAVY} & sys.modules.keys()))"
    heavy = {"trino", "pyiceberg", "pinecone", "numpy", "wordllama", "pyarrow", "embedding_lakehouse.page.app"}
    command = [sys.executable, "-c", shown.replace("{HEAVY}", repr(heavy))]
    done = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
