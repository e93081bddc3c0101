"""One picture of the newest state of the marts: mean scores of models at tasks, in Dagster itself."""

import dagster as dg
from psycopg.rows import DictRow

from assets.keys import AGG_TASK_MODEL, OWNERS, REPORT_GROUP, SCORE_OVERVIEW
from assets.markdown import markdown_table
from assets.score_chart import ScoreBar, chart_markdown
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect

MAX_BARS = 40

_SCORES = """
select task_name, model, scorer, sample_count, error_count, mean_score, standard_error, total_tokens
from marts.agg_task_model as scores
where not exists (
    -- Everybody who sees Dagster sees this: no score of a set with groups that not all of them hold.
    select 1 from marts.fct_eval as evals
    left join ops.eval_set using (eval_set_id)
    where evals.task_name = scores.task_name and evals.model = scores.model
      and (coalesce(eval_set.model_groups, '{}') = '{}' or not eval_set.model_groups <@ %(described)s::text[])
)
order by last_completed_at desc nulls last, task_name, model
limit %(most)s
"""


@dg.asset(
    key=SCORE_OVERVIEW,
    deps=[AGG_TASK_MODEL],
    group_name=REPORT_GROUP,
    owners=list(OWNERS),
    kinds={"python"},
    tags={"hawk/layer": "report"},
    description=(
        "Mean scores of models at tasks, the newest 40, as a table and a plot in this asset's metadata.\n\n"
        "The numbers are those of `marts/agg_task_model`; bars are mean scores, whiskers one standard error."
    ),
)
def score_overview(settings: dg.ResourceParam[OrchestrationSettings]) -> dg.MaterializeResult[None]:
    """Draw the scores of the marts."""
    with connect(settings) as connection:
        rows = connection.execute(
            _SCORES, {"described": list(settings.dagster_described_groups), "most": MAX_BARS}
        ).fetchall()
    rows.sort(key=lambda row: (row["task_name"], row["model"]))
    bars = [ScoreBar(row["task_name"], row["model"], row["mean_score"], row["standard_error"] or 0.0) for row in rows]
    return dg.MaterializeResult(
        metadata={
            "scores": dg.MetadataValue.md(markdown_table([_shown(row) for row in rows]) or "No scores yet."),
            "plot": dg.MetadataValue.md(chart_markdown(bars)),
            "dagster/row_count": dg.MetadataValue.int(len(rows)),
        }
    )


def _shown(row: DictRow) -> dict[str, object]:
    return {
        "task": row["task_name"],
        "model": row["model"],
        "scorer": row["scorer"],
        "samples": row["sample_count"],
        "errors": row["error_count"],
        "mean score": _rounded(row["mean_score"]),
        "standard error": _rounded(row["standard_error"]),
        "tokens": row["total_tokens"],
    }


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
