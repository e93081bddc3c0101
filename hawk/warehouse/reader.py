"""Reads a log, `.eval` or `.json`, one sample at a time; knows files, not tables.

Understands what inspect-ai 0.3.41 (October 2024) and later write, finished or still growing.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Raw

from hawk.warehouse.archive_log import HEADER, START, ArchiveLog
from hawk.warehouse.json_log import JsonLog
from hawk.warehouse.log_archive import BrokenLog, DamagedPart, LogArchive, TruncatedLog
from hawk.warehouse.log_sample import LogSample
from hawk.warehouse.log_source import FileSource, LogSource
from hawk.warehouse.read_limits import DEFAULT_LIMITS, ReadLimits
from hawk.warehouse.records import HeaderRecord


class EvalLog(Protocol):
    """A log that can be read once from beginning to end."""

    source: LogSource
    header: HeaderRecord
    other: Mapping[str, Raw]  # fields of the header that the record does not name
    lost: list[str]  # names of what could not be read, complete when the samples have been read

    @property
    def salvage(self) -> str | None:
        """Why only a part of it can be read; None where all can, as far as it has been read."""
        ...

    def reductions(self) -> Raw:
        """Return each sample's scores reduced over its epochs, as JSON; empty where there are none."""
        ...

    def samples(self) -> Iterator[LogSample]:
        """Yield the samples, each once. A sample's transcript can be read until the next sample is asked for.

        Those that are damaged are passed over, and represented by their summaries where there are some. Raises
        DamagedPart where no sample of a whole file can be read.
        """
        ...

    def lose(self, sample: LogSample, error: DamagedPart) -> None:
        """Treat the sample that was yielded last as one that cannot be read: its transcript is damaged."""
        ...

    def close(self) -> None:
        """Let go of the source, and of the disk where the log was laid out on it."""
        ...


def open_log(source: LogSource, limits: ReadLimits = DEFAULT_LIMITS) -> EvalLog:
    """Return the log in a source.

    Raises BrokenLog where it is none, or lacks its beginning; TruncatedLog where it lacks its end: then
    `salvage_log` may give what there is of it.
    """
    start = source.read(0, 64)
    if not start.strip():
        raise BrokenLog("The file is empty.", hint="It may still be written; it is tried again when it changes.")
    if start.lstrip()[:1] == b"{":
        return JsonLog(source, limits)
    return ArchiveLog(source, LogArchive(source, limits), limits)


def salvage_log(source: LogSource, error: BrokenLog, limits: ReadLimits = DEFAULT_LIMITS) -> EvalLog:
    """Return what there is of a log that was cut off, by the members that lie in it whole.

    `error` is what `open_log` said, and what is raised where not even the log's beginning can be read.
    """
    archive = LogArchive.salvaged(source, limits)
    if HEADER not in archive and START not in archive:
        raise error
    return ArchiveLog(source, archive, limits, salvage=error.message)


def open_readable(source: LogSource, limits: ReadLimits = DEFAULT_LIMITS) -> EvalLog:
    """Return the log in a source, or what there is of one that was cut off; the source is closed where it is none."""
    with contextlib.ExitStack() as source_is_open:
        source_is_open.callback(source.close)
        try:
            log = open_log(source, limits)
        except TruncatedLog as error:
            log = salvage_log(source, error, limits)
        source_is_open.pop_all()
    return log


def open_file(path: Path, limits: ReadLimits = DEFAULT_LIMITS) -> EvalLog:
    """Return the log at a path of this machine."""
    return open_log(FileSource(path), limits)
