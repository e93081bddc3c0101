"""The lists of eval sets, evals, samples and jobs: which rows a caller may see, and what they can be narrowed by.

Every function takes a connection and asks nothing else, so that it works as well under a role of the caller's own.
"""

from collections.abc import Mapping
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.api.keyset import Condition, Listing, Page, page_of
from hawk.auth import Principal
from hawk.eval_sets import ACTIVE_STATES
from hawk.permissions import may_view

MAX_WORDS = 8

EVAL_SETS = Listing("eval_sets", "ops.eval_set", "*", "created_at", ("eval_set_id",))
JOBS = Listing("jobs", "ops.eval_set", "*", "created_at", ("eval_set_id",))
EVALS = Listing(
    "evals",
    "marts.fct_eval",
    """eval_id, eval_set_id, task_name, model, solver, status, created_by, sample_count, total_samples, error_count,
       limit_count, headline_scorer, mean_score, standard_error, total_tokens, total_cost_usd, total_seconds,
       left(error_message, 500) as error_message, regexp_replace(location, '^.*/', '') as log, created_at,
       completed_at""",
    "created_at",
    ("eval_id",),
)
SAMPLES = Listing(
    "samples",
    "marts.fct_sample",
    """sample_uuid, eval_id, eval_set_id, task_name, model, sample_id, epoch, status, is_canonical, is_invalidated,
       attempt_number, attempt_count, headline_scorer, score, score_label, left(error_message, 500) as error_message,
       message_count, total_tokens, total_cost_usd, total_seconds, completed_at""",
    "completed_at",
    ("eval_id", "sample_uuid"),
)

# What a filter that is given means; the parameter has the filter's name.
_FILTERS: Mapping[str, Mapping[str, str]] = {
    "eval_sets": {
        "created_by": "created_by = %(created_by)s",
        "status": "status = any(%(status)s)",
    },
    "jobs": {
        "created_by": "created_by = %(created_by)s",
        "status": "status = any(%(status)s)",
        "priority": "priority = %(priority)s",
    },
    "evals": {
        "eval_set_id": "eval_set_id = %(eval_set_id)s",
        "eval_id": "eval_id = %(eval_id)s",
        "task": "task_name = %(task)s",
        "model": "model = %(model)s",
        "status": "status = %(status)s",
        "made_from": "created_at >= %(made_from)s",
        "made_until": "created_at < %(made_until)s",
    },
    "samples": {
        "eval_set_id": "eval_set_id = %(eval_set_id)s",
        "eval_id": "eval_id = %(eval_id)s",
        "sample_uuid": "sample_uuid = %(sample_uuid)s",
        "sample_id": "sample_id = %(sample_id)s",
        "epoch": "epoch = %(epoch)s",
        "task": "task_name = %(task)s",
        "model": "model = %(model)s",
        "status": "status = %(status)s",
        "score_min": "score >= %(score_min)s",
        "score_max": "score <= %(score_max)s",
        "ended_from": "completed_at >= %(ended_from)s",
        "ended_until": "completed_at < %(ended_until)s",
    },
}
_SEARCHED: Mapping[str, tuple[str, ...]] = {
    "eval_sets": ("eval_set_id", "name", "created_by", "email"),
    "jobs": ("eval_set_id", "name", "created_by", "email"),
    "evals": ("eval_id", "eval_set_id", "task_name", "model", "error_message"),
    "samples": ("sample_id", "task_name", "model", "eval_set_id", "input_text", "output_text", "error_message"),
}


def list_eval_sets(
    connection: Connection[DictRow], caller: Principal, filters: Mapping[str, Any], *, limit: int, cursor: str | None
) -> Page:
    """Return rows of ops.eval_set."""
    conditions = [_visible_sets(connection, caller), *_conditions(EVAL_SETS, caller, filters)]
    return page_of(connection, EVAL_SETS, conditions, limit=limit, cursor=cursor)


