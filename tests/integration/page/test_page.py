"""The Embeddings page under a real Airflow API server, over a lake with a history: driven by Chromium, and tried by strangers."""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, FrameLocator, Page
from starlette.routing import BaseRoute

from dev.screenshots import chromium, inside, log_in, open_page, take
from dev.stack import Stack
from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import load_model
from embedding_lakehouse.clients.pinecone import IndexService
from embedding_lakehouse.page.app import create_app
from embedding_lakehouse.page.showing import Sources
from embedding_lakehouse.steps.embed_documents import planning
from embedding_lakehouse.steps.set_up import create_views
from embedding_lakehouse.steps.set_up_index import create_index
from tests.batches import BatchRun, put_documents
from tests.index_fixtures import Following, declaration
from tests.lake_fixtures import declare
from tests.page_fixtures import HOSTILE, block_batch, client, record_alert, record_drift

NAME, MOVING, DIMENSIONS = "page", "moving", 256
AIRFLOW = ["airflow-api-server", "airflow-dag-processor"]
FIRST = {
    "whales.md": "Blue whales are the largest animals that ever lived.\n\nThey eat krill, a ton of it every day.",
    "bread.md": "Knead the dough for ten minutes.\n\nBake the bread at 220 degrees.",
    HOSTILE: f"The lamp of the lighthouse turns. {HOSTILE}",
}
SECOND = FIRST | {"whales.md": FIRST["whales.md"].replace("a ton of it", "four tons of it")}
THIRD = SECOND | {"storms.md": "Storms come from the west in autumn."}
PHONE = {"width": 375, "height": 740}
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


@dataclass
class Site:
    """A running Airflow with the page, and what its lake holds."""

    stack: Stack
    lake: Lake
    blocked: str
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.stack.ports['airflow']}"

    def token(self, user: str) -> str:
        """A token of one of the stack's users."""
        if user not in self.tokens:
            secrets = self.stack.credentials
            password = {"admin": secrets.airflow_password, "viewer": secrets.airflow_viewer_password}[user]
            answer = httpx.post(f"{self.address}/auth/token", json={"username": user, "password": password}, timeout=120)
            self.tokens[user] = answer.json()["access_token"]
        return self.tokens[user]

    def browser(self, user: str | None = None, **settings: Any) -> httpx.Client:
        """A client of Airflow in a user's name, or in nobody's."""
        headers = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        return httpx.Client(base_url=self.address, headers=headers, timeout=120, **settings)


def fill(lake: Lake, stack: Stack) -> str:
    """Two published batches that the index follows, drift, an alert, and a blocked batch, whose id is answered."""
    create_views(lake)
    profile = settings.profile(NAME)
    service = IndexService(stack.credentials.pinecone_api_key, f"http://127.0.0.1:{stack.ports['pinecone']}", patience=60)
    create_index(NAME, lake=lake, service=service)
    following = Following(lake, profile, service)
    for documents in (FIRST, SECOND):
        put_documents(lake, documents)
        BatchRun(lake, NAME, load_model(profile)).until("publish")
        following.sync()
    record_drift(lake, NAME)
    record_alert(lake, NAME)
    put_documents(lake, THIRD)
    return block_batch(lake, NAME, DIMENSIONS)


@pytest.fixture(scope="module")
def site(module_lake: Lake, module_profiles: Path, lake_environment: Stack) -> Iterator[Site]:
    declare(module_profiles, declaration(NAME, DIMENSIONS) + declaration(MOVING))
    site = Site(lake_environment, module_lake, fill(module_lake, lake_environment))
    lake_environment.start(AIRFLOW)
    with site.browser("admin") as airflow:
        deadline = time.monotonic() + 300
        while airflow.get("/api/v2/dags/switch_release").status_code != 200:
            assert time.monotonic() < deadline, "Airflow has not read the DAGs after five minutes"
            time.sleep(1)
    yield site
    lake_environment.stop(AIRFLOW)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if shutil.which("chromium") is None:
        missing = "there is no chromium on the PATH: install the package chromium to drive the page"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    with chromium() as browser:
        yield browser


