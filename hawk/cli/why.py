"""`hawk why`: what one may do with something, and why."""

import click

from hawk.cli import output
from hawk.cli.arguments import JSON
from hawk.cli.output import Cell, Table


@click.command(epilog="Example: hawk why openai/gpt-4o-mini")
@click.argument("thing", metavar="EVAL_SET|SAMPLE|MODEL")
@JSON
def why(*, thing: str, as_json: bool) -> None:
    """Explain what you may do with an eval set (its id), a sample (its uuid) or a model (provider/model).

    What you may not see and what does not exist are answered alike. Exit code 0 if you may see it, else 3.
    """
    from hawk.cli.session import open_session
    from hawk.errors import NotAllowed

    answer = open_session().client.why(thing)
    if as_json:
        output.say_json(answer)
    else:
        verbs = ("see it", "change it") if answer.kind in ("eval_set", "sample") else ("see its results", "use it")
        rows = [(verb, _yes_or_no(may)) for verb, may in zip(verbs, (answer.may_view, answer.may_use), strict=True)]
        output.say(f"{answer.kind.replace('_', ' ')} {answer.thing}", *answer.reasons)
        if answer.kind != "unknown":
            output.say(Table(("you may", ""), rows))
        output.say(f"Groups that you hold: {', '.join(answer.held_groups) or 'none'}.")
        if answer.hint:
            output.say(answer.hint)
    if not answer.may_view:
        raise click.exceptions.Exit(NotAllowed.exit_code)


def _yes_or_no(may: bool) -> Cell:
    return Cell("yes", "green") if may else Cell("no", "red")
