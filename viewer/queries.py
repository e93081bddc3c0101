"""What the lists and charts read from the marts; every query has a limit."""

from dataclasses import dataclass
from typing import Any

import psycopg

from hawk.errors import UserError
from hawk.listing.filters import PAGE_SIZE, Chosen, ListView, conditions, order_by
from hawk.listing.keyset import Cursor, ordering, place_conditions
from viewer import import_queries
from viewer.database import Row, fetch

MAX_OPTIONS = 1000

_COLUMNS = {
    "marts.dim_eval_set": """eval_set_id, name, status, created_by, models, tasks, eval_count, success_eval_count,
        sample_count, error_count, limit_count, total_tokens, total_cost_usd, created_at, last_activity_at""",
    "marts.fct_eval": """eval_id, eval_set_id, task_name, model, status, is_invalidated, headline_scorer, mean_score,
        standard_error, scored_count, sample_count, total_samples, error_count, limit_count, total_tokens,
        total_cost_usd, total_seconds, created_at, error_message""",
    "marts.fct_sample": """sample_uuid, eval_id, eval_set_id, task_name, model, sample_id, epoch, status, is_canonical,
        is_invalidated, attempt_number, attempt_count, headline_scorer, score, score_label,
        left(input_text, 300) as input_text, left(output_text, 300) as output_text, left(error_message, 300) as
        error_message, limit_type, limit_value, message_count, model_call_count, tool_call_count, input_tokens,
        output_tokens, reasoning_tokens, total_tokens, total_cost_usd, total_seconds, working_seconds, started_at,
        completed_at, task_version, left(target_text, 300) as target_text, retry_count""",
    import_queries.NEWEST_LOGS: import_queries.COLUMNS,
}


@dataclass(frozen=True)
class Page:
    """Some rows of a list, and the places of the pages beside it, where there are such."""

    rows: list[Row]
    before: Cursor | None = None
    after: Cursor | None = None


@dataclass(frozen=True)
class Total:
    """How many rows match; `is_more` where there are more than may be counted."""

    count: int
    is_more: bool

    def __str__(self) -> str:
        return f"{self.count:,}{'+' if self.is_more else ''}"


def page_of(view: ListView, chosen: Chosen) -> Page:
    """Return the chosen page of a list. Raises UserError where its place is none of this list."""
    columns = view.columns_of(chosen.sort)
    try:
        rows = _beside(view, chosen, limit=PAGE_SIZE + 1)
    except (psycopg.errors.DataError, psycopg.errors.UndefinedFunction) as error:
        raise UserError("The place in the list that this link has is none.", hint="Begin at its first page.") from error
    more, rows = len(rows) > PAGE_SIZE, rows[:PAGE_SIZE]
    is_before = chosen.cursor is not None and chosen.cursor.is_before
    if is_before:
        rows.reverse()
    if not rows:
        return Page([])
    has_before = more if is_before else chosen.cursor is not None
    has_after = is_before or more
    return Page(
        rows,
        before=Cursor.of(rows[0], columns, is_before=True) if has_before else None,
        after=Cursor.of(rows[-1], columns) if has_after else None,
    )


def all_of(view: ListView, chosen: Chosen, *, max_rows: int) -> list[Row]:
    """Return every row that matches, at most `max_rows`, in the chosen order."""
    where, values = conditions(view, chosen)
    query = f"select {_COLUMNS[view.relation]} from {view.relation} {where} {order_by(view, chosen)} limit %(limit)s"  # noqa: S608  # names of ours; values are parameters
    return fetch(query, {**values, "limit": max_rows})


def total_of(view: ListView, chosen: Chosen, *, max_rows: int) -> Total:
    """Return how many rows match, counted up to `max_rows`."""
    where, values = conditions(view, chosen)
    # S608 throughout: relations, columns and conditions are constants of this package; values are parameters.
    query = f"select count(*) as n from (select 1 from {view.relation} {where} limit %(limit)s) as matching"  # noqa: S608  # ours
    count = int(fetch(query, {**values, "limit": max_rows + 1})[0]["n"])
    return Total(min(count, max_rows), count > max_rows)


def options(relation: str, name: str) -> list[str]:
    """Return what a choice in a list of the relation can be of, by who knows it, at most a thousand."""
    source = _OPTION_SOURCES[relation, name]
    return [row["option"] for row in fetch(f"{source} order by 1 limit %(limit)s", {"limit": MAX_OPTIONS})]


def _distinct(relation: str, column: str) -> str:
    """Return a query of a column's values that looks each up in an index, if there is one, rather than at all rows."""
    return f"""with recursive found as (
            (select {column} as option from {relation} where {column} is not null order by 1 limit 1)
            union all
            select (select min({column}) from {relation} where {column} > found.option)
            from found where found.option is not null
        ) select option from found where option is not null"""  # noqa: S608  # names of ours