def list_jobs(
    connection: Connection[DictRow],
    caller: Principal,
    filters: Mapping[str, Any],
    *,
    ended_too: bool,
    limit: int,
    cursor: str | None,
) -> Page:
    """Return rows of ops.eval_set that were launched here; unless `ended_too`, only those that have not ended."""
    conditions = [_visible_sets(connection, caller), Condition("config is not null", {})]
    if not ended_too:
        conditions.append(Condition("status = any(%(active)s)", {"active": sorted(ACTIVE_STATES)}))
    conditions += _conditions(JOBS, caller, filters)
    return page_of(connection, JOBS, conditions, limit=limit, cursor=cursor)


def list_evals(
    connection: Connection[DictRow], caller: Principal, filters: Mapping[str, Any], *, limit: int, cursor: str | None
) -> Page:
    """Return rows of marts.fct_eval; none while the marts were never built."""
    return _list_results(connection, EVALS, caller, filters, limit=limit, cursor=cursor)


def list_samples(
    connection: Connection[DictRow],
    caller: Principal,
    filters: Mapping[str, Any],
    *,
    replaced_too: bool = False,
    limit: int,
    cursor: str | None,
) -> Page:
    """Return rows of marts.fct_sample; unless `replaced_too`, without attempts that a later one replaced."""
    more = [] if replaced_too else [Condition("is_canonical", {})]
    return _list_results(connection, SAMPLES, caller, filters, *more, limit=limit, cursor=cursor)


def find_eval(connection: Connection[DictRow], caller: Principal, eval_id: str) -> DictRow | None:
    """Return the eval's row, or None where there is none that the caller may see."""
    rows = list_evals(connection, caller, {"eval_id": eval_id}, limit=1, cursor=None).rows
    return rows[0] if rows else None


def find_sample(connection: Connection[DictRow], caller: Principal, sample_uuid: str) -> DictRow | None:
    """Return the newest row of a sample that counts, else the newest there is, or None; as `find_eval`."""
    filters = {"sample_uuid": sample_uuid}
    rows = list_samples(connection, caller, filters, replaced_too=True, limit=100, cursor=None).rows
    return next((row for row in rows if row["is_canonical"]), rows[0] if rows else None)


def _list_results(
    connection: Connection[DictRow],
    listing: Listing,
    caller: Principal,
    filters: Mapping[str, Any],
    *more: Condition,
    limit: int,
    cursor: str | None,
) -> Page:
    there = connection.execute("select to_regclass(%s) is not null as there", [listing.relation]).fetchone()
    if there is None or not there["there"]:  # dbt has not run yet
        return Page([], total=0)
    sets = _visible_sets(connection, caller)
    visible = f"eval_set_id in (select eval_set_id from ops.eval_set where {sets.text})"  # noqa: S608  # a text of ours
    conditions = [Condition(visible, sets.values), *more, *_conditions(listing, caller, filters)]
    return page_of(connection, listing, conditions, limit=limit, cursor=cursor)


def _visible_sets(connection: Connection[DictRow], caller: Principal) -> Condition:
    """Return the one rule by which a set is seen: the caller holds all its groups, and it has some."""
    known = connection.execute("select distinct unnest(model_groups) as model_group from ops.eval_set").fetchall()
    groups = [row["model_group"] for row in known if may_view(caller, [row["model_group"]])]
    return Condition("model_groups <@ %(groups)s::text[] and model_groups <> '{}'", {"groups": groups})


def _conditions(listing: Listing, caller: Principal, filters: Mapping[str, Any]) -> list[Condition]:
    given = {name: value for name, value in filters.items() if value not in (None, "", [])}
    conditions = [_search(listing, given.pop("search"))] if "search" in given else []
    if given.pop("mine", False):
        conditions.append(Condition("created_by = %(subject)s", {"subject": caller.subject}))
    texts = _FILTERS[listing.name]
    return [*conditions, *(Condition(texts[name], {name: value}) for name, value in given.items())]


def _search(listing: Listing, text: str) -> Condition:
    """Return a condition that each word is found in some column, ignoring case."""
    words = text.split()[:MAX_WORDS]
    each = [
        "(" + " or ".join(f"{column} ilike %(word_{number})s" for column in _SEARCHED[listing.name]) + ")"
        for number in range(len(words))
    ]
    values = {f"word_{number}": f"%{_escaped(word)}%" for number, word in enumerate(words)}
    return Condition(" and ".join(each) or "true", values)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
