"""`python -m dev.screenshots [FOLDER]`: pictures of the Embeddings page over a running stack, light and dark, as `make demo` leaves it."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, FrameLocator, Page, sync_playwright

from dev.stack import Stack, StackError
from dev.stack.component import ROOT

FOLDER = ROOT / "docs" / "images"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SIZE = {"width": 1360, "height": 860}
# Generous, for a machine that has other work to do.
PATIENCE_MS = 120_000
QUESTION = "How do I take back an embedding batch that should not have been published?"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium of the system. Raises StackError where there is none."""
    program = shutil.which("chromium")
    if program is None:
        raise StackError("There is no chromium on the PATH: install the package chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


def log_in(browser: Browser, stack: Stack, user: str = "admin", scheme: Any = "light") -> Page:
    """A window in which a user of the stack is logged in to Airflow."""
    context = browser.new_context(viewport=SIZE, color_scheme=scheme, base_url=f"http://127.0.0.1:{stack.ports['airflow']}")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    passwords = {"admin": stack.credentials.airflow_password, "viewer": stack.credentials.airflow_viewer_password}
    page.goto("/auth/login")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", passwords[user])
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/auth/" not in url)
    return page


def inside(page: Page) -> FrameLocator:
    """The Embeddings page within Airflow's."""
    return page.frame_locator("iframe")


def open_page(page: Page, path: str = "", **values: str) -> FrameLocator:
    """Open a page of the Embeddings page in its frame."""
    asked = f"?{urlencode(values)}" if values else ""
    page.goto(f"/plugin/embeddings/embeddings/{path}{asked}")
    frame = inside(page)
    frame.locator("h1").wait_for()
    return frame


def take(page: Page, file: Path) -> None:
    """A picture of the window, once every frame in it is loaded; Airflow's own page asks on for as long as a run waits."""
    for frame in page.frames:
        frame.wait_for_load_state("load")
    page.mouse.move(0, 0)
    page.screenshot(path=file)


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with chromium() as browser:
            for scheme in ("light", "dark"):
                take_all(log_in(browser, Stack.of_project(), scheme=scheme), folder, scheme)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The pictures are in {folder}.")
    return 0


def take_all(page: Page, folder: Path, scheme: str) -> None:
    """Every page that the demonstration fills."""
    open_page(page)
    take(page, folder / f"overview-{scheme}.png")
    open_page(page, "search", question=QUESTION, top_k="3")
    take(page, folder / f"search-{scheme}.png")
    frame = open_page(page, "batches")
    frame.locator("tbody tr", has_text="published").last.locator("th a").click()
    frame.get_by_role("heading", name="Checks").wait_for()
    take(page, folder / f"batch-{scheme}.png")


if __name__ == "__main__":
    sys.exit(main())
