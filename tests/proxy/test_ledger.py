"""The ledger in Postgres: every call once, with what it used and cost, whatever happens to the proxy."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr

from hawk.auth import Principal
from hawk.settings import ProxySettings
from proxy.budgets import Budgets
from proxy.calls import Call
from proxy.providers import provider_of
from proxy.refusals import Refusal
from proxy.registered import BudgetScope, Registered
from tests.conftest import free_port
from tests.proxy.conftest import JOB_KEY, ServedProxy, answers, fill_registry, job_token, wait_until
from tests.proxy.test_data_path import CHAT, bearer, chat

MESSAGES = "/anthropic/v1/messages"
SSE = {"content-type": "text/event-stream"}


class Books:
    """What stands in the ledger's tables."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)

    def calls(self, where: str = "true", *values: object) -> list[dict[str, Any]]:
        return self.connection.execute(
            f"select * from ops.model_call where {where} order by started_at", values
        ).fetchall()

    def closed(self, count: int, where: str = "true", *values: object) -> list[dict[str, Any]]:
        wait_until(lambda: len(self.calls(f"state <> 'open' and {where}", *values)) >= count, seconds=20)
        return self.calls(where, *values)

    def spend(self) -> dict[str, Any]:
        columns = (
            "sum(call_count) calls, sum(missing_count) missing, sum(input_tokens) input_tokens, sum(charged_usd) usd"
        )
        return self.connection.execute(f"select {columns} from ops.model_spend").fetchone()


@pytest.fixture
def books(registry: str) -> Iterator[Books]:
    found = Books(registry)
    found.connection.execute("truncate ops.model_call, ops.model_spend, ops.proxy_worker")
    yield found
    found.connection.execute("delete from ops.usage_budget; delete from ops.usage_limit; delete from ops.model")
    found.connection.execute("delete from ops.model_price; delete from ops.team_member")
    found.connection.close()


@pytest.fixture
def price(books: Books) -> None:
    for model in ("openai/echo", "anthropic/echo", "openai/stream", "openai/cut-stream", "openai/hang"):
        books.connection.execute(
            "insert into ops.model_price values (%s, '2020-01-01', 0, 1, 10, 0.5, null, 'by hand', now(), null)",
            [model],
        )


@pytest.fixture
def own(serve, settings, books, price, provider, tmp_path) -> ServedProxy:
    return serve(settings, ledger_folder=tmp_path / "ledger", ledger_copy_seconds=0.1)


def test_call_stands_with_what_it_used_who_made_it_and_what_it_cost(own, books, provider, token):
    provider.answer_headers = {"x-request-id": "upstream-1"}
    facts = {
        "x-inspect-eval-id": "eval-1",
        "x-inspect-task-name": "my/task\t\\N",
        "x-inspect-sample-uuid": "uuid-1",
        "x-inspect-sample-id": "7",
        "x-inspect-epoch": "2",
    }

    answer = httpx.post(own.url + CHAT, content=chat("echo"), headers={**bearer(token), **facts})
    [row] = books.closed(1)

    assert answer.headers["x-hawk-request-id"] == f"req_{row['call_id'].hex}"
    expected = {
        "state": "complete",
        "provider": "openai",
        "model_name": "openai/echo",
        "model_group": "public",
        "operation": "chat/completions",
        "principal_kind": "job",
        "user_name": "alice",
        "eval_set_id": "set-1",
        "eval_id": "eval-1",
        "task_name": "my/task?\\N",
        "sample_uuid": "uuid-1",
        "sample_id": "7",
        "epoch": 2,
        "usage_state": "reported",
        "input_tokens": 4,
        "output_tokens": 2,
        "http_status": 200,
        "provider_request_id": "upstream-1",
        "cost_usd": Decimal("0.000024"),
        "charged_usd": Decimal("0.000024"),
    }
    assert {name: row[name] for name in expected} == expected
    assert row["started_at"] <= row["ended_at"]
    assert 0 < row["first_byte_seconds"] <= row["total_seconds"]
    assert row["request_bytes"] == len(chat("echo"))
    wait_until(lambda: books.spend()["input_tokens"] == 4)


