"""How hard tasks are, whichever models tried them."""

import pandas as pd

from assets.analyses.analysis import AnalysisFrames, Cell, Findings, rounded
from assets.analyses.charts import interval_chart
from hawk.statistics.difficulty import task_difficulties

TWO_SIDED = 1.96  # standard errors of a 95 % interval


def difficulty_rows(samples: pd.DataFrame) -> tuple[list[dict[str, Cell]], list[dict[str, Cell]]]:
    """Return tasks, hardest first, and models, ablest first; tasks whose scores leave 0 to 1 are left out."""
    span = samples.groupby("task")["score"].agg(["min", "max"])
    fitting = span[(span["min"] >= 0) & (span["max"] <= 1)].index
    # One mean a task and model, so that tasks with many samples do not decide the models' abilities.
    means = samples[samples["task"].isin(fitting)].groupby(["task", "model"], as_index=False)["score"].mean()
    found = task_difficulties(means["task"].tolist(), means["model"].tolist(), means["score"].to_numpy())
    tasks: list[dict[str, Cell]] = [
        {
            "task": str(row.task),
            "models": row.models,
            "mean_score": rounded(row.mean_score),
            "difficulty_logits": rounded(row.difficulty_logits),
            "standard_error": rounded(row.standard_error),
            "discrimination": rounded(row.discrimination),
            "is_extreme": row.is_extreme,
        }
        for row in found.tasks
    ]
    abilities = sorted(found.abilities.items(), key=lambda item: -item[1])
    return tasks, [{"model": str(model), "ability_logits": rounded(ability)} for model, ability in abilities]


def find_difficulty(frames: AnalysisFrames) -> Findings:
    tasks, models = difficulty_rows(frames.samples)
    drawn = []
    for row in tasks:
        middle, error = float(row["difficulty_logits"] or 0.0), float(row["standard_error"] or 0.0)
        drawn.append(
            {
                "label": row["task"],
                "value": middle,
                "lower": middle - TWO_SIDED * error,
                "upper": middle + TWO_SIDED * error,
                "colour": "all or none solved" if row["is_extreme"] else "some solved",
            }
        )
    plot = interval_chart(drawn, title="difficulty, logits (0: the mean task)", zero_line=True)
    return Findings({"tasks": tasks, "models": models}, {"plot": plot})
