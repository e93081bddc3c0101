"""`hawk logs`: what the runner of an eval set prints."""

from collections.abc import Sequence

import click

from hawk.cli import output
from hawk.cli.arguments import EVAL_SET_ID, JSON


@click.command(epilog="Example: hawk logs -f")
@EVAL_SET_ID
@click.option("-n", "--lines", default=100, show_default=True, type=click.IntRange(1, 10_000), help="Lines to show.")
@click.option("-f", "--follow", is_flag=True, help="Go on showing new lines until the set has ended.")
@JSON
def logs(*, eval_set_id: str | None, lines: int, follow: bool, as_json: bool) -> None:
    """Show the end of what the newest attempt of the runner printed.

    Lines come a few seconds late: they are collected, and kept when the job is gone. With -f and --json each line
    of the output is a JSON document. Without ID it is the set that was launched last.
    """
    from hawk.cli.session import open_session

    session = open_session()
    set_id = session.eval_set_id(eval_set_id)
    if follow:
        from hawk.cli.log_follow import follow_logs

        for event in follow_logs(session.client, set_id, lines=lines):
            if as_json:
                output.say_json_line({"status": event.status, "lines": event.lines})
            else:
                _say_lines(event.lines)
        return
    answer = session.client.eval_set_logs(set_id, lines=lines)
    if as_json:
        output.say_json(answer)
        return
    if not answer.text:
        output.note("The runner has printed nothing yet.")
    _say_lines(answer.text.splitlines())


def _say_lines(lines: Sequence[str]) -> None:
    if lines:
        output.say_raw(output.plain("\n".join(lines)) + "\n")
