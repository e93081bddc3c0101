"""All that the command line prints. Results go to stdout, everything said about them to stderr.

Most texts here come from other people (names, errors, model answers), so none of them is read as markup, and
control characters, which could rewrite a terminal, are taken out.
"""

import json
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from hawk.errors import ConfigError, HawkError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.progress import Progress
    from rich.table import Table as RichTable
    from rich.text import Text

WIDTH_OF_A_FILE = 240  # columns of a table that no terminal bounds
SECONDS_BEFORE_LINES = 5.0  # what ends sooner needs no lines of how far it is
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Cell:
    """A text with a rich style: `green`, `bold red`, `dim`."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Table:
    """Columns and rows; a None is shown as nothing, a number to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence["Value"]]
    title: str = ""


type Value = str | int | float | Cell | None
type Block = str | Cell | Table


def say(*blocks: Block) -> None:
    """Print a result: lines and tables."""
    _print(_console("stdout"), blocks)


def say_raw(text: str) -> None:
    """Print a result as it stands, for programs and files to read: no styles, no wrapping, no line added."""
    sys.stdout.write(text)
    sys.stdout.flush()


def say_json(value: object) -> None:
    """Print a result for programs: one JSON document; pydantic models, times and paths included."""
    say_raw(json.dumps(value, indent=2, ensure_ascii=False, default=_as_json) + "\n")


def say_json_line(value: object) -> None:
    """Print a result as one line of JSON, for a stream of them."""
    say_raw(json.dumps(value, ensure_ascii=False, default=_as_json) + "\n")


def note(*blocks: Block) -> None:
    """Say something that is no result: what is being done, where to look next."""
    _print(_console("stderr"), blocks)


def warn(text: str) -> None:
    """Say what may be wrong, though the command goes on."""
    _say_labelled("Warning:", "yellow", text)


def error(problem: HawkError | str) -> None:
    """Say why the command ends: every fault of a file on its own line, else the message and what to do."""
    if isinstance(problem, ConfigError):
        for fault in problem.problems:
            _say_labelled("Error:", "bold red", str(fault))
        return
    _say_labelled("Error:", "bold red", str(problem))


def traceback_of(problem: BaseException) -> None:
    """Print a traceback, for `--debug`."""
    import traceback

    sys.stderr.write("".join(traceback.format_exception(problem)))


def confirm(question: str, *, default: bool = False) -> bool:
    """Return the person's answer; without a terminal to ask on, the default."""
    import click

    if not sys.stdin.isatty():
        return default
    return click.confirm(plain(question), default=default, err=True)


class LiveView:
    """A part of the terminal that is drawn anew; without a terminal, lines of what changed."""

    def __init__(self, live: "Live | None") -> None:
        self._live = live
        self._last_summary = ""

    @property
    def is_live(self) -> bool:
        """Say whether there is a terminal to draw on."""
        return self._live is not None

    def show(self, *blocks: Block, summary: str) -> None:
        """Show the blocks, or, without a terminal, the summary if it is another than the last."""
        if self._live is not None:
            from rich.console import Group

            self._live.update(Group(*(_rendered(block) for block in blocks)), refresh=True)
        elif summary and summary != self._last_summary:
            self._last_summary = summary
            note(summary)


@contextmanager
def live_view(*, keep: bool = True) -> Iterator[LiveView]:
    """Give a view to update on stderr; `keep` leaves the last picture standing."""
    console = _console("stderr")
    if not console.is_terminal:
        yield LiveView(None)
        return
    from rich.live import Live

    with Live(console=console, auto_refresh=False, transient=not keep) as live:
        yield LiveView(live)


class ByteProgress:
    """How many of a number of bytes are done; without a terminal, a line at every tenth of what takes long."""

    def __init__(self, label: str, total_bytes: int, bar: "Progress | None") -> None:
        self._label = label
        self._total = total_bytes
        self._bar = bar
        self._task = bar.add_task(label, total=total_bytes or None) if bar else None
        self._lock = threading.Lock()
        self._done = 0
        self._begun_at = time.monotonic()
        self._tenths = 0

    def advance(self, size_bytes: int) -> None:
        """Count more bytes; from any thread."""
        with self._lock:
            self._done += size_bytes
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, completed=self._done)
                return
            tenths = 10 * self._done // self._total if self._total else 0
            if tenths > self._tenths and time.monotonic() - self._begun_at > SECONDS_BEFORE_LINES:
                self._tenths = tenths
                note(f"{self._label}: {10 * tenths} % of {self._total:,} bytes.")


@contextmanager
def byte_progress(label: str, total_bytes: int) -> Iterator[ByteProgress]:
    """Give a bar of bytes on stderr, gone when the block ends."""
    console = _console("stderr")
    if not console.is_terminal:
        yield ByteProgress(label, total_bytes, None)
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        yield ByteProgress(label, total_bytes, bar)


def plain(text: str) -> str:
    """Return the text without the characters that steer a terminal; newlines and tabs stay."""
    return _CONTROL.sub("�", text.replace("\r\n", "\n"))


def is_terminal() -> bool:
    """Say whether stdout is a person's terminal."""
    return sys.stdout.isatty()


def _console(stream: str) -> "Console":
    from rich.console import Console

    file: IO[str] = sys.stdout if stream == "stdout" else sys.stderr
    width = None if file.isatty() else WIDTH_OF_A_FILE
    return Console(file=file, markup=False, highlight=False, emoji=False, width=width)


def _print(console: "Console", blocks: Sequence[Block]) -> None:
    for block in blocks:
        # A terminal wraps lines itself, and then they can be copied whole; a table must fit.
        console.print(_rendered(block), soft_wrap=not isinstance(block, Table))


def _rendered(block: Block) -> "RichTable | Text":
    return _rendered_table(block) if isinstance(block, Table) else _text(block)


def _rendered_table(table: Table) -> "RichTable":
    from rich import box
    from rich.table import Table as RichTable

    drawn = RichTable(
        title=_text(table.title) if table.title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
    )
    for index, name in enumerate(table.columns):
        values = [row[index] for row in table.rows if row[index] is not None]
        is_number = bool(values) and all(isinstance(value, int | float) for value in values)
        drawn.add_column(_text(name), justify="right" if is_number else "left", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(_text(value) for value in row))
    return drawn


def _text(value: Value) -> "Text":
    from rich.text import Text

    if isinstance(value, Cell):
        return Text(plain(value.text), style=value.style)
    if value is None:
        return Text("")
    return Text(f"{value:.3f}" if isinstance(value, float) else plain(str(value)))


def _say_labelled(label: str, style: str, text: str) -> None:
    from rich.text import Text

    _console("stderr").print(Text.assemble((label, style), " ", plain(text)), soft_wrap=True)


def _as_json(value: Any) -> object:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)
