"""Measures the bootstrap of time horizons: `python -m benchmarks.warehouse.horizon`. Ends with one line of JSON.

20,000 runs of 30 models at 170 tasks in 60 families, as METR's suite has them, drawn 1,000 times.
"""

import argparse
import json
import time

import numpy as np

from hawk.statistics.horizon import HorizonRuns, count_runs
from hawk.statistics.horizon_bootstrap import DRAWS, bootstrap_horizons, horizons_with_intervals

RUNS = 20_000
MODELS = 30
TASKS = 170
FAMILIES = 60


def horizon_bootstrap_seconds(
    *, runs: int = RUNS, models: int = MODELS, tasks: int = TASKS, draws: int = DRAWS
) -> float:
    """Return the seconds from one row a run to horizons with intervals of every model."""
    rows = _made_runs(RUNS, MODELS, tasks)
    began = time.perf_counter()
    counts: HorizonRuns = count_runs(**rows)
    horizons = horizons_with_intervals(counts, bootstrap_horizons(counts, draws=draws))
    seconds = time.perf_counter() - began
    bounded = sum(horizon.lower_minutes is not None for horizon in horizons)
    assert bounded > len(horizons) / 2, "the runs that were made give no horizons"
    return seconds


def _made_runs(runs: int, models: int, tasks: int) -> dict[str, object]:
    """Return runs whose success falls with length, models from 10 seconds to a day; every model tries every task."""
    generator = np.random.default_rng(7)
    families = generator.integers(0, FAMILIES, tasks)
    log2_minutes = generator.uniform(-4, 11, tasks)
    cells = np.resize(generator.permutation(models * tasks), runs)
    model, task = np.divmod(cells, tasks)
    skill = np.linspace(-2.5, 10.5, models)[model]
    chance = 1 / (1 + np.exp(0.6 * (log2_minutes[task] - skill)))
    return {
        "models": [f"model-{index}" for index in model],
        "tasks": [f"task-{index}" for index in task],
        "families": [f"family-{index}" for index in families[task]],
        "minutes": 2.0 ** log2_minutes[task],
        "scores": (generator.random(runs) < chance).astype(float),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=TASKS)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    seconds = min(
        horizon_bootstrap_seconds(tasks=arguments.tasks, draws=arguments.draws) for _ in range(arguments.rounds)
    )
    print(
        json.dumps(
            {
                "benchmark": "horizon",
                "runs": RUNS,
                "models": MODELS,
                "tasks": arguments.tasks,
                "draws": arguments.draws,
                "horizon_bootstrap_seconds": round(seconds, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