@pytest.mark.parametrize(
    ("model", "answer", "headers", "state", "usage_state"),
    [
        ("stream", b"", {}, "complete", "missing"),  # OpenAI's stream without `include_usage`
        ("cut-stream", b"", {}, "broken", "missing"),
        ("echo", b'{"id": 1}', {}, "complete", "missing"),
        ("echo", b'data: {"usage": {"prompt_tokens": 4, "completion_tokens": 2}}\n\n', SSE, "complete", "reported"),
        ("error-429", b"", {}, "complete", "none"),
        ("drop", b"", {}, "failed", "missing"),
        ("hang", b"", {}, "failed", "missing"),
    ],
)
def test_usage_that_nobody_reported_is_missing_and_charged_as_reserved(
    own, books, provider, token, model, answer, headers, state, usage_state
):
    provider.answer_body, provider.answer_headers = answer, headers

    try:
        httpx.post(own.url + CHAT, content=chat(model, max_tokens=100), headers=bearer(token))
    except httpx.RemoteProtocolError:
        assert model == "cut-stream"
    [row] = books.closed(1)

    assert (row["state"], row["usage_state"]) == (state, usage_state)
    if usage_state == "missing":
        assert row["input_tokens"] is None
        assert row["cost_usd"] is None
        assert row["charged_usd"] == row["reserved_usd"]
    if usage_state == "none":
        assert row["charged_usd"] == 0


def test_client_that_leaves_is_told_from_a_provider_that_fails(serve, settings, books, provider, token, tmp_path):
    proxy = serve(settings, ledger_folder=tmp_path, ledger_copy_seconds=0.1, upstream_timeout_seconds=30.0)

    with pytest.raises(httpx.ReadTimeout):
        httpx.post(proxy.url + CHAT, content=chat("hang"), headers=bearer(token), timeout=0.3)
    [row] = books.closed(1)

    assert (row["state"], row["usage_state"], row["http_status"]) == ("client_gone", "missing", None)


def test_call_under_way_is_open_and_counts_with_its_reserve(serve, settings, books, price, provider, token, tmp_path):
    proxy = serve(settings, ledger_folder=tmp_path, ledger_copy_seconds=0.1, upstream_timeout_seconds=2.0)
    thread = threading.Thread(
        target=httpx.post,
        args=[proxy.url + CHAT],
        kwargs={"content": chat("hang", max_tokens=7), "headers": bearer(token), "timeout": 10},
    )
    thread.start()

    wait_until(lambda: len(books.calls("state = 'open'")) == 1)
    during = books.spend()
    thread.join()
    [row] = books.closed(1)

    assert during["usd"] == row["reserved_usd"] > Decimal("0.00007")
    assert (row["state"], books.spend()["calls"], books.spend()["missing"]) == ("failed", 1, 1)


def test_refused_calls_are_no_calls(own, books, token, provider):
    httpx.post(own.url + CHAT, content=chat("secret"), headers=bearer(token))
    httpx.post(own.url + CHAT, content=chat("echo"), headers=bearer(token))

    assert [row["model_name"] for row in books.closed(1)] == ["openai/echo"]


def test_model_without_a_price_costs_nothing_known(own, books, token, provider):
    httpx.post(f"{own.url}/vllm/v1/chat/completions", content=chat("echo"), headers=bearer(token))

    [row] = books.closed(1)

    assert (row["usage_state"], row["cost_usd"], row["charged_usd"]) == ("reported", None, 0)


def test_ledger_waits_on_disk_while_postgres_is_away(
    serve, settings, books, price, registry, postgres, provider, token, tmp_path
):
    proxy = serve(settings, ledger_folder=tmp_path / "ledger", ledger_copy_seconds=0.1)
    name = registry.rpartition("/")[2]
    cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'hawk-proxy%'"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f'alter database "{name}" allow_connections false')
        try:
            connection.execute(cut)
            statuses = [
                httpx.post(proxy.url + CHAT, content=chat("echo"), headers=bearer(token)).status_code for _ in range(20)
            ]
            during = books.calls()
        finally:
            connection.execute(f'alter database "{name}" allow_connections true')

    assert statuses == [200] * 20
    assert during == []
    assert len(books.closed(20)) == 20
    assert books.spend()["calls"] == 20


