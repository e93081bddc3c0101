"""How long the tasks are that models can do, and how fast that grows."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from assets.analyses.analysis import AnalysisFrames, Cell, Findings, rounded
from assets.analyses.charts import interval_chart, scatter_chart
from assets.analyses.human_minutes import released_on
from hawk.statistics.horizon import Horizon, HorizonRuns, count_runs
from hawk.statistics.horizon_bootstrap import HorizonDraws, bootstrap_horizons, horizons_with_intervals
from hawk.statistics.horizon_trend import DAYS_PER_YEAR, HorizonTrend, horizon_trend, is_at_frontier

DRAWS = 1000
HALF = 0.5
NO_RUNS = (
    "No task has human minutes: give samples or tasks `human_minutes` in their metadata, or fill task_length.csv. See "
    "docs/how-to/follow-analyses.md."
)


def counted_runs(runs: pd.DataFrame) -> HorizonRuns:
    """Return the counts; a task is one sample of an Inspect task, whose length its newest row tells."""
    tasks = (runs["task"] + "/" + runs["sample_id"]).to_numpy()
    of_task = runs.assign(key=tasks).groupby("key")[["minutes", "family", "floor"]].last()
    return count_runs(
        runs["model"].tolist(),
        tasks.tolist(),
        of_task.loc[tasks, "family"].tolist(),
        of_task.loc[tasks, "minutes"].to_numpy(),
        runs["score"].to_numpy(),
        floors=dict(zip(of_task.index, of_task["floor"], strict=True)),
    )


def find_time_horizon(frames: AnalysisFrames) -> Findings:
    if frames.timed_runs.empty:
        return Findings({"horizons": []}, facts={"remark": NO_RUNS})
    counts = counted_runs(frames.timed_runs)
    drawn = bootstrap_horizons(counts, draws=DRAWS)
    horizons = horizons_with_intervals(counts, drawn)
    half = [horizon for horizon in horizons if horizon.success == HALF]
    dates = [released_on(horizon.model, frames.releases) for horizon in half]
    trend, rows = _trend(half, dates, drawn)
    points = interval_chart(_points(half), title="human minutes at 50 % success", is_log=True)
    by_date = scatter_chart(
        rows,
        title="Time horizon and release",
        x="released",
        y="human minutes at 50 %",
        x_type="time",
        y_type="log",
        line=_line(trend, [str(row["x"]) for row in rows]),
    )
    return Findings(
        {"horizons": [_row(horizon) for horizon in horizons], "trend": [_trend_row(trend)]},
        {"plot": points, "plot_by_release": by_date},
        {"runs": int(counts.runs.sum()), "tasks": len(counts.tasks)},
    )


def _trend(
    half: Sequence[Horizon], dates: Sequence[date | None], drawn: HorizonDraws
) -> tuple[HorizonTrend, list[dict[str, object]]]:
    """Return the trend of models that were the best on their day, and points of all whose date is known."""
    known = [index for index, day in enumerate(dates) if day is not None and half[index].minutes is not None]
    days = [day for index in known if (day := dates[index]) is not None]
    minutes = np.array([half[index].minutes for index in known], dtype=np.float64)
    best = is_at_frontier(days, minutes) if known else np.zeros(0, dtype=np.bool_)
    at_frontier = np.flatnonzero(best)
    draws = drawn.log2_minutes[drawn.levels.index(HALF)][:, [known[index] for index in at_frontier]]
    trend = horizon_trend([days[index] for index in at_frontier], minutes[at_frontier], draws=draws)
    points: list[dict[str, object]] = [
        {
            "x": days[place].isoformat(),
            "y": float(minutes[place]),
            "label": half[index].model,
            "colour": "best on its day" if best[place] else "another was better",
        }
        for place, index in enumerate(known)
    ]
    return trend, points


def _line(trend: HorizonTrend, days: Sequence[str]) -> list[dict[str, object]]:
    """Return where the trend begins and where it is on the newest release date."""
    if trend.log2_minutes_at_start is None or trend.doublings_per_year is None or trend.start is None:
        return []
    newest = date.fromisoformat(max(days))
    doublings = trend.doublings_per_year * (newest - trend.start).days / DAYS_PER_YEAR
    ends = ((trend.start, trend.log2_minutes_at_start), (newest, trend.log2_minutes_at_start + doublings))
    return [{"x": day.isoformat(), "y": 2.0**log2_minutes} for day, log2_minutes in ends]


def _row(horizon: Horizon) -> dict[str, Cell]:
    return {
        "model": horizon.model,
        "success": horizon.success,
        "minutes": rounded(horizon.minutes, 3),
        "lower_minutes": rounded(horizon.lower_minutes, 3),
        "upper_minutes": rounded(horizon.upper_minutes, 3),
        "is_extrapolated": horizon.is_extrapolated,
        "runs": horizon.runs,
        "tasks": horizon.tasks,
        "mean_success": rounded(horizon.mean_success),
        "remark": horizon.reason,
    }


def _trend_row(trend: HorizonTrend) -> dict[str, Cell]:
    interval = trend.doubling_days_interval
    return {
        "models": trend.count,
        "doubling_days": rounded(trend.doubling_days, 1),
        "lower_days": rounded(interval.lower, 1) if interval else None,
        "upper_days": rounded(interval.upper, 1) if interval else None,
        "doublings_per_year": rounded(trend.doublings_per_year),
        "r_squared": rounded(trend.r_squared),
        "remark": trend.reason,
    }


def _points(half: Sequence[Horizon]) -> list[dict[str, object]]:
    return [
        {
            "label": horizon.model,
            "value": horizon.minutes,
            "lower": horizon.lower_minutes,
            "upper": horizon.upper_minutes,
            "colour": "beyond the tasks" if horizon.is_extrapolated else "within the tasks",
        }
        for horizon in half
    ]
