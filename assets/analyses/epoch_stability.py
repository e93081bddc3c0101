"""How much scores depend on the epoch: what repeats agree on, and what more tries would reach."""

import numpy as np
import pandas as pd

from assets.analyses.analysis import AnalysisFrames, Cell, Findings, rounded
from assets.analyses.charts import scatter_chart
from hawk.statistics.epochs import pass_at_k, pass_k


def epoch_rows(samples: pd.DataFrame) -> list[dict[str, Cell]]:
    """Return one row per task and model with samples of two or more epochs; an epoch passes at a score of 1 or more.

    pass@k and pass^k are means over the samples with at least k epochs, k the number that half of the samples have.
    """
    rows: list[dict[str, Cell]] = []
    for (task, model), of_model in samples[samples["epochs"] > 1].groupby(["task", "model"], sort=True):
        epochs, passed = of_model["epochs"].to_numpy(), of_model["passed"].to_numpy()
        k = int(np.median(epochs))
        rows.append(
            {
                "task": str(task),
                "model": str(model),
                "samples": len(of_model),
                "epochs": int(epochs.sum()),
                "fraction_unstable": rounded(float((of_model["spread"] > 0).mean())),
                "k": k,
                "pass_at_1": rounded(float((passed / epochs).mean())),
                "pass_at_k": rounded(float(np.nanmean(pass_at_k(epochs, passed, k)))),
                "pass_power_k": rounded(float(np.nanmean(pass_k(epochs, passed, k)))),
            }
        )
    return rows


def find_epoch_stability(frames: AnalysisFrames) -> Findings:
    rows = epoch_rows(frames.samples)
    drawn = [
        {"x": row["pass_power_k"], "y": row["pass_at_k"], "label": row["task"], "colour": row["model"]} for row in rows
    ]
    plot = scatter_chart(drawn, title="Epoch stability", x="all k epochs pass", y="one of k passes", x_type="linear")
    return Findings({"epochs": rows}, {"plot": plot})