class Process:
    """`python -m proxy` with a ledger in a folder that outlives it."""

    def __init__(self, settings: ProxySettings, home: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HAWK_")} | {
            "HAWK_HOME": str(home),
            "HAWK_DATABASE_URL": settings.database_url.get_secret_value(),
            "HAWK_ISSUER": settings.issuer,
            "HAWK_JOB_TOKEN_KEY": JOB_KEY,
            "HAWK_PROXY_PORT": str(port),
            "HAWK_OPENAI_UPSTREAM": settings.openai_upstream,
            "HAWK_OPENAI_API_KEY": "sk-openai-real",
            "HAWK_LEDGER_COPY_SECONDS": "0.2",
            "HAWK_LOG_CALLS": "false",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "proxy"], cwd=Path(__file__).parents[2], env=environment, stdout=subprocess.DEVNULL
        )
        wait_until(lambda: answers(f"{self.url}/health/ready"), seconds=60)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def test_every_call_stands_once_after_kill_9_under_load(settings, books, price, provider, tmp_path):
    token = job_token("public")
    process = Process(settings, tmp_path)
    killed = threading.Event()
    answered: list[str] = []

    def call_on(worker: int) -> None:
        with httpx.Client(base_url=process.url, timeout=20) as client:
            for number in range(1000):
                marker = f"{worker}-{number}"
                model = "stream" if number % 5 == 0 else "echo"
                try:
                    headers = {**bearer(token), "x-inspect-sample-uuid": marker}
                    client.post(CHAT, content=chat(model, user=marker), headers=headers)
                    answered.append(marker)
                except httpx.HTTPError:
                    assert killed.wait(5)
                    return

    provider.chunk_seconds = 0.005
    with ThreadPoolExecutor(8) as pool:
        for worker in range(8):
            pool.submit(call_on, worker)
        wait_until(lambda: len(answered) > 150, seconds=60)
        process.kill()
        killed.set()
    again = Process(settings, tmp_path)
    seen = {json.loads(call.body)["user"] for call in provider.calls}
    wait_until(lambda: {row["sample_uuid"] for row in books.calls("state <> 'open'")} >= seen, seconds=20)
    again.end()

    rows = books.calls()
    by_marker = {row["sample_uuid"]: row for row in rows}
    assert len(rows) == len(by_marker)
    assert seen <= set(by_marker)
    assert {by_marker[marker]["state"] for marker in answered} == {"complete"}
    interrupted = {marker for marker, row in by_marker.items() if row["state"] == "interrupted"}
    assert interrupted
    assert not interrupted & set(answered)
    assert {by_marker[marker]["usage_state"] for marker in interrupted} == {"missing"}
    spend = books.spend()
    assert spend["calls"] == len(rows)
    assert spend["missing"] == sum(row["usage_state"] == "missing" for row in rows)
    assert spend["usd"] == sum(row["charged_usd"] for row in rows)
    assert not [row for row in rows if row["state"] == "open"]
    assert list((tmp_path / "proxy" / "ledger").iterdir()) == []


def test_open_calls_of_a_worker_that_is_gone_for_good_are_interrupted_by_the_others(serve, settings, books, tmp_path):
    columns = "call_id, worker_id, state, started_at, provider, model_name, provider_model, model_group, operation"
    rest = "principal_kind, user_name, priority, request_bytes, reserved_usd, charged_usd, usage_state, waited_seconds"
    for worker, minutes in (("gone", 20), ("alive", 20), ("gone", 1)):
        books.connection.execute(
            f"insert into ops.model_call ({columns}, {rest}, retry_count) values (gen_random_uuid(), %s, 'open', "
            "now() - make_interval(mins => %s), 'openai', 'openai/echo', 'echo', 'public', 'chat/completions', "
            "'user', 'alice', 'medium', 1, 0.5, 0.5, 'pending', 0, 0)",
            [worker, minutes],
        )
    books.connection.execute("insert into ops.proxy_worker values ('alive', now(), now())")

    serve(settings, ledger_folder=tmp_path)

    rows = books.calls("state = 'interrupted'")
    assert [(row["worker_id"], row["usage_state"]) for row in rows] == [("gone", "missing")]
    assert len(books.calls("state = 'open'")) == 2


