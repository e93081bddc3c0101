"""Launches eval sets by itself: all benchmarks each night, and for each new model. Off until it is turned on."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from my_evals import hawk_api

BENCHMARKS = Path(__file__).parent / "benchmarks"
LOOK_EVERY_SECONDS = 300


class Benchmarks(dg.Config):
    """Which models to run; none: those that each file names."""

    models: list[str] = []  # noqa: RUF012  # a field of pydantic's, which copies it


@dg.op
def launch_benchmarks(context: dg.OpExecutionContext, config: Benchmarks) -> None:
    """Launch each YAML file of `benchmarks/` as an eval set; Hawk runs it, and this does not wait."""
    for path in sorted(BENCHMARKS.glob("*.eval-set.yaml")):
        eval_set_id = hawk_api.launch(with_models(yaml.safe_load(path.read_text()), config.models))
        context.log.info("%s runs as %s.", path.name, eval_set_id)


@dg.job(executor_def=dg.in_process_executor, description="Launches the eval sets of `my_evals/benchmarks/`.")
def run_benchmarks() -> None:
    launch_benchmarks()


@dg.schedule(
    job=run_benchmarks,
    cron_schedule="0 2 * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Runs the benchmarks each night at 2:00 UTC. It costs what they cost: turn it on knowingly.",
)
def nightly_benchmarks() -> dg.RunRequest:
    """Ask for the benchmarks with the models that their files name."""
    return dg.RunRequest()


@dg.sensor(
    job=run_benchmarks,
    minimum_interval_seconds=LOOK_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Runs the benchmarks for each model that the API did not list before. It costs what they cost.",
)
def new_model(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Compare the API's models with those of the last look; the first look only takes note of them."""
    present = hawk_api.models()
    if context.cursor is None:
        return dg.SensorResult(cursor=json.dumps(present), skip_reason=f"{len(present)} models are known.")
    known = set(json.loads(context.cursor))
    requests = [
        dg.RunRequest(
            run_key=f"benchmarks:{model}",
            run_config={"ops": {"launch_benchmarks": {"config": {"models": [model]}}}},
            tags={"my_evals/model": model},
        )
        for model in present
        if model not in known
    ]
    return dg.SensorResult(run_requests=requests, cursor=json.dumps(sorted(known | set(present))))


def with_models(config: dict[str, Any], models: list[str]) -> dict[str, Any]:
    """Return the config of an eval set for these models instead of its own."""
    if not models:
        return config
    by_provider: dict[str, list[str]] = {}
    for model in models:
        provider, _, name = model.partition("/")
        by_provider.setdefault(provider, []).append(name)
    chosen = [
        {"package": provider, "name": provider, "items": [{"name": name} for name in names]}
        for provider, names in by_provider.items()
    ]
    return {**config, "models": chosen}
