"""Which models are best for what they cost, at each task."""

import pandas as pd

from assets.analyses.analysis import AnalysisFrames, Cell, Findings, rounded
from assets.analyses.charts import scatter_chart
from hawk.statistics.pareto import pareto_front


def cost_quality_rows(samples: pd.DataFrame, uses: pd.DataFrame) -> list[dict[str, Cell]]:
    """Return one row per task and model, cheapest first; fronts are of dollars where all are known, else of tokens."""
    scores = samples.groupby(["task", "model"], as_index=False, sort=True)["score"].mean()
    merged = scores.merge(uses, on=["task", "model"], how="left")
    rows: list[dict[str, Cell]] = []
    for task, of_task in merged.groupby("task", sort=True):
        unit = "cost_usd" if of_task["cost_usd"].notna().all() else "tokens"
        ordered = of_task.sort_values([unit, "model"], na_position="last")
        front = pareto_front(ordered[unit].to_numpy(), ordered["score"].to_numpy())
        rows += [
            {
                "task": str(task),
                "model": str(row.model),
                "mean_score": rounded(row.score),
                "cost_usd_per_sample": rounded(row.cost_usd, 6),
                "tokens_per_sample": rounded(row.tokens, 1),
                "counted_in": unit,
                "is_on_front": bool(on_front),
            }
            for row, on_front in zip(ordered.itertuples(), front, strict=True)
        ]
    return rows


def find_cost_quality(frames: AnalysisFrames) -> Findings:
    rows = cost_quality_rows(frames.samples, frames.uses)
    drawn = [
        {
            "x": row["tokens_per_sample"] if row["counted_in"] == "tokens" else row["cost_usd_per_sample"],
            "y": row["mean_score"],
            "label": f"{row['task']} · {row['model']}" if row["is_on_front"] else "",
            "colour": "on the front" if row["is_on_front"] else "another is as cheap and as good",
        }
        for row in rows
    ]
    plots = {}
    for unit, name in (("cost_usd", "US dollars a sample"), ("tokens", "tokens a sample")):
        points = [point for point, row in zip(drawn, rows, strict=True) if row["counted_in"] == unit and point["x"]]
        if points:
            plots[f"plot_{unit}"] = scatter_chart(points, title="Cost and quality", x=name, y="mean score")
    return Findings({"models": rows}, plots)
