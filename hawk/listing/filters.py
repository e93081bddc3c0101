"""What a list can be narrowed by: the names in the URL, how their values are read, and the SQL they mean. Pure.

The URL is the only state of a list, so that every view is a link. Values reach SQL as parameters only; the text of a
condition is a constant of this file.
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from hawk.listing.keyset import CURSOR_PARAMETERS, DESCENDING, Cursor, ordering

MAX_TEXT = 200
MAX_CHOICES = 100
MAX_TERMS = 8
PAGE_SIZE = 100
DIRECTIONS = ("asc", "desc")


class Kind(StrEnum):
    """How the values of a filter are read."""

    TEXT = "text"
    CHOICES = "choices"
    NUMBER = "number"
    INTEGER = "integer"
    COUNT = "count"
    DATE = "date"
    FLAG = "flag"


@dataclass(frozen=True)
class Filter:
    """One thing to narrow a list by. In `condition`, `{name}` stands for the parameter.

    Text filters with `searched` columns demand that each term is found in some of them, ignoring case. A flag that
    `widens` the list has a condition that holds as long as it is not set; that of another holds once it is set.
    """

    name: str
    label: str
    kind: Kind
    condition: str = ""
    searched: tuple[str, ...] = ()
    help: str = ""
    widens: bool = False


@dataclass(frozen=True)
class Sort:
    """An order of a list: columns, each by falling values where `-` is before it; what is missing is last."""

    name: str
    label: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class ListView:
    """A list of rows of one relation, and all that its URL can say; `name` is that of the page that shows it.

    Every order ends with `key`, so that no two rows are equal. `sortable` columns are orders of their own, both ways:
    `score.asc` and `score.desc`.
    """

    name: str
    relation: str
    filters: tuple[Filter, ...]
    sorts: tuple[Sort, ...]
    key: tuple[str, ...]
    sortable: tuple[str, ...] = ()

    def columns_of(self, sort: str) -> tuple[str, ...]:
        """Return the columns of an order that `read` has let pass; without one, of the first."""
        column, _, direction = sort.rpartition(".")
        if column in self.sortable:
            return (DESCENDING + column if direction == "desc" else column, *self.key)
        chosen = next((each for each in self.sorts if each.name == sort), self.sorts[0])
        return (*chosen.columns, *self.key)

    def filter(self, name: str) -> Filter:
        """Return the filter of that name."""
        return next(each for each in self.filters if each.name == name)


@dataclass(frozen=True)
class Chosen:
    """What a URL asks for: values by filter name, the order, and the row after or before which the page is.

    `problems` says what of the URL could not be used.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    sort: str = ""
    cursor: Cursor | None = None
    problems: tuple[str, ...] = ()


def read(view: ListView, parameters: Mapping[str, Sequence[str]]) -> Chosen:
    """Return what the URL's parameters ask for; a malformed or unknown one becomes a problem in words."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    sort, cursor = view.sorts[0].name, None
    known = {each.name: each for each in view.filters}
    for name, texts in parameters.items():
        try:
            if name == "sort":
                sort = _read_sort(view, texts[-1])
            elif name in CURSOR_PARAMETERS:
                cursor = Cursor.read(texts[-1], is_before=name == "page_before")
            elif name in known:
                value = _read_value(known[name], texts)
                if _is_set(value):
                    values[name] = value
            else:
                problems.append(_unknown(name, [*known, "sort", *CURSOR_PARAMETERS]))
        except ValueError as error:
            problems.append(str(error))
    if cursor is not None and len(cursor.values) != len(view.columns_of(sort)):
        cursor = None
        problems.append("The place in the list is of another order; this is its beginning.")
    return Chosen(values, sort, cursor, tuple(problems))


def written(view: ListView, chosen: Chosen) -> dict[str, list[str]]:
    """Return the URL's parameters that ask for this; what is as by default is left out."""
    parameters: dict[str, list[str]] = {}
    for each in view.filters:
        value = chosen.values.get(each.name)
        if _is_set(value):
            parameters[each.name] = _write_value(value)
    if chosen.sort and chosen.sort != view.sorts[0].name:
        parameters["sort"] = [chosen.sort]
    if chosen.cursor is not None:
        parameters[chosen.cursor.parameter] = [chosen.cursor.written()]
    return parameters


