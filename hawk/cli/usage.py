"""`hawk usage`: what models were used for, what goes on now, and what may be spent."""

import time
from typing import TYPE_CHECKING, Any

import click

from hawk.cli import output
from hawk.cli.arguments import JSON
from hawk.cli.output import Table

if TYPE_CHECKING:
    from hawk.cli.client import HawkClient
    from hawk.model_registry.contracts import LiveUsageResponse

LIVE_SECONDS = 2.0


@click.group(invoke_without_command=True, epilog="Example: hawk usage --by eval_set --days 7")
@click.option("--by", type=click.Choice(("model", "day", "eval_set", "user")), default="model", show_default=True)
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="Today and the days before.")
@click.option("--eval-set", "eval_set_id", metavar="ID", help="Of one eval set only.")
@click.option("--live", is_flag=True, help="What goes on now, until Ctrl-C; once where no terminal shows it.")
@JSON
@click.pass_context
def usage(ctx: click.Context, *, by: str, days: int, eval_set_id: str | None, live: bool, as_json: bool) -> None:
    """Show tokens and cost of your model calls; administrators see everybody's.

    Calls of which no usage was reported count as missing and are charged what was reserved for them.
    """
    if ctx.invoked_subcommand is not None:
        return
    if live:
        _live(as_json=as_json)
        return
    from hawk.model_registry.contracts import UsageResponse

    query: dict[str, Any] = {"by": by, "days": days} | ({"eval_set_id": eval_set_id} if eval_set_id else {})
    answer = _client().ask(UsageResponse, "GET", "/usage", query=query)
    if as_json:
        output.say_json(answer)
        return
    columns = (by.replace("_", " "), "calls", "missing", "input", "cached", "output", "cost $", "charged $")
    rows = [
        (
            row.name or "(none)",
            row.call_count,
            row.missing_count or None,
            row.input_tokens + row.input_tokens_cache_write,
            row.input_tokens_cache_read,
            row.output_tokens,
            f"{row.cost_usd:.4f}",
            f"{row.charged_usd:.4f}",
        )
        for row in answer.rows
    ]
    output.say(Table(columns, rows))


@usage.command(epilog="Example: hawk usage limits")
@JSON
def limits(*, as_json: bool) -> None:
    """Show limits and budgets that concern you, and what providers last said of their own limits."""
    from hawk.model_registry.contracts import UsageLimitsResponse

    answer = _client().ask(UsageLimitsResponse, "GET", "/usage/limits")
    if as_json:
        output.say_json(answer)
        return
    output.say(
        Table(
            ("scope", "name", "at once", "requests/min", "tokens/min"),
            [
                (entry.scope, entry.name, entry.concurrency, entry.requests_per_minute, entry.tokens_per_minute)
                for entry in answer.limits
            ],
            title="Limits",
        ),
        Table(
            ("scope", "name", "period", "budget $", "spent $"),
            [
                (entry.scope, entry.name, entry.period, f"{entry.limit_usd:.2f}", f"{entry.spent_usd:.4f}")
                for entry in answer.budgets
            ],
            title="Budgets",
        ),
        Table(
            ("model", "at", "header", "value"),
            [
                (entry.model_name, entry.observed_at.strftime("%H:%M:%S"), name, str(value))
                for entry in answer.provider_limits
                for name, value in sorted(entry.headers.items())
            ],
            title="Providers' own limits",
        ),
    )


@usage.command(epilog="Example: hawk usage budget eval_set my-set-4k2v --usd 50")
@click.argument("scope", type=click.Choice(("eval_set", "user", "team")))
@click.argument("name")
@click.option("--usd", type=click.FloatRange(0), help="Most that may be spent.")
@click.option("--period", type=click.Choice(("total", "month", "day")), default="total", show_default=True)
@click.option("--remove", is_flag=True, help="Take the budget away.")
@JSON
def budget(*, scope: str, name: str, usd: float | None, period: str, remove: bool, as_json: bool) -> None:
    """Set what an eval set, user or team may spend (administrators); calls that could go over it are refused."""
    from hawk.errors import UserError
    from hawk.model_registry.contracts import BudgetResponse

    if (usd is None) != remove:
        raise UserError("Give either --usd or --remove.", hint="See hawk usage budget --help.")
    answer = _client().ask(
        BudgetResponse,
        "DELETE" if remove else "PUT",
        f"/admin/budgets/{scope}/{period}/{_path(name)}",
        body=None if remove else {"limit_usd": str(usd)},
    )
    if as_json:
        output.say_json(answer)
        return
    spent = f"; ${answer.spent_usd:.4f} are spent" if not remove else ""
    output.say(f"The budget of {scope} {name} is {'gone' if remove else f'${answer.limit_usd:.2f}'}{spent}.")


@usage.command(epilog="Example: hawk usage team red alice bob")
@click.argument("name")
@click.argument("members", nargs=-1)
@JSON
def team(*, name: str, members: tuple[str, ...], as_json: bool) -> None:
    """Say who belongs to the team NAME, in place of those who did; nobody: there is no such team any more."""
    from hawk.model_registry.contracts import TeamResponse

    body = {"members": list(members)}
    answer = _client().ask(TeamResponse, "PUT", f"/admin/teams/{_path(name)}", body=body)
    if as_json:
        output.say_json(answer)
        return
    output.say(f"{answer.team}: {', '.join(answer.members) or 'nobody'}")


def _live(*, as_json: bool) -> None:
    from hawk.model_registry.contracts import LiveUsageResponse

    client = _client()
    if as_json:
        output.say_json(client.ask(LiveUsageResponse, "GET", "/usage/live"))
        return
    with output.live_view() as view:
        while True:
            table = _live_table(client.ask(LiveUsageResponse, "GET", "/usage/live"))
            if not view.is_live:
                output.say(table)
                return
            view.show(table, summary="")
            time.sleep(LIVE_SECONDS)


def _live_table(answer: "LiveUsageResponse") -> Table:
    columns = ("model", "open", "calls/min", "tokens/min", "refused/min", "waits s")
    rows = [
        (
            model.model_name,
            model.open_calls,
            model.calls_last_minute,
            model.tokens_last_minute,
            model.refused_by_provider_last_minute or None,
            f"{model.waited_seconds:.2f}",
        )
        for model in answer.models
    ]
    return Table(columns, rows, title="Now")


def _client() -> "HawkClient":
    from hawk.cli.session import open_session

    return open_session().client


def _path(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="/")