_EVAL_SET_IDS = "select eval_set_id as option from marts.dim_eval_set"
_TASKS = "select task_name as option from marts.dim_task"
_MODELS = "select model as option from marts.dim_model where eval_count > 0"
_OPTION_SOURCES = {
    **import_queries.OPTION_SOURCES,
    ("marts.dim_eval_set", "status"): "select distinct status as option from marts.dim_eval_set",
    ("marts.dim_eval_set", "created_by"): """select distinct created_by as option from marts.dim_eval_set
        where created_by is not null""",
    ("marts.dim_eval_set", "task"): _TASKS,
    ("marts.dim_eval_set", "model"): _MODELS,
    ("marts.fct_eval", "eval_set_id"): _EVAL_SET_IDS,
    ("marts.fct_eval", "task"): _TASKS,
    ("marts.fct_eval", "model"): _MODELS,
    ("marts.fct_eval", "status"): "select distinct status as option from marts.fct_eval",
    ("marts.fct_sample", "eval_set_id"): _EVAL_SET_IDS,
    ("marts.fct_sample", "task"): _TASKS,
    ("marts.fct_sample", "model"): _MODELS,
    ("marts.fct_sample", "status"): _distinct("marts.fct_sample", "status"),
    ("marts.fct_sample", "created_by"): """select distinct created_by as option from marts.dim_eval_set
        where created_by is not null""",
    ("marts.fct_sample", "limit_hit"): _distinct("marts.fct_sample", "limit_type"),
    ("marts.fct_sample", "tool"): _distinct("marts.fct_tool_call", "tool_name"),
    ("marts.fct_sample", "scorer"): """select distinct headline_scorer as option from marts.fct_eval
        where headline_scorer is not null""",
}


def mean_scores(view: ListView, chosen: Chosen, *, max_rows: int) -> list[Row]:
    """Return the mean score by task and model of the evals that match, by task and model.

    Without filters that is marts.agg_task_model; with some, or where that has evals that the person may not see and so
    is hidden from him, the same definition over the matching evals: canonical samples, epochs and runs of one sample
    first, then samples.
    """
    if not chosen.values and not fetch(_HIDDEN_MEAN_SCORES, {})[0]["are_some"]:
        return fetch(_ALL_MEAN_SCORES, {"limit": max_rows})
    where, values = conditions(view, chosen)
    return fetch(_SOME_MEAN_SCORES.format(where=where), {**values, "limit": max_rows})


_HIDDEN_MEAN_SCORES = """
    select exists (
        select 1 from marts.fct_eval as eval where not exists (
            select 1 from marts.agg_task_model as known
            where known.task_name = eval.task_name and known.model = eval.model
        )
    ) as are_some
"""

_ALL_MEAN_SCORES = """
    select task_name, model, scorer, scored_sample_count, mean_score, standard_error, error_count, limit_count
    from marts.agg_task_model
    where mean_score is not null
    order by task_name, model
    limit %(limit)s
"""

_SOME_MEAN_SCORES = """
    with evals as (
        select eval_id from marts.fct_eval {where} limit %(limit)s
    ),
    samples as (
        select sample.* from marts.fct_sample as sample inner join evals using (eval_id) where sample.is_canonical
    ),
    reduced_samples as (
        select task_name, model, sample_id, avg(score) filter (where not is_invalidated) as score,
            min(headline_scorer) as scorer, count(*) filter (where status = 'error') as error_count,
            count(*) filter (where limit_type is not null) as limit_count
        from samples
        group by task_name, model, sample_id
    )
    select task_name, model, min(scorer) as scorer, count(score) as scored_sample_count, avg(score) as mean_score,
        stddev_samp(score) / sqrt(count(score)) as standard_error, sum(error_count)::bigint as error_count,
        sum(limit_count)::bigint as limit_count
    from reduced_samples
    group by task_name, model
    having count(score) > 0
    order by task_name, model
    limit %(limit)s
"""


def eval_set(eval_set_id: str) -> Row | None:
    """Return one eval set with all that is known of it, or None; of one without logs that is what was asked for."""
    rows = fetch("select * from marts.dim_eval_set where eval_set_id = %(id)s limit 1", {"id": eval_set_id})
    return rows[0] if rows else None


def page_query(
    view: ListView, chosen: Chosen, *, visible: list[int] | None, limit: int, offset: int
) -> tuple[str, dict[str, Any]]:
    """Return the query of a page and its values.

    `visible` are the access sets that the person sees anyway: named, the planner can count their rows, and a person who
    sees few of a million finds them by an index. None for a relation whose rows have no access set.
    """
    where, values = conditions(view, chosen)
    if visible is not None:
        where = f"{where} and " if where else "where "
        where += "access_set_id = any(%(visible)s)"
        values["visible"] = visible
    query = f"""select {_COLUMNS[view.relation]} from {view.relation} {where} {order_by(view, chosen)}
        limit %(limit)s offset %(offset)s"""  # noqa: S608  # names of ours; values are parameters
    return query, {**values, "limit": limit, "offset": offset}


def _beside(view: ListView, chosen: Chosen, *, limit: int) -> list[Row]:
    """Return rows on the cursor's side of it, nearest first; without a cursor the list's first."""
    columns, cursor = view.columns_of(chosen.sort), chosen.cursor
    where, values = conditions(view, chosen)
    places = [""]
    if cursor is not None:
        texts, place_values = place_conditions(columns, cursor)
        values |= place_values
        places = [f"{'and' if where else 'where'} ({text})" for text in texts]
    order = ordering(columns, is_reversed=cursor is not None and cursor.is_before)
    part = f"select {_COLUMNS[view.relation]} from {view.relation} {where} {{place}} {order} limit %(limit)s"  # noqa: S608  # names of ours; values are parameters
    parts = " union all ".join(f"({part.format(place=place)})" for place in places)
    query = parts if len(places) == 1 else f"select * from ({parts}) as page {order} limit %(limit)s"  # noqa: S608  # ours
    return fetch(query, {**values, "limit": limit})
