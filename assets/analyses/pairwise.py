"""Every two models compared on the samples that both have, adjusted for how many comparisons that makes."""

from itertools import combinations

import numpy as np
import pandas as pd

from assets.analyses.analysis import AnalysisFrames, Cell, Findings, rounded
from assets.analyses.charts import interval_chart
from hawk.statistics.mcnemar import mcnemar_test
from hawk.statistics.multiplicity import benjamini_hochberg, holm
from hawk.statistics.paired import PairedComparison, compare_pairs

ALL_TASKS = "all tasks"


def pairwise_rows(samples: pd.DataFrame) -> list[dict[str, Cell]]:
    """Return one row per task and two models, and per two models over all tasks with errors clustered by task.

    Holm and Benjamini-Hochberg adjust within a task, as within the rows of all tasks.
    """
    rows: list[dict[str, Cell]] = []
    for task, of_task in samples.groupby("task", sort=True):
        rows += _compared(str(task), of_task.pivot_table(index="sample_id", columns="model", values="score"), None)
    if samples["task"].nunique() > 1:
        scores = samples.pivot_table(index=["task", "sample_id"], columns="model", values="score")
        rows = _compared(ALL_TASKS, scores, scores.index.get_level_values("task").to_numpy()) + rows
    return rows


def _compared(
    task: str, scores: pd.DataFrame, clusters: np.ndarray[tuple[int], np.dtype[np.object_]] | None
) -> list[dict[str, Cell]]:
    pairs: list[tuple[str, str, PairedComparison, float | None]] = []
    columns = {str(model): scores[model].to_numpy() for model in scores.columns}
    for first, second in combinations(sorted(columns), 2):
        both = ~(np.isnan(columns[first]) | np.isnan(columns[second]))
        if not both.any():
            continue
        a, b = columns[first][both], columns[second][both]
        comparison = compare_pairs(a, b, clusters=None if clusters is None else clusters[both])
        pairs.append((first, second, comparison, mcnemar_test(a, b).exact_p if clusters is None else None))
    p_values = [comparison.p_value for _, _, comparison, _ in pairs]
    return [
        _row(task, first, second, comparison, exact, strict, lenient)
        for (first, second, comparison, exact), strict, lenient in zip(
            pairs, holm(p_values), benjamini_hochberg(p_values), strict=True
        )
    ]


def _row(
    task: str,
    first: str,
    second: str,
    comparison: PairedComparison,
    exact: float | None,
    strict: float | None,
    lenient: float | None,
) -> dict[str, Cell]:
    interval = comparison.interval
    return {
        "task": task,
        "first": first,
        "second": second,
        "shared_samples": comparison.count,
        "difference": rounded(comparison.difference),
        "standard_error": rounded(comparison.standard_error),
        "lower": rounded(interval.lower) if interval else None,
        "upper": rounded(interval.upper) if interval else None,
        "p_value": rounded(comparison.p_value, 6),
        "holm_p": rounded(strict, 6),
        "benjamini_hochberg_p": rounded(lenient, 6),
        "mcnemar_p": rounded(exact, 6),
        "correlation": rounded(comparison.correlation),
        "detectable_effect": rounded(comparison.detectable_effect),
        "remark": comparison.reason,
    }


def find_pairwise(frames: AnalysisFrames) -> Findings:
    rows = pairwise_rows(frames.samples)
    rows.sort(key=lambda row: (row["task"] != ALL_TASKS, 2.0 if row["holm_p"] is None else float(row["holm_p"])))
    drawn = [
        {
            "label": f"{row['task']}: {row['first']} − {row['second']}",
            "value": row["difference"],
            "lower": row["lower"],
            "upper": row["upper"],
            "colour": "differs (Holm)"
            if row["holm_p"] is not None and float(row["holm_p"]) < 0.05
            else "may be chance",
        }
        for row in rows
    ]
    plot = interval_chart(drawn, title="difference of mean scores, 95 % interval", zero_line=True)
    return Findings({"pairs": rows}, {"plot": plot}, {"comparisons": len(rows)})