def conditions(view: ListView, chosen: Chosen) -> tuple[str, dict[str, Any]]:
    """Return a WHERE clause (empty where there is no filter) and its parameters."""
    clauses: list[str] = []
    values: dict[str, Any] = {}
    for each in view.filters:
        value = chosen.values.get(each.name)
        if each.kind is Kind.FLAG:
            clauses += [each.condition] if bool(value) != each.widens else []
        elif value is None:
            continue
        elif each.searched:
            for number, term in enumerate(value.split()[:MAX_TERMS]):
                name = f"{each.name}_{number}"
                clauses.append("(" + " or ".join(f"{column} ilike %({name})s" for column in each.searched) + ")")
                values[name] = f"%{_escape_like(term)}%"
        else:
            clauses.append(each.condition.format(name=f"%({each.name})s"))
            values[each.name] = _as_parameter(each, value)
    return ("where " + " and ".join(clauses) if clauses else ""), values


def order_by(view: ListView, chosen: Chosen) -> str:
    """Return the ORDER BY clause of the list from its beginning."""
    return ordering(view.columns_of(chosen.sort))


def _is_set(value: Any) -> bool:
    # Not by truth: a score may be 0.
    return value is not None and value is not False and value not in ("", [])


def _read_value(which: Filter, texts: Sequence[str]) -> Any:
    if which.kind is Kind.CHOICES:
        return [_read_text(which, text) for text in texts[:MAX_CHOICES] if text]
    text = texts[-1].strip()
    if not text:
        return None
    match which.kind:
        case Kind.TEXT:
            return _read_text(which, text)
        case Kind.NUMBER:
            return _read_number(which, text)
        case Kind.INTEGER:
            return _read_integer(which, text)
        case Kind.COUNT:
            return _read_count(which, text)
        case Kind.DATE:
            return _read_date(which, text)
        case Kind.FLAG:
            return _read_flag(which, text)


def _read_text(which: Filter, text: str) -> str:
    if "\x00" in text:
        raise ValueError(f"{which.label} holds a NUL character, which no text here has; remove it.")
    if len(text) > MAX_TEXT:
        raise ValueError(f"{which.label} has {len(text):,} characters; at most {MAX_TEXT} can be searched for.")
    return text


def _read_number(which: Filter, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{which.label} {_quoted(text)} is not a number; use for example 0.5.")
    return number


def _read_integer(which: Filter, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise ValueError(f"{which.label} {_quoted(text)} is not a whole number from 1; use for example 2.")
    return int(text)


def _read_count(which: Filter, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ValueError(f"{which.label} {_quoted(text)} is not a whole number from 0; use for example 1000.")
    return int(text)


def _read_date(which: Filter, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{which.label} {_quoted(text)} is not a date; use for example 2026-01-31.") from None


def _read_flag(which: Filter, text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{which.label} {_quoted(text)} is neither true nor false.")
    return text == "true"


def _read_sort(view: ListView, text: str) -> str:
    names = [sort.name for sort in view.sorts]
    column, _, direction = text.rpartition(".")
    if text not in names and (column not in view.sortable or direction not in DIRECTIONS):
        columns = f", or a column as in {view.sortable[0]}.desc" if view.sortable else ""
        raise ValueError(f"There is no order {_quoted(text)}; use one of {', '.join(names)}{columns}.")
    return text


def _unknown(name: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"it knows {', '.join(known)}."
    return f"This page has no filter {_quoted(name)}; {hint}"


def _write_value(value: Any) -> list[str]:
    if isinstance(value, list):
        return value
    if isinstance(value, bool):
        return ["true"]
    return [f"{value:g}" if isinstance(value, float) else str(value)]


def _as_parameter(which: Filter, value: Any) -> Any:
    if which.kind is Kind.DATE:
        day = datetime.combine(value, time(), tzinfo=UTC)
        # A day that ends a span is part of it.
        return day + timedelta(days=1) if which.name.endswith("before") and value < date.max else day
    return value


def _escape_like(term: str) -> str:
    return term.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
