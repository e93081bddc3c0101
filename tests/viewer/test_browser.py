"""The viewer in a real browser: what Streamlit's own runner cannot see."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from hawk.dev.postgres import EmbeddedPostgres
from hawk.settings import IssuerSettings
from tests.made_logs import HOSTILE_HTML
from tests.marts import rows
from tests.viewer.conftest import COOKIE_KEY, USER

CHROMIUM = Path("/usr/bin/chromium")
REPOSITORY = Path(__file__).parent.parent.parent
ROW_PIXELS = 35

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's Chromium is not installed: tools/setup --browser"),
]


@pytest.fixture(scope="module")
def viewer_url(postgres: EmbeddedPostgres, filled_database: str, issuer: IssuerSettings) -> Iterator[str]:
    """Return the address of a viewer of the filled warehouse."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environment = {
        **os.environ,
        "HAWK_DATABASE_URL": postgres.url_of(filled_database),
        "HAWK_ISSUER": issuer.issuer_url,
        "HAWK_VIEWER_COOKIE_KEY": COOKIE_KEY,
        "HAWK_VIEWER_PORT": str(port),
    }
    command = [sys.executable, "-m", "viewer"]
    server = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    wait_until_healthy(f"{url}/_stcore/health", server)
    yield url
    server.terminate()
    server.wait(20)


@pytest.fixture(scope="module")
def browser_page(viewer_url: str) -> Iterator[Page]:
    """Return a page of a browser whose person has signed in, led by a link to the page that he asked for."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{viewer_url}/samples?task=arithmetic")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name=USER).click()
        page.get_by_role("heading", name="Samples").wait_for()
        assert page.url == f"{viewer_url}/samples?task=arithmetic"
        yield page
        browser.close()


def wait_until_healthy(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert server.poll() is None, "Streamlit ended"
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("Streamlit did not answer within 30 seconds")


def click_row(page: Page, row: int) -> None:
    """Click the first cell of a table's row, from 1; row 0 is the header."""
    table = page.get_by_test_id("stDataFrame")
    table.wait_for()
    page.wait_for_timeout(1000)  # the table is drawn on a canvas, which nothing announces
    table.click(position={"x": 50, "y": 17 + ROW_PIXELS * row})


def test_hostile_text_runs_nothing_and_calls_nobody(
    viewer_url: str, browser_page: Page, postgres: EmbeddedPostgres, filled_database: str
) -> None:
    outside: list[str] = []
    browser_page.on("request", lambda request: outside.append(request.url) if is_outside(request.url) else None)
    database_url = postgres.url_of(filled_database)
    query = "select sample_id, sample_uuid from marts.fct_sample where task_name = 'hostile' and model = 'mockllm/good'"
    uuids = {row["sample_id"]: row["sample_uuid"] for row in rows(database_url, query)}

    for sample_id, tab in (
        ("html", "Transcript"),
        ("markdown", "Transcript"),
        (HOSTILE_HTML, "Scores"),
        ("html", "Input and metadata"),
    ):
        browser_page.goto(f"{viewer_url}/sample?uuid={uuids[sample_id]}&tab={tab}")
        browser_page.get_by_role("tab", name=tab, selected=True).wait_for()
        browser_page.get_by_test_id("stText").or_(browser_page.get_by_test_id("stCode")).first.wait_for()

    assert browser_page.title() == "Hawk"
    assert browser_page.locator("[onerror], [data-testid=stMain] img, [data-testid=stMain] script").count() == 0
    assert outside == []


def test_a_click_opens_a_sample_and_back_returns_to_the_same_list(viewer_url: str, browser_page: Page) -> None:
    browser_page.goto(f"{viewer_url}/samples?task=arithmetic&model=mockllm/good&epoch=1&sort=sample")
    click_row(browser_page, 2)
    browser_page.get_by_role("heading", name="sum-2").wait_for()

    browser_page.get_by_role("button", name="Next").click()
    browser_page.get_by_role("heading", name="sum-3").wait_for()
    browser_page.go_back()
    browser_page.get_by_role("heading", name="sum-2").wait_for()
    browser_page.go_back()

    browser_page.get_by_role("heading", name="Samples").wait_for()
    browser_page.get_by_text("6 samples").wait_for()
    assert browser_page.get_by_test_id("stAlert").count() == 0


def test_a_click_on_a_header_sorts_and_the_sorted_row_opens(viewer_url: str, browser_page: Page) -> None:
    browser_page.goto(f"{viewer_url}/samples?task=arithmetic&model=mockllm/good&epoch=1&sort=sample")
    click_row(browser_page, 0)
    click_row(browser_page, 0)  # descending

    click_row(browser_page, 1)

    browser_page.get_by_role("heading", name="sum-6").wait_for()


def is_outside(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:"))