@dataclass
class Window:
    """A window of somebody who is logged in, with everything that it complained of or asked another machine for."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self._hear(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._see(request.url))

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error":
            self.complaints.append(text)

    def _see(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.complaints.append(f"asked for {url}")


@pytest.fixture(scope="module")
def admin(site: Site, browser: Browser) -> Window:
    return Window(log_in(browser, site.stack))


@pytest.fixture
def window(admin: Window) -> Window:
    admin.complaints.clear()
    return admin


@pytest.fixture
def shot(tmp_path: Path) -> Callable[[Page, str], None]:
    """Takes a picture into the folder that `LAKEHOUSE_SCREENSHOTS` names, or into the test's own."""
    folder = Path(os.environ.get("LAKEHOUSE_SCREENSHOTS", tmp_path))

    def taken(page: Page, name: str) -> None:
        file = folder / f"{name}.png"
        take(page, file)
        assert file.stat().st_size > 10_000

    return taken


def test_the_navigation_leads_to_the_overview(window: Window, shot: Callable[[Page, str], None]) -> None:
    window.page.goto("/")
    window.page.get_by_role("link", name="Embeddings").click()
    frame = inside(window.page)
    frame.get_by_text("3 of 4 documents").wait_for()
    cards = " ".join(frame.locator(".cards").inner_text().split())
    assert "75.0% 3 of 4 documents 1 missing, 0 outdated, 0 to be removed measured" in cards
    assert f"Checks 1 failed {len(settings.checks())} checks of the last batch no vector is zero" in cards
    assert "Drift provider" in cards
    assert "Index fidelity 99.9%" in cards
    assert frame.get_by_text("Retrieval has drifted: provider").is_visible()
    shot(window.page, "overview-test")
    assert window.complaints == []


def test_a_document_is_looked_up_and_says_what_changed(window: Window, shot: Callable[[Page, str], None]) -> None:
    frame = open_page(window.page, "documents")
    frame.get_by_label("Document id").fill("WHALE")
    frame.get_by_role("button", name="Look up").click()
    frame.get_by_role("link", name="whales.md").click()
    frame.get_by_role("heading", name="What changed").wait_for()
    assert (frame.locator("del").inner_text(), frame.locator("ins").inner_text()) == (
        "They eat krill, a ton of it every day.",
        "They eat krill, four tons of it every day.",
    )
    assert frame.locator("section", has_text="Where its records are").locator("tbody th").inner_text() == "page-r1"
    assert frame.locator(".chunks li").count() == 2
    shot(window.page, "document-light")
    assert window.complaints == []


def test_a_hostile_document_id_is_only_text(window: Window) -> None:
    frame = open_page(window.page, "documents", doc_id="</ScRiPt>")
    frame.get_by_role("link", name=HOSTILE).click()
    frame.get_by_role("heading", name="Versions").wait_for()
    assert frame.locator("h1").inner_text() == HOSTILE
    assert "broken" not in (inside(window.page).locator("title").first.text_content() or "").split("script")[0]
    assert window.complaints == []


def test_a_match_opens_its_receipt(window: Window, shot: Callable[[Page, str], None]) -> None:
    frame = open_page(window.page, "search")
    frame.get_by_label("Question").fill("What do whales eat?")
    frame.get_by_role("button", name="Search").click()
    frame.locator(".matches li").first.wait_for()
    assert frame.locator(".matches li").count() == 5
    shot(window.page, "search-test")
    frame.get_by_role("link", name="Open the receipt of match 1").click()
    frame.get_by_role("heading", name="The text as it was").wait_for()
    assert "whales.md" in frame.locator(".facts").inner_text()
    assert frame.get_by_text("text verified").is_visible() and frame.get_by_text("in place").is_visible()
    shot(window.page, "receipt-light")
    assert window.complaints == []


