"""Pages of a list, each begun beside a row of the page before it: a page costs the same however far down it is. Pure.

An order is columns, each by rising values, or by falling ones with `-` before its name; what is missing is last.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

CURSOR_PARAMETERS = ("page_after", "page_before")
DESCENDING = "-"
MAX_CURSOR_CHARACTERS = 4000
type Scalar = str | int | float | bool | datetime | None


@dataclass(frozen=True)
class Cursor:
    """A row, by its values of the order's columns, and on which side of it the page is."""

    values: tuple[Scalar, ...]
    is_before: bool = False

    @property
    def parameter(self) -> str:
        return CURSOR_PARAMETERS[self.is_before]

    @classmethod
    def of(cls, row: Mapping[str, Any], columns: Sequence[str], *, is_before: bool = False) -> "Cursor":
        """Return the place of a row that has the columns."""
        return cls(tuple(_scalar(row[name_of(column)]) for column in columns), is_before)

    @classmethod
    def read(cls, text: str, *, is_before: bool) -> "Cursor":
        """Return what `written` wrote. Raises ValueError."""
        try:
            if len(text) > MAX_CURSOR_CHARACTERS:
                raise ValueError(text)
            values = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
            if not isinstance(values, list):
                raise TypeError(text)
            return cls(tuple(_read(value) for value in values), is_before)
        except (ValueError, TypeError, KeyError, binascii.Error, RecursionError):
            raise ValueError("The place in the list cannot be read; this is its beginning.") from None

    def written(self) -> str:
        """Return it as a parameter of a URL."""
        packed = json.dumps([_packed(value) for value in self.values], separators=(",", ":"))
        return base64.urlsafe_b64encode(packed.encode()).rstrip(b"=").decode()


def name_of(column: str) -> str:
    """Return the column's name without its direction."""
    return column.removeprefix(DESCENDING)


def ordering(columns: Sequence[str], *, is_reversed: bool = False) -> str:
    """Return the ORDER BY clause."""
    parts = []
    for column in columns:
        falls = column.startswith(DESCENDING) != is_reversed
        parts.append(f"{name_of(column)} {'desc' if falls else 'asc'} nulls {'first' if is_reversed else 'last'}")
    return "order by " + ", ".join(parts)


def place_conditions(columns: Sequence[str], cursor: Cursor) -> tuple[list[str], dict[str, Any]]:
    """Return conditions that together hold for the rows on the cursor's side, no two for one row, and their values.

    Rows of the first are nearer than those of the second. Each is a range of the first column, so that an index of
    the order can find its beginning.
    """
    values = {f"place_{number}": value for number, value in enumerate(cursor.values)}
    first, missing = name_of(columns[0]), cursor.values[0] is None
    beside = _beside(columns, cursor)
    if cursor.is_before:
        if missing:
            return [f"{first} is null and ({beside})", f"{first} is not null"], values
        return [f"{first} {'>=' if columns[0].startswith(DESCENDING) else '<='} %(place_0)s and ({beside})"], values
    if missing:
        return [f"{first} is null and ({beside})"], values
    bound = f"{first} {'<=' if columns[0].startswith(DESCENDING) else '>='} %(place_0)s"
    return [f"{bound} and ({beside})", f"{first} is null"], values


def _beside(columns: Sequence[str], cursor: Cursor) -> str:
    """Return that a row is on the cursor's side: by the first column in which they differ."""
    ways = []
    for number, column in enumerate(columns):
        same = [f"{name_of(columns[one])} is not distinct from %(place_{one})s" for one in range(number)]
        way = _differs(column, number, cursor)
        if way:
            ways.append("(" + " and ".join([*same, way]) + ")")
    return " or ".join(ways) or "false"


def _differs(column: str, number: int, cursor: Cursor) -> str:
    name, missing = name_of(column), cursor.values[number] is None
    rises = column.startswith(DESCENDING) == cursor.is_before
    if missing:
        return f"{name} is not null" if cursor.is_before else ""
    way = f"{name} {'>' if rises else '<'} %(place_{number})s"
    return way if cursor.is_before else f"({way} or {name} is null)"


def _scalar(value: Any) -> Scalar:
    if isinstance(value, Decimal):
        return str(value)
    if value is None or isinstance(value, str | int | float | bool | datetime):
        return value
    raise TypeError(f"A list cannot be ordered by {type(value).__name__}.")


def _packed(value: Scalar) -> Any:
    return {"at": value.isoformat()} if isinstance(value, datetime) else value


def _read(value: Any) -> Scalar:
    if isinstance(value, dict):
        moment = datetime.fromisoformat(value["at"])
        if moment.tzinfo is None or len(value) != 1:
            raise ValueError(value)
        return moment
    if isinstance(value, str) and "\0" in value:
        raise ValueError(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(value)
