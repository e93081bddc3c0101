"""A proxy on a real socket, before a fake provider or the mock models, with the registry in a real Postgres."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
import uvicorn
from pydantic import SecretStr

from hawk.auth import mint_job_token
from hawk.dev.mock_models import MODEL_GROUPS, command, upstreams
from hawk.dev.postgres import EmbeddedPostgres
from hawk.settings import ProxySettings
from proxy.app import create_app
from tests.conftest import database_url_of, free_port
from tests.fakes.provider import FakeProvider

JOB_KEY = "a-job-key-of-more-than-32-characters!"
MODELS = (
    *("echo", "stream", "cut-stream", "cut-answer", "hang", "hang-midway", "drop", "garbage", "redirect"),
    *("error-429", "error-500", "error-503", "error-503-once", "gpt-4o-mini"),
)


class Served:
    """An ASGI app that serves in a thread of this process."""

    def __init__(self, app: object, port: int) -> None:
        self.app = app
        self.url = f"http://127.0.0.1:{port}"
        config = uvicorn.Config(
            app,  # type: ignore[arg-type]
            host="127.0.0.1",
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


class ServedProxy(Served):
    """A proxy that serves in a thread of this process."""

    def __init__(self, settings: ProxySettings) -> None:
        super().__init__(create_app(settings), settings.proxy_port)
        self.settings = settings


def wait_until(is_true: Callable[[], bool], *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


def job_token(*groups: str, **changes) -> str:
    values = {"job_id": "set-1", "permissions": groups, "created_by": "alice", "lifetime": timedelta(hours=1)}
    return mint_job_token(JOB_KEY, **{**values, **changes})


@pytest.fixture
def token() -> str:
    return job_token("public")


@pytest.fixture(scope="session")
def provider_server() -> Iterator[FakeProvider]:
    server = FakeProvider()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def provider(provider_server: FakeProvider) -> FakeProvider:
    provider_server.reset()
    return provider_server


@pytest.fixture(scope="session")
def registry(postgres: EmbeddedPostgres, template_database: str) -> str:
    """Return the URL of a database whose registry has the fake provider's models."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f'create database proxy_registry template "{template_database}"')
    url = database_url_of(postgres, "proxy_registry")
    fill_registry(url)
    return url


def fill_registry(url: str) -> None:
    rows = [(f"{provider}/{model}", "public") for provider in ("openai", "anthropic", "google") for model in MODELS]
    rows += [("openai/secret", "private"), ("vllm/echo", "public"), ("openai-api/vllm/other", "public")]
    rows += [("openai/odd", "__unresolved__")]
    with psycopg.connect(url) as connection:
        connection.execute("delete from ops.model_group")
        connection.cursor().executemany("insert into ops.model_group values (%s, %s)", rows)


@pytest.fixture(scope="session")
def settings(registry: str, provider_server: FakeProvider) -> ProxySettings:
    return ProxySettings(
        database_url=SecretStr(registry),
        issuer="http://127.0.0.1:1",
        job_token_key=SecretStr(JOB_KEY),
        proxy_port=free_port(),
        openai_upstream=provider_server.url,
        anthropic_upstream=provider_server.url,
        google_upstream=f"{provider_server.url}/base/",
        openai_api_key=SecretStr("sk-openai-real"),
        anthropic_api_key=SecretStr("sk-anthropic-real"),
        google_api_key=SecretStr("google-real"),
        provider_upstreams={"vllm": provider_server.url},
        max_request_bytes=1024 * 1024,
        upstream_timeout_seconds=1.0,
        upstream_connect_seconds=1.0,
        registry_seconds=0.2,
    )


@pytest.fixture
def serve() -> Iterator[Callable[..., ServedProxy]]:
    """Return a function that serves a proxy of its own, with some settings changed."""
    served: list[ServedProxy] = []

    def start(settings: ProxySettings, **changes: object) -> ServedProxy:
        served.append(ServedProxy(settings.model_copy(update={"proxy_port": free_port(), **changes})))
        served[-1].start()
        return served[-1]

    yield start
    for proxy in served:
        proxy.stop()


@pytest.fixture(scope="session")
def proxy(settings: ProxySettings) -> Iterator[ServedProxy]:
    server = ServedProxy(settings)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(proxy: ServedProxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, timeout=20) as http:
        yield http


@pytest.fixture(scope="session")
def mock_models_port() -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(command(port), cwd=Path(__file__).parents[2])
    wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), seconds=60)
    yield port
    process.terminate()
    process.wait(10)


@pytest.fixture
def mock_settings(database_url: str, mock_models_port: int) -> ProxySettings:
    """Return settings of a proxy that leads to the mock models."""
    with psycopg.connect(database_url) as connection:
        connection.execute("delete from ops.model_group")
        connection.cursor().executemany("insert into ops.model_group values (%s, %s)", list(MODEL_GROUPS.items()))
    names = {name.removeprefix("HAWK_").lower(): value for name, value in upstreams(mock_models_port).items()}
    return ProxySettings(
        database_url=SecretStr(database_url),
        issuer="http://127.0.0.1:1",
        job_token_key=SecretStr(JOB_KEY),
        proxy_port=free_port(),
        **names,
    )


@pytest.fixture
def proxy_process(settings: ProxySettings, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Return `python -m proxy` as a process, its log on a pipe, and its URL."""
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HAWK_")},
        "HAWK_HOME": str(tmp_path),
        "HAWK_DATABASE_URL": settings.database_url.get_secret_value(),
        "HAWK_ISSUER": settings.issuer,
        "HAWK_JOB_TOKEN_KEY": JOB_KEY,
        "HAWK_PROXY_PORT": str(port),
        "HAWK_OPENAI_UPSTREAM": settings.openai_upstream,
        "HAWK_OPENAI_API_KEY": "sk-openai-real",
        "HAWK_DRAIN_SECONDS": "20",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "proxy"],
        cwd=Path(__file__).parents[2],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: answers(f"{url}/health/ready"), seconds=60)
    yield process, url
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()
