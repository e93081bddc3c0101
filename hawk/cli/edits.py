"""`hawk edit-samples` and `hawk edits`: changing scores and samples in logs, with their history kept."""

import time
from typing import TYPE_CHECKING, Any

import click

from hawk.cli import output
from hawk.cli.arguments import JSON

if TYPE_CHECKING:
    from hawk.api.edit_contracts import EditResponse
    from hawk.cli.client import HawkClient

POLL_SECONDS = 1.0
ENDED = frozenset({"rejected", "applied", "partly_applied", "failed"})
_STYLES = {"applied": "green", "failed": "red", "rejected": "red", "partly_applied": "yellow"}
_ID = click.argument("edit_request_id", metavar="ID")


@click.command(epilog="Example: hawk edit-samples edits.jsonl")
@click.argument("file", metavar="FILE", type=click.File("r", encoding="utf-8"))
@click.option("--no-wait", is_flag=True, help="Only ask for the edits; `hawk edits show ID` follows them.")
@JSON
def edit_samples(*, file: Any, no_wait: bool, as_json: bool) -> None:
    """Edit samples in their logs: scores, invalid samples, notes. FILE is JSON, or JSON Lines; `-` reads stdin.

    Edits of one log are all made or none. What was there before stays in the log, with who changed it and why.
    """
    from hawk.api.edit_contracts import EditResponse
    from hawk.cli.session import open_session

    body = {"edits": parse_edits(file.read(), name=file.name)}
    client = open_session().client
    answer = client.ask(EditResponse, "POST", "/edits", body=body)
    for warning in answer.warnings:
        output.warn(warning)
    if answer.state == "waiting_for_approval":
        output.note(f"A second person has to approve: hawk edits approve {answer.edit_request_id}")
    elif not no_wait:
        answer = _await_end(client, answer)
    _say(answer, as_json=as_json)


@click.group(epilog="Example: hawk edits list")
def edits() -> None:
    """Follow edits of samples, and approve those of others."""


@edits.command(name="list", epilog="Example: hawk edits list --waiting")
@click.option("--waiting", is_flag=True, help="Those of others that wait for your approval.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Most requests.")
@JSON
def list_(*, waiting: bool, limit: int, as_json: bool) -> None:
    """List your newest requests to edit."""
    from hawk.api.edit_contracts import EditListResponse
    from hawk.cli.session import open_session

    query = {"waiting": str(waiting).lower(), "limit": limit}
    answer = open_session().client.ask(EditListResponse, "GET", "/edits", query=query)
    if as_json:
        output.say_json(answer)
        return
    rows = [
        (
            edit.edit_request_id,
            output.Cell(edit.state, _STYLES.get(edit.state, "")),
            edit.edit_count,
            edit.log_count,
            edit.created_by,
            f"{edit.created_at:%Y-%m-%d %H:%M:%S}",
        )
        for edit in answer.edits
    ]
    output.say(output.Table(columns=("id", "state", "edits", "logs", "by", "since (UTC)"), rows=rows))


@edits.command(epilog="Example: hawk edits show edit-4k2v9q0d7x1m8c3z")
@_ID
@JSON
def show(*, edit_request_id: str, as_json: bool) -> None:
    """Show what came of each log of a request."""
    _say(_ask("GET", edit_request_id), as_json=as_json)


@edits.command(epilog="Example: hawk edits approve edit-4k2v9q0d7x1m8c3z")
@_ID
@click.option("--reason", default="", help="Kept with the request.")
@JSON
def approve(*, edit_request_id: str, reason: str, as_json: bool) -> None:
    """Agree to another's edits, which are then made."""
    _say(_ask("POST", edit_request_id, "/approve", {"reason": reason}), as_json=as_json)


@edits.command(epilog="Example: hawk edits reject edit-4k2v9q0d7x1m8c3z --reason 'Ask the grader first.'")
@_ID
@click.option("--reason", default="", help="Kept with the request.")
@JSON
def reject(*, edit_request_id: str, reason: str, as_json: bool) -> None:
    """Refuse another's edits."""
    _say(_ask("POST", edit_request_id, "/reject", {"reason": reason}), as_json=as_json)


def parse_edits(text: str, *, name: str) -> list[Any]:
    """Return the edits of a file: a list, {"edits": [...]}, or a document a line. Raises UserError with the line."""
    import json

    from hawk.errors import UserError

    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if isinstance(whole, list):
        return whole
    if isinstance(whole, dict):
        found = whole.get("edits", [whole])
        if isinstance(found, list):
            return found
    edits = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            edits.append(json.loads(line))
        except ValueError as error:
            hint = "Write a JSON list, or one edit a line."
            raise UserError(f"{name}:{number}: this is no JSON: {error}.", hint=hint, value=line[:100]) from error
    if not edits:
        raise UserError(f"{name} has no edits.", hint="Write a JSON list, or one edit a line.", value=name)
    return edits


def _ask(method: str, edit_request_id: str, action: str = "", body: dict[str, Any] | None = None) -> "EditResponse":
    from urllib.parse import quote

    from hawk.api.edit_contracts import EditResponse
    from hawk.cli.session import open_session

    path = f"/edits/{quote(edit_request_id, safe='')}{action}"
    return open_session().client.ask(EditResponse, method, path, body=body)


def _await_end(client: "HawkClient", answer: "EditResponse") -> "EditResponse":
    from hawk.api.edit_contracts import EditResponse

    output.note(
        f"{answer.edit_request_id}: {answer.edit_count} edits of {answer.log_count} logs. Ctrl-C ends the waiting only."
    )
    while answer.state not in ENDED:
        time.sleep(POLL_SECONDS)
        answer = client.ask(EditResponse, "GET", f"/edits/{answer.edit_request_id}")
    return answer


def _say(answer: "EditResponse", *, as_json: bool) -> None:
    from hawk.errors import Conflict

    if as_json:
        output.say_json(answer)
    else:
        rows = [
            (
                log.eval_set_id,
                log.log,
                log.edit_count,
                output.Cell(log.state, _STYLES.get(log.state, "")),
                log.metrics,
                log.reason or log.metrics_reason,
            )
            for log in answer.logs
        ]
        columns = ("eval set", "log", "edits", "state", "metrics", "why")
        output.say(f"{answer.edit_request_id}: {answer.state}", output.Table(columns=columns, rows=rows))
    failed = [log for log in answer.logs if log.state == "failed"]
    if failed:
        raise Conflict(f"{len(failed)} of {answer.log_count} logs were not edited; they are as they were.")