def test_a_blocked_batch_says_what_failed_and_leads_to_a_filled_form(site: Site, window: Window, shot: Callable[[Page, str], None]) -> None:
    frame = open_page(window.page, "batches")
    frame.get_by_role("link", name=site.blocked).click()
    frame.get_by_role("heading", name="What to do").wait_for()
    failed = frame.locator("article.failed")
    assert "no vector is zero" in failed.inner_text() and "storms.md" in failed.inner_text()
    shot(window.page, "blocked-batch-light")
    frame.get_by_role("link", name="Discard…").click()
    frame.get_by_label("Give the open batch up").wait_for()
    assert frame.get_by_label("Give the open batch up").is_checked()
    assert frame.get_by_label("Profile").input_value() == NAME
    frame.get_by_text("Give up a batch that a run left behind").wait_for()
    conf = triggered(site, window, frame)
    assert (conf["discard_open"], conf["allow_deletes"], conf["profile"]) == (True, False, NAME)


def test_a_blocked_batch_is_accepted_by_its_failed_checks_and_a_reason(site: Site, window: Window) -> None:
    frame = open_page(window.page, f"batches/{site.blocked}")
    frame.get_by_role("link", name="Accept…").click()
    checks = frame.get_by_label("Failed checks to accept, by name")
    checks.wait_for()
    assert checks.input_value() == "no_vector_is_zero"
    assert not frame.get_by_label("Give the open batch up").is_checked()
    frame.get_by_label("Why they may be accepted").fill("The lamp's sensor is 'off', and that is known")
    conf = triggered(site, window, frame)
    assert (conf["accept_checks"], conf["accept_reason"]) == (["no_vector_is_zero"], "The lamp's sensor is 'off', and that is known")
    assert (conf["discard_open"], conf["profile"]) == (False, NAME)
    assert window.complaints == []


def triggered(site: Site, window: Window, frame: FrameLocator) -> dict[str, Any]:
    """Trigger embed_documents by the form, follow the link to its run, and ask Airflow what it was given."""
    frame.get_by_role("button", name="Trigger embed_documents").click()
    frame.get_by_role("link", name="See the run").click()
    window.page.wait_for_url(re.compile(r"/dags/embed_documents/runs/manual"))
    with site.browser("admin") as airflow:
        run = airflow.get(f"/api/v2{urlsplit(window.page.url).path}".replace("/runs/", "/dagRuns/")).json()
    conf: dict[str, Any] = run["conf"]
    return conf


def test_a_form_triggers_one_run_and_leaves_a_number_that_is_empty_to_its_default(site: Site, window: Window) -> None:
    frame = open_page(window.page, "trigger/switch_release", profile=NAME)
    frame.get_by_label("Days to keep the release before it").fill("")
    frame.get_by_role("button", name="Trigger switch_release").dblclick()
    frame.get_by_role("link", name="See the run").wait_for()
    with site.browser("admin") as airflow:
        runs = airflow.get("/api/v2/dags/switch_release/dagRuns?order_by=-id").json()["dag_runs"]
    # Other tests trigger it too, under profiles of their own.
    assert [run["conf"].get("keep_days", 7) for run in runs if run["conf"].get("profile") == NAME] == [7]


