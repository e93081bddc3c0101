"""`hawk imports`: how far the logs of an eval set have come on their way into the warehouse, and trying again."""

import click

from hawk.cli import output
from hawk.cli.arguments import EVAL_SET_ID, JSON

_STYLES = {"imported": "green", "quarantined": "red", "dead_letter": "red", "pending": "cyan", "importing": "cyan"}
_STATES = ("pending", "importing", "imported", "skipped", "superseded", "quarantined", "dead_letter")


@click.group(name="imports", epilog="Example: hawk imports list --state quarantined")
def imports() -> None:
    """See how far an eval set's logs have come on their way into the warehouse, and try again."""


@imports.command(name="list", epilog="Example: hawk imports list --state quarantined")
@EVAL_SET_ID
@click.option(
    "--state",
    type=click.Choice(_STATES),
    help="Only logs in this state.",
)
@JSON
def list_(*, eval_set_id: str | None, state: str | None, as_json: bool) -> None:
    """List the logs of an eval set: how far each has come, and why it came no further.

    Without ID it is the set that was launched or imported last.
    """
    from hawk.cli.session import open_session

    session = open_session()
    answer = session.client.list_imports(session.eval_set_id(eval_set_id))
    answer.logs = [log for log in answer.logs if state in (None, log.state)]
    if as_json:
        output.say_json(answer)
        return
    if not answer.logs:
        output.note(f"{answer.eval_set_id} has no {state + ' ' if state else ''}log yet.")
        return
    output.say(
        output.Table(
            columns=("log", "state", "samples", "tries", "since (UTC)", "why"),
            rows=[
                (
                    log.log,
                    output.Cell("in the marts" if log.is_in_marts else log.state, _STYLES.get(log.state, "")),
                    log.sample_count,
                    log.attempts,
                    f"{log.state_changed_at:%Y-%m-%d %H:%M:%S}",
                    log.reason or log.damage,
                )
                for log in answer.logs
            ],
        )
    )


@imports.command(epilog="Example: hawk imports retry && hawk imports list")
@EVAL_SET_ID
@click.option("--log", "logs", multiple=True, metavar="NAME", help="Only this log, in whatever state it is.")
@click.option("--force", is_flag=True, help="All logs of the set, also those that are imported as they are.")
@JSON
def retry(*, eval_set_id: str | None, logs: tuple[str, ...], force: bool, as_json: bool) -> None:
    """Import logs of an eval set again: those that were set aside, or those that are named.

    Without ID it is the set that was launched or imported last.
    """
    from hawk.api.contracts import RetryImportsRequest
    from hawk.cli.session import open_session
    from hawk.errors import UserError

    if force and logs:
        raise UserError("--force is for all logs of the set.", hint="Give --log, or --force, not both.")
    session = open_session()
    set_id = session.eval_set_id(eval_set_id)
    answer = session.client.retry_imports(set_id, RetryImportsRequest(logs=list(logs), force=force))
    if as_json:
        output.say_json(answer)
        return
    noun = "log" if answer.reopened == 1 else "logs"
    output.say(f"{answer.reopened} {noun} of {answer.eval_set_id} will be imported again.")
