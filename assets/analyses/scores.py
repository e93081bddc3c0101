"""Scores of the marts as frames for analyses: only of eval sets that everybody who sees Dagster may know of."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pandas as pd
from psycopg import Connection
from psycopg.rows import DictRow

# One place that says whose evals count: metadata of assets is read by everybody who sees Dagster.
DESCRIBED_EVALS = """
described as materialized (
    select evals.eval_id, evals.import_id
    from marts.fct_eval as evals
    inner join ops.eval_set as eval_set using (eval_set_id)
    where eval_set.model_groups <> '{}' and eval_set.model_groups <@ %(groups)s::text[]
        -- A log may have called models that its set does not name.
        and not exists (
            select 1
            from (
                select evals.model
                union all select usage.model from raw.eval_model_usage as usage where usage.import_id = evals.import_id
                union all select role.model from raw.eval_model_role as role where role.import_id = evals.import_id
            ) as called
            left join ops.model_group as registered on registered.model_name = called.model
            where called.model not in ('', 'none', 'none/none')
                and not coalesce(registered.model_group = any(%(groups)s::text[]), false)
        )
)
"""

# The same rows that marts.agg_task_model counts: the task's headline scorer, of canonical attempts.
COUNTED_SCORES = """
counted as (
    select scores.*
    from marts.fct_score as scores
    inner join described using (eval_id)
    inner join marts.dim_task as tasks
        on tasks.task_name = scores.task_name and tasks.headline_scorer = scores.scorer
    where scores.is_canonical and not scores.is_invalidated and not scores.is_intermediate and scores.number is not null
)
"""

_SAMPLES = f"""
with {DESCRIBED_EVALS}, {COUNTED_SCORES}
select
    task_name as task, model, sample_id, count(*) as epochs, avg(number) as score,
    count(*) filter (where number >= 1) as passed, max(number) - min(number) as spread
from counted
group by task_name, model, sample_id
order by task_name, model, sample_id
"""  # noqa: S608  # texts of ours

_USES = f"""
with {DESCRIBED_EVALS}
select
    samples.task_name as task, samples.model,
    case when count(*) = count(total_cost_usd) then avg(total_cost_usd) end::float8 as cost_usd,
    avg(total_tokens)::float8 as tokens
from marts.fct_sample as samples
inner join described using (eval_id)
where samples.is_canonical and not samples.is_invalidated
group by samples.task_name, samples.model
order by samples.task_name, samples.model
"""  # noqa: S608  # texts of ours


def sample_scores(connection: Connection[DictRow], groups: tuple[str, ...]) -> pd.DataFrame:
    """Return one row per task, model and sample: epochs, their mean score, how many passed (>= 1), their spread."""
    return read_frame(connection, _SAMPLES, {"groups": list(groups)}, texts=("task", "model", "sample_id"))


def sample_uses(connection: Connection[DictRow], groups: tuple[str, ...]) -> pd.DataFrame:
    """Return one row per task and model: mean cost (missing where one sample's is not known) and tokens of a sample."""
    return read_frame(connection, _USES, {"groups": list(groups)}, texts=("task", "model"))


def read_frame(
    connection: Connection[DictRow], query: str, values: Mapping[str, Any], *, texts: tuple[str, ...]
) -> pd.DataFrame:
    """Return a query's rows, by COPY: a million take seconds, and no Python object each. `texts` stay as they are."""
    buffer = BytesIO()
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy ({query}) to stdout (format csv, header)".encode(), values) as rows,
    ):
        for part in rows:
            buffer.write(part)
    buffer.seek(0)
    # An empty unquoted field is null in a number, and never one in a text: names such as NA are names.
    return pd.read_csv(
        buffer, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=_numbers_only(buffer, texts)
    )


def _numbers_only(buffer: BytesIO, texts: tuple[str, ...]) -> dict[str, list[str]]:
    header = buffer.readline().decode().strip().split(",")
    buffer.seek(0)
    return {name: [""] for name in header if name not in texts}
