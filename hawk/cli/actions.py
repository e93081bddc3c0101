"""`hawk stop`, `hawk retry`, `hawk delete`: what can be done to an eval set; a run of Dagster does it."""

from typing import TYPE_CHECKING

import click

from hawk.cli import output
from hawk.cli.arguments import EVAL_SET_ID, JSON, YES

if TYPE_CHECKING:
    from hawk.api.contracts import EvalSetActionResponse


@click.command(epilog="Example: hawk stop --error arithmetic-4k2v9q0d7x1m8c3z")
@EVAL_SET_ID
@click.option("--error", "as_errors", is_flag=True, help="Mark samples that run as errors, so that a retry runs them.")
@click.option("--sample", "sample_uuid", metavar="UUID", help="End only this sample; the set goes on.")
@JSON
def stop(*, eval_set_id: str | None, as_errors: bool, sample_uuid: str | None, as_json: bool) -> None:
    """End an eval set early; samples that run are scored as far as they came.

    Without ID it is the set that was launched last.
    """
    from hawk.cli.session import open_session

    session = open_session()
    action = "error" if as_errors else "score"
    set_id = session.eval_set_id(eval_set_id)
    answer = session.client.stop_eval_set(set_id, action=action, sample_uuid=sample_uuid)
    what = f"goes on without sample {sample_uuid}" if sample_uuid else "is being stopped"
    _say(answer, what, as_json=as_json)


@click.command(epilog="Example: hawk retry && hawk watch")
@EVAL_SET_ID
@JSON
def retry(*, eval_set_id: str | None, as_json: bool) -> None:
    """Run an eval set that has ended again, with its config as it was; samples that succeeded are kept.

    Without ID it is the set that was launched last. To give another config, launch its YAML file with its eval_set_id.
    """
    from hawk.cli.session import open_session

    session = open_session()
    set_id = session.eval_set_id(eval_set_id)
    answer = session.client.retry_eval_set(set_id)
    session.remember(set_id)
    _say(answer, "is being launched again", as_json=as_json)


@click.command(epilog="Example: hawk delete --yes arithmetic-4k2v9q0d7x1m8c3z")
@EVAL_SET_ID
@YES
@JSON
def delete(*, eval_set_id: str | None, yes: bool, as_json: bool) -> None:
    """End an eval set at once and remove what runs for it; its logs and results stay.

    Without ID it is the set that was launched last.
    """
    from hawk.cli.session import open_session
    from hawk.errors import UserError

    session = open_session()
    set_id = session.eval_set_id(eval_set_id)
    if not yes and not output.confirm(f"End {set_id} and remove what runs for it?"):
        raise UserError(f"{set_id} was not deleted.", hint="Answer y, or give --yes.")
    _say(session.client.delete_eval_set(set_id), "is being deleted", as_json=as_json)


def _say(answer: "EvalSetActionResponse", what: str, *, as_json: bool) -> None:
    for warning in answer.warnings:
        output.warn(warning)
    if as_json:
        output.say_json(answer)
        return
    output.say(f"{answer.eval_set_id} {what}.")
    if answer.dagster_run_url:
        output.note(f"Dagster: {answer.dagster_run_url}")