@pytest.mark.parametrize("path", ["", "search?question=whales&top_k=3", "batches", "drift", "releases", "documents?doc_id=a"])
def test_no_page_is_wider_than_a_phone(site: Site, browser: Browser, path: str) -> None:
    with browser.new_context(viewport=PHONE, extra_http_headers={"Authorization": f"Bearer {site.token('viewer')}"}) as context:
        page = context.new_page()
        page.goto(f"{site.address}/embeddings/{path}")
        page.locator("h1").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_batch_in_work_moves_on_the_page_by_itself(site: Site, window: Window) -> None:
    run = BatchRun(site.lake, MOVING)
    steps = run.steps()
    advance(steps, "plan")
    frame = open_page(window.page, "batches", profile=MOVING)
    shown = frame.locator("tbody tr", has_text=run.batch_id)
    shown.get_by_text("1 of 4").wait_for()
    shown.get_by_role("link").focus()
    loaded = frame.locator("body").evaluate("document.body.dataset.loaded = 'once'; performance.timeOrigin")
    for step, stage in (("price", "2 of 4"), ("commit", "3 of 4")):
        advance(steps, step)
        shown.get_by_text(stage).wait_for()
    assert frame.locator("body").evaluate("document.activeElement.textContent") == run.batch_id
    advance(steps, "publish")
    shown.get_by_text("published").wait_for()
    assert shown.locator("progress").count() == 0
    # Nothing was loaded anew but what moved.
    assert frame.locator("body").evaluate("performance.timeOrigin") == loaded
    assert frame.locator("body").get_attribute("data-loaded") == "once"
    assert window.complaints == []


def advance(steps: Iterator[str], last: str) -> None:
    """Run a batch up to a step, as its tasks do."""
    assert last in steps


def test_how_many_tasks_of_a_run_are_done_moves_between_two_looks(site: Site) -> None:
    done = {"embed_chunks": (1, 3)}
    lake = site.lake
    put_documents(lake, {**THIRD, "tides.md": "Tides come twice a day."})
    run = BatchRun(lake, MOVING).until("price")
    page = client(Sources(sql=lambda: lake.sql, progress=lambda dag_id, run_id: done if run_id == "a run" else {}))
    looks = []
    for done["embed_chunks"] in ((1, 3), (2, 3)):
        looks += [page.get(path, params={"profile": MOVING}).text for path in ("/", "/batches", f"/batches/{run.batch_id}")]
    assert ["embed chunks" in look and f"{count} of 3" in look for look, count in zip(looks, "111222", strict=True)] == [True] * 6
    assert all('data-refresh="' in look and "http-equiv" in look for look in looks)


def test_a_batch_that_waits_for_approval_says_why_and_leads_to_the_question(site: Site) -> None:
    lake = site.lake
    run = BatchRun(lake, MOVING, run_id="an asking run", discard_open=True).until("price")
    batches.note(lake, run.batch_id, approval_reasons=["it embeds 3 texts, above 1 (approval.texts)"])
    page = client(Sources(sql=lambda: lake.sql, progress=lambda dag_id, run_id: {}))
    waiting = page.get(f"/batches/{run.batch_id}", params={"profile": MOVING}).text
    assert "it embeds 3 texts, above 1 (approval.texts)" in waiting
    assert "/dags/embed_documents/runs/an%20asking%20run/tasks/approve_plan/required_actions" in waiting
    planning.approve_batch(run.batch_id, "ada", lake)
    approved = page.get(f"/batches/{run.batch_id}", params={"profile": MOVING}).text
    assert "Waits for approval" not in approved and "<dt>Approved by</dt><dd>ada</dd>" in approved


def test_drift_is_drawn_with_its_cause(window: Window, shot: Callable[[Page, str], None]) -> None:
    frame = open_page(window.page, "drift")
    first = frame.locator(".chart-panel").first
    first.locator("canvas").wait_for()
    assert frame.locator(".chart canvas").count() == 4
    assert ("canary distance" in first.inner_text(), "provider" in first.inner_text(), "beyond its limit" in first.inner_text()) == (
        True,
        True,
        True,
    )
    assert frame.locator(".notice").first.inner_text().startswith("retrieval drift since batch 7: provider change")
    shot(window.page, "drift-light")
    assert window.complaints == []


