"""`hawk audit`: what was done and denied, for administrators."""

from datetime import datetime

import click

from hawk.cli import output
from hawk.cli.arguments import JSON
from hawk.cli.output import Table

_COLUMNS = ("when", "who", "what", "", "of", "from", "request")


@click.command(epilog="Example: hawk audit --outcome denied --subject alice --limit 20")
@click.option("--subject", help="Only what this person or job did.")
@click.option("--action", help="Only this: eval_set.launch, eval_set.stop, log.download, credentials.grant, ….")
@click.option("--outcome", type=click.Choice(["allowed", "denied"]), help="Only what was allowed, or denied.")
@click.option("--object", "object_id", metavar="ID", help="Only what was done to this.")
@click.option("--request", "request_id", metavar="ID", help="Only the request of this id.")
@click.option("--since", type=click.DateTime(), help="Only from this moment on, in UTC.")
@click.option("--before", type=int, metavar="NUMBER", help="Go on after a page that ended there.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 500), help="Most rows shown.")
@JSON
def audit(*, limit: int, since: datetime | None, as_json: bool, **filters: str | int | None) -> None:
    """Show what was done and denied, newest first; for administrators."""
    from datetime import UTC

    from hawk.cli.session import open_session

    moment = since.replace(tzinfo=UTC).isoformat() if since else None
    answer = open_session().client.list_audit(limit=limit, since=moment, **filters)
    if as_json:
        output.say_json(answer)
        return
    rows = [
        (
            f"{entry.occurred_at:%Y-%m-%d %H:%M:%S}",
            entry.subject,
            entry.action if entry.action != "request" else f"{entry.detail.get('method')} {entry.detail.get('path')}",
            entry.outcome,
            entry.object_id,
            entry.client_address,
            entry.request_id,
        )
        for entry in answer.entries
    ]
    output.say(Table(_COLUMNS, rows))
    if answer.next_before:
        output.note(f"More: hawk audit --before {answer.next_before}")