PATHS = {"openai": CHAT, "anthropic": MESSAGES, "google": "/google/v1beta/models/echo:generateContent"}


class TestBudgets:
    def budget(self, books: Books, scope: str, name: str, usd: str, period: str = "total") -> None:
        books.connection.execute("insert into ops.usage_budget values (%s, %s, %s, %s)", [scope, name, period, usd])

    def wait_until_known(self, proxy: ServedProxy, scope: BudgetScope) -> None:
        budgets = proxy.app._budgets
        wait_until(lambda: scope in budgets._limits and scope in budgets._copied)

    def test_budget_of_which_nobody_knows_what_was_spent_refuses_for_now(self):
        budgets = Budgets()
        budgets.replace(Registered(budgets={("user", "alice", "total"): Decimal(100)}))
        call = Call(
            provider=provider_of("openai", "openai", "https://api.openai.com", None),
            principal=Principal(subject="alice"),
        )

        with pytest.raises(Refusal) as refused:
            budgets.check(call)
        budgets.begin_copy()
        budgets.end_copy({("user", "alice", "total"): Decimal(0)})

        assert (refused.value.status, refused.value.retry_after_seconds) == (503, 1)
        budgets.check(call)

    @pytest.mark.parametrize(
        ("provider_name", "code"),
        [
            ("openai", lambda error: error["code"] == "budget_exceeded"),
            ("anthropic", lambda error: error["type"] == "billing_error"),
            ("google", lambda error: error["status"] == "FAILED_PRECONDITION"),
        ],
    )
    def test_call_over_the_budget_of_its_eval_set_is_402(self, own, books, provider, token, provider_name, code):
        self.budget(books, "eval_set", "set-1", "0")
        path = PATHS[provider_name]
        statuses: list[int] = []

        def is_refused() -> bool:
            answer = httpx.post(own.url + path, content=chat("echo"), headers=bearer(token))
            statuses.append(answer.status_code)
            self.answer = answer
            return answer.status_code == 402

        wait_until(is_refused)

        assert code(self.answer.json()["error"])
        assert "The budget of eval set set-1 is $0.00" in self.answer.json()["error"]["message"]
        assert set(statuses) <= {200, 402, 503}  # 503 while it is not known what was spent
        free = job_token("public", job_id="set-2")
        assert httpx.post(own.url + path, content=chat("echo"), headers=bearer(free)).status_code == 200

    def test_stream_without_usage_uses_up_the_budget_all_the_same(self, own, books, provider, token):
        # Each call reserves 14 input and 1,000 output tokens: a little over one cent.
        self.budget(books, "user", "alice", "0.025", "day")
        self.wait_until_known(own, ("user", "alice", "day"))

        statuses = [
            httpx.post(own.url + CHAT, content=chat("stream", max_tokens=1000), headers=bearer(token)).status_code
            for _ in range(6)
        ]

        assert statuses[:2] == [200, 200]
        assert statuses[-1] == 402

    def test_calls_side_by_side_cannot_overspend(self, own, books, provider, token):
        self.budget(books, "team", "red", "0.035")
        books.connection.execute("insert into ops.team_member values ('red', 'alice')")
        self.wait_until_known(own, ("team", "red", "total"))
        provider.chunk_seconds = 0.05

        def post(_: int) -> int:
            return httpx.post(
                own.url + CHAT, content=chat("stream", max_tokens=1000), headers=bearer(token)
            ).status_code

        with ThreadPoolExecutor(10) as pool:
            statuses = sorted(pool.map(post, range(10)))

        assert statuses == [200] * 3 + [402] * 7

    def test_what_another_proxy_spent_counts(self, own, books, serve, settings, provider, token, tmp_path):
        self.budget(books, "user", "alice", "0.02")
        other = serve(settings, ledger_folder=tmp_path / "other", ledger_copy_seconds=0.1)

        assert (
            httpx.post(other.url + CHAT, content=chat("stream", max_tokens=1000), headers=bearer(token)).status_code
            == 200
        )
        wait_until(
            lambda: (
                httpx.post(own.url + CHAT, content=chat("echo", max_tokens=1000), headers=bearer(token)).status_code
                == 402
            )
        )


