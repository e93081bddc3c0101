"""Inspect's real viewer in a real browser, signed in by a code, over the real gateway."""

import socket
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import sync_playwright

from hawk.naming import eval_set_key
from tests.fakes.hawk_api import PUBLIC, HawkApi, config_of
from tests.fakes.served import served

CHROMIUM = Path("/usr/bin/chromium")
LOG = "2025-11-07T10-59-47-05-00_websearch-addition-problem_LqPDntDnkk4h2fSqQ8i6CE.eval"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's Chromium is not installed: tools/setup --browser"),
]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_viewer_shows_a_log_to_a_browser_that_was_signed_in_and_asks_nobody_else(hawk_api: HawkApi, eval_logs: Path):
    hawk_api.execute("insert into ops.model_group values ('anthropic/claude-sonnet-4-5', %s)", PUBLIC)
    key = eval_set_key("mine", LOG)
    with served(hawk_api.app, free_port()) as url, sync_playwright() as playwright:
        api = httpx.Client(base_url=url, headers=hawk_api.headers(), timeout=60)
        api.post("/eval_sets", json={"config": config_of(), "eval_set_id": "mine"}).raise_for_status()
        hawk_api.services.s3.put_object(Bucket=hawk_api.settings.bucket, Key=key, Body=(eval_logs / LOG).read_bytes())
        path = api.post("/view/sessions", json={"eval_set_id": "mine"}).json()["path"]
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: asked.append(f"error: {error}"))

        page.goto(url + path)
        page.get_by_text("This is a basic arithmetic operation").first.wait_for()

        code = path.partition("code=")[2].partition("&")[0]
        assert all(address.startswith((url, "data:")) for address in asked)
        assert not any(code in address.partition("#")[0] for address in asked)
        assert code not in page.url
        assert page.evaluate("document.cookie") == ""
        [cookie] = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")

        page.goto(url + path)
        page.get_by_text("The code was used already").wait_for()
        browser.close()
