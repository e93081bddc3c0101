"""`hawk list`: eval sets, evals, samples and jobs that one may see, newest first."""

from typing import TYPE_CHECKING, Any

import click

from hawk.cli.arguments import EVAL_SET_ID, JSON
from hawk.cli.listed import AFTER, LIMIT, SEARCH, ask_pages, say_listed

if TYPE_CHECKING:
    from datetime import datetime

    from hawk.api.contracts import EvalSetResponse
    from hawk.api.listing_contracts import EvalResponse, JobResponse, SampleResponse
    from hawk.cli.output import Value

MINE = click.option("--mine", is_flag=True, help="Only of sets that you made.")
OF_ALL_SETS = click.option("--all", "of_all", is_flag=True, help="Of all eval sets, not of one.")
STATES = click.Choice(["claimed", "launched", "complete", "failed", "stopped", "deleted"])
STATUS = click.option("--status", type=STATES, multiple=True, help="Only with this state; may be given again.")


@click.group(name="list", epilog="Example: hawk list samples --status error")
def list_() -> None:
    """List what there is: eval sets, evals, samples, jobs."""


@list_.command(name="eval-sets", epilog="Example: hawk list eval-sets --mine --search arithmetic")
@LIMIT
@SEARCH
@MINE
@STATUS
@AFTER
@JSON
def eval_sets(*, limit: int, as_json: bool, **query: Any) -> None:
    """List the newest eval sets that you may see."""
    from hawk.api.contracts import EvalSetListResponse
    from hawk.cli.session import open_session

    page = ask_pages(open_session().client, EvalSetListResponse, "/eval_sets", "eval_sets", query, limit=limit)
    columns = ("id", "status", "owner", "made", "models", "evals", "samples")
    nothing = "There is no eval set that you may see. Launch one: hawk eval-set CONFIG."
    say_listed(page, page.eval_sets, columns, _eval_set_cells, nothing=nothing, as_json=as_json)


@list_.command(epilog="Example: hawk list evals --all --model openai/gpt-4o-mini --status error")
@EVAL_SET_ID
@OF_ALL_SETS
@click.option("--task", metavar="NAME", help="Only of this task.")
@click.option("--model", metavar="NAME", help="Only of this model.")
@click.option("--status", metavar="WORD", help="Only with this status: success, error, cancelled, started.")
@LIMIT
@SEARCH
@AFTER
@JSON
def evals(*, eval_set_id: str | None, of_all: bool, limit: int, as_json: bool, **query: Any) -> None:
    """List the evals of an eval set, or with --all the newest that you may see.

    Without ID it is the set that was launched last.
    """
    from hawk.api.listing_contracts import EvalListResponse
    from hawk.cli.session import open_session

    session = open_session()
    if not of_all:
        query["eval_set_id"] = session.eval_set_id(eval_set_id)
    page = ask_pages(session.client, EvalListResponse, "/evals", "evals", query, limit=limit)
    columns = ("eval", "task", "model", "status", "score", "± error", "samples", "errors", "made", "set")
    say_listed(page, page.evals, columns, _eval_cells, nothing=_NOTHING.format("eval"), as_json=as_json)


@list_.command(epilog="Example: hawk list samples --eval 4kXq9 --status error --limit 500 --json")
@EVAL_SET_ID
@OF_ALL_SETS
@click.option("--eval", "eval_id", metavar="ID", help="Only of this eval.")
@click.option("--task", metavar="NAME", help="Only of this task.")
@click.option("--model", metavar="NAME", help="Only of this model.")
@click.option("--sample", "sample_id", metavar="ID", help="Only this sample of the dataset, in all its epochs.")
@click.option("--epoch", type=click.IntRange(1, 2**31 - 1), help="Only of this epoch.")
@click.option("--status", metavar="WORD", help="Only with this status: success, error, cancelled, time_limit, ….")
@click.option("--score-min", type=float, metavar="NUMBER", help="Only with at least this score.")
@click.option("--score-max", type=float, metavar="NUMBER", help="Only with at most this score.")
@click.option("--replaced", is_flag=True, help="Also attempts that a later one replaced.")
@LIMIT
@SEARCH
@AFTER
@JSON
def samples(*, eval_set_id: str | None, of_all: bool, limit: int, as_json: bool, **query: Any) -> None:
    """List the samples of an eval set, last ended first, or with --all those that you may see.

    Without ID it is the set that was launched last.
    """
    from hawk.api.listing_contracts import SampleListResponse
    from hawk.cli.session import open_session

    session = open_session()
    if not of_all and (eval_set_id or not query["eval_id"]):
        query["eval_set_id"] = session.eval_set_id(eval_set_id)
    page = ask_pages(session.client, SampleListResponse, "/samples", "samples", query, limit=limit)
    columns = ("uuid", "task", "model", "sample", "epoch", "status", "score", "tokens", "seconds", "ended")
    say_listed(page, page.samples, columns, _sample_cells, nothing=_NOTHING.format("sample"), as_json=as_json)


@list_.command(epilog="Example: hawk list jobs --ended --mine")
@click.option("--ended", is_flag=True, help="Also jobs that have ended.")
@MINE
@STATUS
@click.option("--priority", type=click.Choice(["low", "medium", "high"]), help="Only of this priority.")
@LIMIT
@SEARCH
@AFTER
@JSON
def jobs(*, limit: int, as_json: bool, **query: Any) -> None:
    """List the jobs that run or wait, each with its newest attempt."""
    from hawk.api.listing_contracts import JobListResponse
    from hawk.cli.session import open_session

    page = ask_pages(open_session().client, JobListResponse, "/jobs", "jobs", query, limit=limit)
    columns = ("set", "status", "owner", "priority", "made", "attempts", "phase", "why")
    say_listed(page, page.jobs, columns, _job_cells, nothing="No job runs or waits.", as_json=as_json)


_NOTHING = "There is no {} that you may see with these filters; what has just ended takes some seconds to come here."


def _eval_set_cells(entry: "EvalSetResponse") -> "list[Value]":
    models = ", ".join(entry.model_names)
    made = _moment(entry.created_at)
    return [entry.eval_set_id, entry.status, entry.created_by, made, models, entry.eval_count, entry.sample_count]


def _eval_cells(entry: "EvalResponse") -> "list[Value]":
    return [
        entry.eval_id,
        entry.task_name,
        entry.model,
        entry.status,
        entry.mean_score,
        entry.standard_error,
        entry.sample_count,
        entry.error_count,
        _moment(entry.created_at),
        entry.eval_set_id,
    ]


def _sample_cells(entry: "SampleResponse") -> "list[Value]":
    return [
        entry.sample_uuid,
        entry.task_name,
        entry.model,
        entry.sample_id,
        entry.epoch,
        entry.status,
        entry.score if entry.score is not None else entry.score_label,
        entry.total_tokens,
        entry.total_seconds,
        _moment(entry.completed_at),
    ]


def _job_cells(entry: "JobResponse") -> "list[Value]":
    return [
        entry.eval_set_id,
        entry.status,
        entry.created_by,
        entry.priority,
        _moment(entry.created_at),
        entry.attempts,
        entry.phase.value if entry.phase else None,
        entry.status_reason or entry.message,
    ]


def _moment(moment: "datetime | None") -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
