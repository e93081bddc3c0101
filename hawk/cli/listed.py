"""Pages of a list, as many as are asked for, and what is said below them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from hawk.cli import output
from hawk.cli.output import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hawk.api.contracts import PageResponse
    from hawk.cli.client import HawkClient

PAGE_ROWS = 500  # most that the API gives at once
MAX_ROWS = 10_000

LIMIT = click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, MAX_ROWS), help="Most rows shown."
)
SEARCH = click.option("--search", metavar="WORDS", help="Only rows with all of these words; see the columns.")
AFTER = click.option("--after", "cursor", metavar="CURSOR", help="Go on after a list that ended there.")


def ask_pages[PageT: "PageResponse"](
    client: "HawkClient", answer: type[PageT], path: str, noun: str, query: Mapping[str, Any], *, limit: int
) -> PageT:
    """Return at most `limit` rows as one answer, of as many pages as that takes; `noun` is the field that has them."""
    asked = {name: value for name, value in query.items() if value not in (None, "", (), False)}
    first: PageT | None = None
    while True:
        so_far = len(getattr(first, noun)) if first is not None else 0
        page = client.ask(answer, "GET", path, query={**asked, "limit": min(PAGE_ROWS, limit - so_far)})
        if first is None:
            first = page
        else:
            getattr(first, noun).extend(getattr(page, noun))
            first.next_cursor = page.next_cursor
        if page.next_cursor is None or len(getattr(first, noun)) >= limit:
            return first
        asked["cursor"] = page.next_cursor


def say_listed[RowT](
    page: "PageResponse",
    rows: "Sequence[RowT]",
    columns: "Sequence[str]",
    cells: "Callable[[RowT], Sequence[output.Value]]",
    *,
    nothing: str,
    as_json: bool,
) -> None:
    """Print the rows as a table, and below it how many there are; or all of it as JSON."""
    if as_json:
        output.say_json(page)
        return
    if not rows:
        output.note(nothing)
        return
    output.say(Table(columns, [cells(row) for row in rows]))
    if page.next_cursor is None:
        return
    of = f" of {page.total:,}{'+' if page.total_is_capped else ''}" if page.total is not None else ""
    output.note(f"{len(rows):,}{of} shown. More: --limit NUMBER, or --after {page.next_cursor}")
