"""The code location: everything of this folder that Dagster knows."""

import dagster as dg

from my_evals.benchmarks import new_model, nightly_benchmarks, run_benchmarks
from my_evals.summary import my_set_completed, summarize_eval_set

definitions = dg.Definitions(
    jobs=[summarize_eval_set, run_benchmarks],
    sensors=[my_set_completed, new_model],
    schedules=[nightly_benchmarks],
)