def test_limits_of_the_registry_hold(own, books, provider, token):
    books.connection.execute("insert into ops.usage_limit values ('model', 'openai/stream', 1, null, null)")
    time.sleep(0.3)
    provider.chunk_seconds = 0.02

    def post(_: int) -> int:
        return httpx.post(own.url + CHAT, content=chat("stream"), headers=bearer(token), timeout=20).status_code

    with ThreadPoolExecutor(3) as pool:
        statuses = list(pool.map(post, range(3)))
    rows = books.closed(3)

    assert statuses == [200] * 3
    assert all(later["waited_seconds"] > 0.2 for later in sorted(rows, key=lambda row: row["waited_seconds"])[1:])


def test_workers_that_share_limits_divide_them(serve, settings, books, provider, token, tmp_path):
    books.connection.execute("insert into ops.usage_limit values ('group', 'public', 4, null, null)")
    options = {"ledger_copy_seconds": 0.1, "share_limits": True, "limit_wait_seconds": 20.0}
    proxies = [serve(settings, ledger_folder=tmp_path / name, **options) for name in ("a", "b")]
    time.sleep(0.5)
    provider.chunk_seconds = 0.03
    under_way: list[int] = []

    def post(number: int) -> int:
        url = proxies[number % 2].url + CHAT
        return httpx.post(url, content=chat("stream"), headers=bearer(token), timeout=30).status_code

    def watch() -> None:
        while len(under_way) < 60:
            under_way.append(sum(not call.ended.is_set() for call in list(provider.calls)))
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(post, range(12)))
    watcher.join()

    assert statuses == [200] * 12
    assert max(under_way) <= 4
    assert max(under_way) >= 3


def test_ledger_of_a_changed_registry_keeps_the_names_of_then(own, books, registry, token, provider):
    httpx.post(own.url + CHAT, content=chat("echo"), headers=bearer(token))
    books.closed(1)

    books.connection.execute("delete from ops.model_group where model_name = 'openai/echo'")
    fill_registry(registry)

    assert [row["model_name"] for row in books.calls()] == ["openai/echo"]


def test_line_that_postgres_cannot_read_is_set_aside_and_the_others_copied(serve, settings, books, token, tmp_path):
    proxy = serve(settings, ledger_folder=tmp_path, ledger_copy_seconds=0.1)
    httpx.post(proxy.url + CHAT, content=chat("echo"), headers=bearer(token))
    books.closed(1)
    proxy.stop()
    folder = tmp_path / "left"
    folder.mkdir()
    good = "\t".join(
        f"{value}" for value in ("01a20d62ae11790b98715d524ca3b40a", "w", "2026-01-01T00:00:00+00:00", "openai")
    )
    rest = "openai/echo\techo\tpublic\tchat/completions\tuser\tbob\tmedium\t\t\t\t\t\t\\N\t1\t0\t0.5"
    end = "complete\t\\N\t0\t\\N\t\\N\treported\t1\t1\t0\t0\t0\t0\t200\tf\t\\N\t\\N\t0\t1\t"
    (folder / "old.ledger").write_text(f"{good}\t{rest}\t{end}\nnonsense\n\t\t\n")

    serve(settings, ledger_folder=folder)

    assert [row["state"] for row in books.closed(1, "user_name = %s", "bob")] == ["complete"]
    assert (folder / "rejected.lines").read_text() == "nonsense\n\t\t\n"


def test_settings_say_where_the_ledger_is(settings, tmp_path):
    assert settings.model_copy(update={"home": tmp_path}).ledger_path == tmp_path / "proxy" / "ledger"
    assert isinstance(settings.database_url, SecretStr)
