"""`hawk stacktrace`: where the runner of an eval set is."""

import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from hawk.cli import output
from hawk.cli.arguments import EVAL_SET_ID, JSON

if TYPE_CHECKING:
    from hawk.api.contracts import StackTraceResponse
    from hawk.cli.client import HawkClient

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 120.0  # Dagster may start the run late; the runner itself answers within 20 s


@click.command(epilog="Example: hawk stacktrace arithmetic-4k2v9q0d7x1m8c3z")
@EVAL_SET_ID
@JSON
def stacktrace(*, eval_set_id: str | None, as_json: bool) -> None:
    """Show where each thread of an eval set's runner is, for a set that seems to hang; it goes on undisturbed.

    Without ID it is the set that was launched last.
    """
    from hawk.cli.session import open_session

    session = open_session()
    answer = _ask(session.client, session.eval_set_id(eval_set_id))
    if as_json:
        output.say_json(answer)
        return
    output.say_raw(output.plain(answer.text) + "\n")


def _ask(client: "HawkClient", eval_set_id: str) -> "StackTraceResponse":
    from hawk.api.contracts import EvalSetActionResponse, StackTraceResponse
    from hawk.errors import Upstream

    path = f"/eval_sets/{quote(eval_set_id, safe='')}/stacktrace"
    asked = client.ask(EvalSetActionResponse, "POST", path)
    page = asked.dagster_run_url or "Dagster's pages"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = client.ask(StackTraceResponse, "GET", path, query={"run_id": asked.dagster_run_id})
        if answer.state == "ready":
            return answer
        if answer.state == "failed":
            raise Upstream("The runner did not show its stack.", hint=f"{page} says why; hawk status may, too.")
        time.sleep(POLL_SECONDS)
    raise Upstream(f"No stack has come within {PATIENCE_SECONDS:.0f} s.", hint=f"Is Dagster busy? See {page}.")
