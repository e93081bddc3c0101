"""Which model is best at each task, and how sure that is."""

import pandas as pd

from assets.analyses.analysis import AnalysisFrames, Cell, Findings, rounded
from assets.analyses.charts import interval_chart
from hawk.statistics.sample_mean import mean_estimate


def leaderboard_rows(samples: pd.DataFrame) -> list[dict[str, Cell]]:
    """Return one row per task and model, best first in each task; epochs are averaged within a sample."""
    rows: list[dict[str, Cell]] = []
    for task, of_task in samples.groupby("task", sort=True):
        board: list[tuple[float, dict[str, Cell]]] = []
        for model, of_model in of_task.groupby("model", sort=True):
            estimate = mean_estimate(of_model["score"].to_numpy())
            interval = estimate.interval
            row: dict[str, Cell] = {
                "task": str(task),
                "model": str(model),
                "samples": estimate.count,
                "mean_score": rounded(estimate.mean),
                "standard_error": rounded(estimate.standard_error),
                "lower": rounded(interval.lower) if interval else None,
                "upper": rounded(interval.upper) if interval else None,
                "interval": estimate.method,
                "remark": estimate.reason,
            }
            board.append((estimate.mean or 0.0, row))
        board.sort(key=lambda entry: -entry[0])
        rows += [{"rank": place, **row} for place, (_, row) in enumerate(board, start=1)]
    return rows


def find_leaderboard(frames: AnalysisFrames) -> Findings:
    rows = leaderboard_rows(frames.samples)
    drawn = [
        {
            "label": f"{row['task']} · {row['model']}",
            "value": row["mean_score"],
            "lower": row["lower"],
            "upper": row["upper"],
            "colour": row["model"],
        }
        for row in rows
    ]
    return Findings({"leaderboard": rows}, {"plot": interval_chart(drawn, title="mean score, 95 % interval")})
