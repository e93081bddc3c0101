"""Pages of a list, newest first, each begun where the last one ended: a page costs the same however far down it is.

The order is a moment, which may be missing and is last then, and keys that tell rows of one moment apart.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import DictRow

from hawk.errors import UserError

MAX_COUNT = 10_000
QUERY_SECONDS = 15
MAX_CURSOR_CHARACTERS = 2000


@dataclass(frozen=True)
class Listing:
    """A list of rows of one relation; all texts are SQL of ours. `columns` has the moment and the keys."""

    name: str
    relation: str
    columns: str
    moment: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Condition:
    """A part of WHERE, and the values of its parameters: what a caller sent is only ever one of those."""

    text: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """Some rows; `total` is counted up to 10,000, and only with the first page."""

    rows: list[DictRow]
    total: int | None = None
    total_is_capped: bool = False
    next_cursor: str | None = None


@dataclass(frozen=True)
class _Position:
    """The last row of a page."""

    moment: datetime | None
    keys: tuple[str, ...]


def page_of(
    connection: Connection[DictRow],
    listing: Listing,
    conditions: Sequence[Condition],
    *,
    limit: int,
    cursor: str | None = None,
) -> Page:
    """Return a page of the rows that meet all conditions. Raises UserError, also for a query that takes too long."""
    position = _position_of(listing, cursor) if cursor else None
    values = {name: value for condition in conditions for name, value in condition.values.items()}
    try:
        with connection.transaction():
            connection.execute(f"set local statement_timeout = '{QUERY_SECONDS}s'")
            rows = connection.execute(
                _query(listing, conditions, position), {**values, **_values_of(position), "limit": limit + 1}
            ).fetchall()
            total, is_capped = (None, False) if position else _count(connection, listing, conditions, values)
    except psycopg.errors.QueryCanceled as error:
        raise UserError(
            f"Finding these took more than {QUERY_SECONDS} seconds.", hint="Narrow it down with more filters."
        ) from error
    shown = rows[:limit]
    return Page(shown, total, is_capped, _cursor_after(listing, shown[-1]) if len(rows) > limit else None)


def _query(listing: Listing, conditions: Sequence[Condition], position: _Position | None) -> sql.Composed:
    if position is None:
        return _rows(listing, conditions)
    missing = Condition(f"{listing.moment} is null", {})
    keys = f"({', '.join(listing.keys)}) > ({', '.join(f'%(after_{number})s' for number in range(len(listing.keys)))})"
    if position.moment is None:
        return _rows(listing, [*conditions, missing, Condition(keys, {})])
    # Bounded by the moment alone, which an index can do; rows without one are another range of it.
    here = Condition(f"{listing.moment} <= %(moment)s and ({listing.moment} < %(moment)s or {keys})", {})
    return sql.SQL("select * from (({dated}) union all ({undated})) as page order by {order} limit %(limit)s").format(
        dated=_rows(listing, [*conditions, here]),
        undated=_rows(listing, [*conditions, missing]),
        order=sql.SQL(_order(listing)),
    )


def _rows(listing: Listing, conditions: Sequence[Condition]) -> sql.Composed:
    return sql.SQL("select {columns} from {relation} where {where} order by {order} limit %(limit)s").format(
        columns=sql.SQL(listing.columns),
        relation=sql.SQL(listing.relation),
        where=_where(conditions),
        order=sql.SQL(_order(listing)),
    )


def _count(
    connection: Connection[DictRow], listing: Listing, conditions: Sequence[Condition], values: Mapping[str, Any]
) -> tuple[int, bool]:
    query = sql.SQL("select count(*) as number from (select from {relation} where {where} limit %(most)s) as found")
    found = connection.execute(
        query.format(relation=sql.SQL(listing.relation), where=_where(conditions)), {**values, "most": MAX_COUNT + 1}
    ).fetchone()
    number = int(found["number"]) if found else 0
    return min(number, MAX_COUNT), number > MAX_COUNT


def _where(conditions: Sequence[Condition]) -> sql.Composed:
    return sql.SQL(" and ").join(sql.SQL(f"({condition.text})") for condition in conditions)


def _order(listing: Listing) -> str:
    return f"{listing.moment} desc nulls last, {', '.join(listing.keys)}"


def _values_of(position: _Position | None) -> dict[str, Any]:
    if position is None:
        return {}
    keys = {f"after_{number}": key for number, key in enumerate(position.keys)}
    return {**keys, "moment": position.moment}


def _cursor_after(listing: Listing, row: DictRow) -> str:
    moment = row[listing.moment]
    parts = [listing.name, moment.isoformat() if moment else None, *(row[key] for key in listing.keys)]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()


def _position_of(listing: Listing, cursor: str) -> _Position:
    try:
        if len(cursor) > MAX_CURSOR_CHARACTERS:
            raise ValueError("too long")
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        name, moment, *keys = parts
        if name != listing.name or len(keys) != len(listing.keys) or not all(map(_is_key, keys)):
            raise ValueError("of another list")
        parsed = None if moment is None else datetime.fromisoformat(moment)
        if parsed is not None and parsed.tzinfo is None:
            raise ValueError("no time zone")
        return _Position(parsed, tuple(keys))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise UserError(
            "The cursor is not one of this list.",
            hint="Take `next_cursor` of the page before, with the same filters; or begin anew without it.",
            field="cursor",
        ) from error


def _is_key(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value and value.isprintable()