def test_the_keyboard_alone_searches_and_opens_a_receipt(window: Window) -> None:
    page = window.page
    page.goto("/embeddings/search")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("How is bread baked?")
    page.keyboard.press("Enter")
    page.locator(".matches li").first.wait_for()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Open receipt":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="The text as it was").wait_for()


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_dark_is_dark_and_airflows_own_choice_goes_first(site: Site, browser: Browser, shot: Callable[[Page, str], None]) -> None:
    page = log_in(browser, site.stack, scheme="dark")
    open_page(page, "drift").locator("canvas").first.wait_for()
    shot(page, "drift-dark")
    page.goto("/embeddings/")
    assert background(page) == "rgb(17, 21, 27)"
    page.evaluate("localStorage.setItem('theme', 'light')")
    page.reload()
    assert background(page) == "rgb(255, 255, 255)"


def test_a_viewer_reads_and_cannot_trigger(site: Site, browser: Browser) -> None:
    page = log_in(browser, site.stack, "viewer")
    frame = open_page(page, "releases")
    assert (frame.locator("a.button").count(), frame.locator("span.button.off").count()) == (0, 3)
    frame = open_page(page, "trigger/switch_release")
    assert frame.get_by_text("you may not trigger switch_release").is_visible()
    answer = page.request.post("/api/v2/dags/switch_release/dagRuns", data={"logical_date": None, "conf": {}})
    assert answer.status == 403


def paths() -> list[str]:
    """An address for every route of the app, for its files, and for what does not exist."""
    routes: list[BaseRoute] = create_app(Sources()).routes
    known = [str(getattr(route, "path", "")) for route in routes]
    filled = [path.replace("{batch_id}", "b").replace("{dag_id}", "switch_release") for path in known]
    return [*filled, "/static/page.css", "/static/../app.py", "/nowhere", "/docs", "/openapi.json"]


def test_strangers_and_spoilt_tokens_get_401_everywhere(site: Site) -> None:
    good = site.token("admin")
    spoilt = good[:-6] + ("aaaaaa" if good[-6:] != "aaaaaa" else "bbbbbb")
    ways: dict[str, dict[str, str]] = {
        "nobody": {},
        "a spoilt token": {"Authorization": f"Bearer {spoilt}"},
        "a spoilt cookie": {"Cookie": f"_token={spoilt}"},
        "no token at all": {"Authorization": "Bearer x"},
    }
    assert len(paths()) > 14
    with site.browser() as browser:
        wrong = {
            (way, method, path): answer.status_code
            for way, headers in ways.items()
            for path in paths()
            for method in METHODS
            if (answer := browser.request(method, f"/embeddings{path}", headers=headers)).status_code != 401
        }
    assert wrong == {}


def test_a_viewer_may_read_every_page_and_change_nothing(site: Site) -> None:
    with site.browser("viewer", follow_redirects=True) as browser:
        read = {path: browser.get(f"/embeddings{path}").status_code for path in paths()}
        changed = {browser.request(method, f"/embeddings{path}").status_code for path in paths() for method in ("POST", "PUT", "DELETE")}
    assert not {401, 403, 405, 500, 503} & set(read.values()), read
    assert changed <= {404, 405}


def test_a_bind_is_a_value_whatever_it_holds(site: Site) -> None:
    attempts = ["' or 1=1 --", '"; drop table embeddings_db.alerts', "{{ source_snapshot }}", "?", "\\", "a" * 2_000]
    with site.browser("admin") as browser:
        for attempt in attempts:
            assert browser.get("/embeddings/documents", params={"doc_id": attempt}).status_code == 200
            assert browser.get("/embeddings/document", params={"doc_id": attempt}).status_code == 404
            assert browser.get(f"/embeddings/batches/{quote(attempt, safe='')}").status_code == 404
            assert browser.get("/embeddings/receipt", params={"record_id": attempt[:512]}).status_code == 404


def test_an_index_that_is_down_is_said_plainly(site: Site) -> None:
    service = IndexService("a-key-that-nobody-may-see", "http://127.0.0.1:9", patience=1)
    answer = client(Sources(lake=lambda: site.lake, service=lambda: service)).get("/search", params={"question": "whales"})
    assert (answer.status_code, "does not answer right now" in answer.text) == (503, True)
    assert "nobody-may-see" not in answer.text and "Traceback" not in answer.text
