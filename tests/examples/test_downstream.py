"""The example code location loads by itself, follows Hawk's assets, and launches through Hawk's API."""

import http.server
import importlib
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "downstream"
OWNER = "ada@example.org"
MARTS = """
create schema if not exists marts;
create table if not exists marts.fct_eval (
    eval_set_id text, task_name text, model text, status text, sample_count int, error_count int,
    mean_score float8, standard_error float8
);
insert into marts.fct_eval values ('mine', 'sums', 'lab/m', 'success', 4, 0, 0.75, 0.25);
"""


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Import the example as Dagster does, from its own folder."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_evals"]:
        del sys.modules[name]


def module(name: str) -> Any:
    return importlib.import_module(f"my_evals.{name}")


def ended(instance: dg.DagsterInstance, eval_set_id: str, *, by: str = OWNER, status: str = "complete") -> None:
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            asset_key="eval_logs", partition=eval_set_id, metadata={"created_by": by, "status": status}
        )
    )


def look(name: str, sensor: str, instance: dg.DagsterInstance, cursor: str | None) -> Any:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    return getattr(module(name), sensor)(context)


def test_the_location_loads_with_the_costly_parts_off():
    repository = module("definitions").definitions.get_repository_def()

    assert {job.name for job in repository.get_all_jobs()} >= {"summarize_eval_set", "run_benchmarks"}
    assert {sensor.name: sensor.default_status for sensor in repository.sensor_defs} == {
        "my_set_completed": dg.DefaultSensorStatus.RUNNING,
        "new_model": dg.DefaultSensorStatus.STOPPED,
    }
    assert [schedule.default_status for schedule in repository.schedule_defs] == [dg.DefaultScheduleStatus.STOPPED]


def test_each_completed_set_of_ones_own_starts_a_job_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_EVALS_OWNER", OWNER)
    with dg.DagsterInstance.ephemeral() as instance:
        ended(instance, "old")
        cursor = look("summary", "my_set_completed", instance, None).cursor
        ended(instance, "mine")
        ended(instance, "failed", status="failed")
        ended(instance, "of-another", by="bob@example.org")
        ended(instance, "mine-too")

        result = look("summary", "my_set_completed", instance, cursor)
        again = look("summary", "my_set_completed", instance, result.cursor)

    assert [request.tags["hawk/eval_set_id"] for request in result.run_requests] == ["mine", "mine-too"]
    assert not again.run_requests


def test_the_job_shows_the_sets_scores(database_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_EVALS_DATABASE_URL", database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(MARTS)
    summary = module("summary")

    result = summary.summarize_eval_set.execute_in_process(
        run_config={"ops": {"summarize": {"config": {"eval_set_id": "mine"}}}}
    )

    [event] = [event for event in result.all_events if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION]
    shown = event.step_materialization_data.materialization.metadata["scores"].value
    assert "| sums | lab/m | success | 4 | 0 | 0.75 | 0.25 |" in shown


class HawkApi(http.server.BaseHTTPRequestHandler):
    """As much of the API as the example calls."""

    models: list[str] = []  # noqa: RUF012  # set by each test
    launched: list[dict[str, Any]] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self._answer({"models": self.models})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.launched.append(asked)
        self._answer({"eval_set_id": f"nightly-{len(self.launched)}"})

    def _answer(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[HawkApi]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), HawkApi)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MY_EVALS_API_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("MY_EVALS_TOKEN", "a token")
    HawkApi.models, HawkApi.launched = [], []
    yield HawkApi
    server.shutdown()
    server.server_close()


def test_a_new_model_has_the_benchmarks_run_and_known_ones_have_not(api: type[HawkApi]):
    api.models = ["openai/gpt-4o-mini"]
    with dg.DagsterInstance.ephemeral() as instance:
        first = look("benchmarks", "new_model", instance, None)
        api.models = ["anthropic/new", "openai/gpt-4o-mini"]
        second = look("benchmarks", "new_model", instance, first.cursor)
        third = look("benchmarks", "new_model", instance, second.cursor)

    assert not first.run_requests
    [request] = second.run_requests
    assert not third.run_requests
    result = module("benchmarks").run_benchmarks.execute_in_process(run_config=request.run_config)
    assert result.success
    [asked] = api.launched
    assert asked["config"]["models"] == [{"package": "anthropic", "name": "anthropic", "items": [{"name": "new"}]}]


def test_the_nightly_schedule_asks_for_the_models_of_the_files(api: type[HawkApi]):
    benchmarks = module("benchmarks")

    data = benchmarks.nightly_benchmarks.evaluate_tick(dg.build_schedule_context())

    assert len(data.run_requests) == 1
    assert benchmarks.run_benchmarks.execute_in_process(run_config=data.run_requests[0].run_config).success
    assert api.launched[0]["config"]["models"][0]["items"] == [{"name": "gpt-4o-mini"}]
