"""Evals and samples of the marts, and the jobs behind eval sets: lists of them, and links that stay."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from psycopg.rows import DictRow
from pydantic import AwareDatetime

from hawk.api import listings
from hawk.api.eval_set_facts import EvalSetFacts, load_facts, status_of
from hawk.api.keyset import Page
from hawk.api.listing_contracts import (
    EvalListResponse,
    EvalResponse,
    JobListResponse,
    JobResponse,
    SampleLinkResponse,
    SampleListResponse,
    SampleResponse,
)
from hawk.api.query_parameters import Cursor, Limit, Text
from hawk.api.services import Caller, Services, ServicesHere
from hawk.errors import NotFound
from hawk.eval_sets import EvalSetRow, EvalSetState, Priority
from hawk.naming import viewer_eval_set_url, viewer_sample_url

router = APIRouter(tags=["results"])

Moment = Annotated[AwareDatetime | None, Query(description="With a time zone; rows from it on, or before it.")]
Score = Annotated[float | None, Query(allow_inf_nan=False)]
Id = Annotated[str, Path(min_length=1, max_length=300, pattern=r"^[^\x00]*$")]


@router.get("/evals")
def list_evals(
    services: ServicesHere,
    caller: Caller,
    eval_set_id: Text = None,
    task: Text = None,
    model: Text = None,
    status: Text = None,
    search: Annotated[Text, Query(description="Words of ids, task, model or error; all must be found.")] = None,
    made_from: Moment = None,
    made_until: Moment = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> EvalListResponse:
    """Return the newest evals that the caller may see, of the marts."""
    filters = {
        "eval_set_id": eval_set_id,
        "task": task,
        "model": model,
        "status": status,
        "search": search,
        "made_from": made_from,
        "made_until": made_until,
    }
    with services.database.reading_as(caller) as connection:
        page = listings.list_evals(connection, caller, filters, limit=limit, cursor=cursor)
    return EvalListResponse(evals=[_eval_of(row, services) for row in page.rows], **_of_page(page))


@router.get("/evals/{eval_id}")
def find_eval(eval_id: Id, services: ServicesHere, caller: Caller) -> EvalResponse:
    """Return one eval, and where it is. 404 also where the caller may not know of it."""
    with services.database.reading_as(caller) as connection:
        row = listings.find_eval(connection, caller, eval_id)
    if row is None:
        raise _no_such("eval", eval_id, field="eval_id")
    return _eval_of(row, services)


@router.get("/samples")
def list_samples(
    services: ServicesHere,
    caller: Caller,
    eval_set_id: Text = None,
    eval_id: Text = None,
    sample_id: Text = None,
    epoch: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    task: Text = None,
    model: Text = None,
    status: Text = None,
    score_min: Score = None,
    score_max: Score = None,
    search: Annotated[
        Text, Query(description="Words of ids, task, model, input, output or error; all must be found.")
    ] = None,
    ended_from: Moment = None,
    ended_until: Moment = None,
    replaced: Annotated[bool, Query(description="Also attempts that a later one replaced.")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> SampleListResponse:
    """Return the samples that the caller may see, last ended first, of the marts."""
    filters = {
        "eval_set_id": eval_set_id,
        "eval_id": eval_id,
        "sample_id": sample_id,
        "epoch": epoch,
        "task": task,
        "model": model,
        "status": status,
        "score_min": score_min,
        "score_max": score_max,
        "search": search,
        "ended_from": ended_from,
        "ended_until": ended_until,
    }
    with services.database.reading_as(caller) as connection:
        page = listings.list_samples(connection, caller, filters, replaced_too=replaced, limit=limit, cursor=cursor)
    return SampleListResponse(samples=[_sample_of(row, services) for row in page.rows], **_of_page(page))


@router.get("/samples/{sample_uuid}")
def find_sample(sample_uuid: Id, services: ServicesHere, caller: Caller) -> SampleLinkResponse:
    """Return where a sample is: its eval set, its eval, its log. 404 also where the caller may not know of it."""
    with services.database.reading_as(caller) as connection:
        row = listings.find_sample(connection, caller, sample_uuid)
        of_eval = listings.find_eval(connection, caller, row["eval_id"]) if row else None
    if row is None:
        raise _no_such("sample", sample_uuid, field="sample_uuid")
    sample = _sample_of(row, services)
    return SampleLinkResponse(**sample.model_dump(), log=of_eval["log"] if of_eval else None)


@router.get("/jobs")
def list_jobs(
    services: ServicesHere,
    caller: Caller,
    ended: Annotated[bool, Query(description="Also jobs that have ended.")] = False,
    mine: Annotated[bool, Query(description="Only jobs of sets that the caller made.")] = False,
    created_by: Text = None,
    status: Annotated[list[EvalSetState] | None, Query(description="As stored; any of these.")] = None,
    priority: Priority | None = None,
    search: Annotated[Text, Query(description="Words of the id, the name or the owner; all must be found.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> JobListResponse:
    """Return the newest jobs that the caller may see, each with its newest attempt."""
    filters = {"mine": mine, "created_by": created_by, "status": status, "priority": priority, "search": search}
    with services.database.reading_as(caller) as connection:
        page = listings.list_jobs(
            connection, caller, filters, ended_too=ended or bool(status), limit=limit, cursor=cursor
        )
        rows = [EvalSetRow.model_validate(row) for row in page.rows]
        facts = load_facts(connection, [row.eval_set_id for row in rows])
    now = datetime.now(UTC)
    jobs = [_job_of(row, facts[row.eval_set_id], services, now=now) for row in rows]
    return JobListResponse(jobs=jobs, **_of_page(page))


def _of_page(page: Page) -> dict[str, Any]:
    return {"total": page.total, "total_is_capped": page.total_is_capped, "next_cursor": page.next_cursor}


def _eval_of(row: DictRow, services: Services) -> EvalResponse:
    base = services.settings.viewer_url
    return EvalResponse(**row, viewer_url=viewer_eval_set_url(base, row["eval_set_id"]) if base else None)


def _sample_of(row: DictRow, services: Services) -> SampleResponse:
    base = services.settings.viewer_url
    url = viewer_sample_url(base, row["sample_uuid"], row["eval_id"]) if base else None
    return SampleResponse(**row, viewer_url=url)


def _job_of(row: EvalSetRow, facts: EvalSetFacts, services: Services, *, now: datetime) -> JobResponse:
    verdict = status_of(row, facts, now)
    newest = facts.attempts[-1] if facts.attempts else None
    return JobResponse(
        eval_set_id=row.eval_set_id,
        name=row.name,
        status=verdict.state,
        status_reason=verdict.reason,
        priority=row.priority,
        created_by=row.created_by,
        created_at=row.created_at,
        attempts=len(facts.attempts),
        phase=newest.phase if newest else None,
        exit_code=newest.exit_code if newest else None,
        message=newest.message if newest else "",
        started_at=newest.started_at if newest else None,
        ended_at=newest.ended_at if newest else None,
        dagster_run_url=services.dagster.run_url(row.dagster_run_id) if row.dagster_run_id else None,
    )


def _no_such(noun: str, name: str, *, field: str) -> NotFound:
    return NotFound(
        f"There is no {noun} {name!r} that you may see.",
        hint=f"List yours: hawk list {noun}s.",
        value=name,
        field=field,
    )
