"""What the proxy answers itself, and what it does when providers have had enough."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from hawk.dev.issuer import create_app as create_issuer
from hawk.dev.issuer_tokens import Grant, TokenMint
from hawk.errors import UserError
from hawk.settings import IssuerSettings
from proxy.forward import retry_after_seconds
from proxy.tracing import Tracing
from tests.conftest import free_port
from tests.fakes.served import served
from tests.proxy.conftest import JOB_KEY, answers, job_token, wait_until
from tests.proxy.test_data_path import CHAT, bearer, chat


def post(url: str, body: bytes, token: str) -> httpx.Response:
    return httpx.post(url + CHAT, content=body, headers=bearer(token), timeout=20)


class TestMetrics:
    def test_calls_tokens_and_refusals_are_counted(self, serve, settings, provider, token):
        proxy = serve(settings)
        post(proxy.url, chat("echo"), token)
        post(proxy.url, chat("echo"), token)
        post(proxy.url, chat("stream"), token)
        post(proxy.url, chat("nobody-knows"), token)
        post(proxy.url, chat("error-429"), token)

        text = httpx.get(f"{proxy.url}/metrics").text

        for line in (
            'hawk_proxy_calls_total{provider="openai",model="openai/echo",status="200"} 2',
            'hawk_proxy_calls_total{provider="openai",model="openai/error-429",status="429"} 1',
            'hawk_proxy_tokens_total{provider="openai",model="openai/echo",kind="output"} 4',
            'hawk_proxy_usage_missing_total{provider="openai",model="openai/stream"} 1',
            'hawk_proxy_refusals_total{provider="openai",reason="unknown_model"} 1',
            'hawk_proxy_call_seconds_bucket{provider="openai",le="+Inf"} 4',
            'hawk_proxy_call_seconds_count{provider="openai"} 4',
            "hawk_proxy_open_calls 0",
            "hawk_proxy_ledger_is_current 1",
        ):
            assert line in text.splitlines(), text
        assert "# TYPE hawk_proxy_call_seconds histogram" in text

    def test_token_is_asked_for_where_one_is_set(self, serve, settings):
        proxy = serve(settings, metrics_token=SecretStr("scrape"))

        statuses = [
            httpx.get(f"{proxy.url}/metrics", headers=headers).status_code
            for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer scrape"})
        ]

        assert statuses == [403, 403, 200]

    def test_header_of_a_stranger_makes_nobody_local(self, serve, settings):
        proxy = serve(settings, metrics_token=SecretStr("scrape"))

        headers = {"x-forwarded-for": "127.0.0.1", "forwarded": "for=127.0.0.1"}

        assert httpx.get(f"{proxy.url}/metrics", headers=headers).status_code == 403


class TestDiscovery:
    @pytest.fixture
    def issuer(self, tmp_path) -> Iterator[IssuerSettings]:
        port = free_port()
        issuer = IssuerSettings(home=tmp_path, issuer_port=port)
        with served(create_issuer(issuer), port):
            yield issuer

    @pytest.mark.parametrize(
        ("name", "listing", "models"),
        [
            ("openai", b'{"data": [{"id": "b"}, {"id": "a"}, {"object": "odd"}]}', ["a", "b"]),
            ("anthropic", b'{"data": [{"id": "claude"}]}', ["claude"]),
            ("google", b'{"models": [{"name": "models/gemini"}]}', ["gemini"]),
            ("vllm", b'[{"id": "llama"}]', ["llama"]),
        ],
    )
    def test_administrator_is_told_what_a_provider_offers(
        self, serve, settings, provider, issuer, name, listing, models
    ):
        proxy = serve(settings, issuer=issuer.issuer_url)
        provider.answer_body = listing
        admin = TokenMint(issuer).access_token(Grant("admin", "hawk-cli", "openid"))

        answer = httpx.get(f"{proxy.url}/admin/providers/{name}/models", headers=bearer(admin))

        assert answer.json() == {"models": models}
        assert provider.last.method == "GET"
        assert "real" in str(provider.last.headers) or name == "vllm"
        assert admin not in str(provider.last.headers)

    def test_what_a_provider_says_instead_is_502(self, serve, settings, provider, issuer):
        proxy = serve(settings, issuer=issuer.issuer_url)
        admin = TokenMint(issuer).access_token(Grant("admin", "hawk-cli", "openid"))
        statuses = []
        for provider.answer_body in (b"no JSON", b'{"data": 7}', b"7"):
            answer = httpx.get(f"{proxy.url}/admin/providers/openai/models", headers=bearer(admin))
            statuses.append(answer.status_code)

        assert statuses == [502] * 3
        assert httpx.get(f"{proxy.url}/admin/providers/nobody/models", headers=bearer(admin)).status_code == 404

    def test_nobody_else_is_told(self, proxy, provider):
        url = f"{proxy.url}/admin/providers/openai/models"

        assert httpx.get(url, headers=bearer(job_token("public"))).status_code == 403
        assert httpx.get(url).status_code == 401
        assert provider.calls == []


class TestRetries:
    def test_call_is_sent_again_when_the_provider_has_room(self, serve, settings, provider, token, registry, tmp_path):
        proxy = serve(
            settings, upstream_retries=2, upstream_retry_seconds=0.9, ledger_folder=tmp_path, ledger_copy_seconds=0.1
        )

        relayed = post(proxy.url, chat("error-429"), token)  # it asks for seven seconds
        calls = len(provider.calls)
        recovering = post(proxy.url, chat("error-503-once"), token)

        assert (relayed.status_code, calls) == (429, 1)
        assert (recovering.status_code, len(provider.calls)) == (200, 3)
        with psycopg.connect(registry, autocommit=True) as connection:
            query = "select retry_count from ops.model_call where model_name = 'openai/error-503-once'"
            wait_until(lambda: connection.execute(query).fetchall() == [(1,)])

    def test_provider_that_never_has_room_is_relayed_after_the_last_try(self, serve, settings, provider, token):
        proxy = serve(settings, upstream_retries=1, upstream_retry_seconds=0.9)

        assert post(proxy.url, chat("error-503"), token).status_code == 503
        assert len(provider.calls) == 2

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            (None, None),
            (b"7", 7.0),
            (b"0.5", 0.5),
            (b"Thu, 01 Jan 2026 00:00:09 GMT", 9.0),
            (b"Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
            (b"soon", None),
            (b"", None),
            (b"-1", None),
        ],
    )
    def test_retry_after_is_a_number_or_a_date(self, value, seconds):
        assert retry_after_seconds(value, now=datetime(2026, 1, 1, tzinfo=UTC)) == seconds


def test_what_a_provider_says_of_its_limits_is_kept(serve, settings, provider, token, registry, tmp_path):
    proxy = serve(settings, ledger_folder=tmp_path, ledger_copy_seconds=0.1)
    provider.answer_headers = {"x-ratelimit-remaining-tokens": "99", "anthropic-ratelimit-x": "1", "x-other": "2"}
    post(proxy.url, chat("echo"), token)

    with psycopg.connect(registry, autocommit=True) as connection:
        query = "select http_status, headers from ops.provider_limit where model_name = 'openai/echo'"
        expected = [(200, {"x-ratelimit-remaining-tokens": "99", "anthropic-ratelimit-x": "1"})]
        wait_until(lambda: connection.execute(query).fetchall() == expected)


def test_workers_of_one_port_answer_count_and_end_together(settings, provider, token, tmp_path):
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HAWK_")} | {
        "HAWK_HOME": str(tmp_path),
        "HAWK_DATABASE_URL": settings.database_url.get_secret_value(),
        "HAWK_ISSUER": settings.issuer,
        "HAWK_JOB_TOKEN_KEY": JOB_KEY,
        "HAWK_PROXY_PORT": str(port),
        "HAWK_OPENAI_UPSTREAM": settings.openai_upstream,
        "HAWK_OPENAI_API_KEY": "sk-openai-real",
        "HAWK_PROXY_WORKERS": "2",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "proxy"], cwd=Path(__file__).parents[2], env=environment, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    metrics = tmp_path / "proxy" / "metrics"
    try:
        wait_until(lambda: answers(f"{url}/health/ready"), seconds=60)
        wait_until(lambda: len(list(metrics.glob("*.json"))) == 2, seconds=60)
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: post(url, chat("echo"), token).status_code, range(40)))
        line = 'hawk_proxy_calls_total{provider="openai",model="openai/echo",status="200"} 40'
        wait_until(lambda: line in httpx.get(f"{url}/metrics").text.splitlines())
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0

    assert statuses == [200] * 40
    assert list(metrics.glob("*.json")) == []
    assert list((tmp_path / "proxy" / "ledger").iterdir()) == []


def test_traces_need_opentelemetry_only_where_they_are_asked_for(monkeypatch):
    Tracing(None).stop()
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with pytest.raises(UserError, match="OpenTelemetry is not installed"):
        Tracing("http://127.0.0.1:4317")


class Collector:
    """An OpenTelemetry collector that keeps what it is sent."""

    def __init__(self) -> None:
        import grpc
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

        self.requests: list[Any] = []
        self._server = grpc.server(ThreadPoolExecutor(1))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def Export(self, request: Any, context: Any) -> Any:  # OpenTelemetry's name
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        self.requests.append(request)
        return ExportTraceServiceResponse()

    def stop(self) -> None:
        self._server.stop(None).wait()


def test_span_of_a_call_is_a_part_of_the_callers_trace_and_has_no_prompt(serve, settings, provider, token):
    collector = Collector()
    proxy = serve(settings, otlp_endpoint=collector.endpoint)
    trace = "0af7651916cd43dd8448eb211c80319c"

    httpx.post(
        proxy.url + CHAT,
        content=chat("echo", user="prompt-secret"),
        headers={**bearer(token), "traceparent": f"00-{trace}-b7ad6b7169203331-01"},
    )
    proxy.stop()
    collector.stop()

    [request] = collector.requests
    [span] = request.resource_spans[0].scope_spans[0].spans
    attributes = {pair.key: pair.value for pair in span.attributes}
    assert "hawk-proxy" in str(request.resource_spans[0].resource)
    assert span.name == "chat/completions echo"
    assert span.trace_id.hex() == trace
    assert attributes["gen_ai.usage.input_tokens"].int_value == 4
    assert attributes["http.response.status_code"].int_value == 200
    assert b"secret" not in request.SerializeToString()
    assert provider.last.header("traceparent").startswith(f"00-{trace}")
