"""Logs on this machine: found under paths, read as far as rules ask, and known by their content."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hawk.errors import HawkError, UserError
from hawk.log_import.content import PART_BYTES, hash_of_parts
from hawk.naming import is_eval_log_name

_BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class LocalLog:
    """A log that can be read."""

    path: Path
    size_bytes: int
    content_hash: str
    eval_id: str
    task_name: str
    model_names: tuple[str, ...]
    status: str
    completed_at: datetime | None
    damage: str  # why only a part of it can be read; empty where all can

    @property
    def age_rank(self) -> tuple[bool, bool, datetime, int]:
        """Return what orders versions of one eval's log: ended, whole, late and large ones last."""
        return self.status != "started", not self.damage, self.completed_at or _BEGINNING, self.size_bytes


@dataclass(frozen=True)
class BadFile:
    """A file that is not brought, and why."""

    path: Path
    reason: str


@dataclass
class LocalLogs:
    """What was found: each content and each eval once."""

    logs: list[LocalLog] = field(default_factory=list)
    bad: list[BadFile] = field(default_factory=list)


def find_logs(paths: Sequence[Path]) -> tuple[list[Path], list[BadFile]]:
    """Return the logs under paths, each once, in order; folders are searched to their depths, but no hidden ones.

    Raises UserError where a path does not exist, or there is no log.
    """
    found: dict[Path, Path] = {}
    bad: list[BadFile] = []
    for path in paths:
        if not path.exists():
            raise UserError(f"There is no {path}.", hint="Name files or folders that exist.", value=str(path))
        for log in _logs_in(path, bad) if path.is_dir() else [path]:
            found.setdefault(log.resolve(), log)
    if not found and not bad:
        names = ", ".join(str(path) for path in paths)
        raise UserError(
            f"There is no log in {names}.",
            hint="Logs end in .eval; in the older format they are named {time}_{task}_{id}.json.",
            value=names,
        )
    return list(found.values()), bad


def read_logs(paths: Sequence[Path], progress: Callable[[int], None]) -> LocalLogs:
    """Read every file whole, once; `progress` is told of bytes."""
    read = LocalLogs()
    for path in paths:
        try:
            read.logs.append(_read(path, progress))
        except HawkError as error:
            read.bad.append(BadFile(path, str(error)))
        except OSError as error:
            read.bad.append(BadFile(path, f"It cannot be read: {error.strerror or error}."))
    return _each_once(read)


def size_of(paths: Sequence[Path]) -> int:
    """Return how many bytes files have together; what cannot be read counts nothing."""
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total


def part_of(log: LocalLog, number: int) -> bytes:
    """Return one part of a log's bytes. Raises UserError where the file cannot be read any more."""
    try:
        with log.path.open("rb") as file:
            file.seek((number - 1) * PART_BYTES)
            return file.read(PART_BYTES)
    except OSError as error:
        raise UserError(f"{log.path} cannot be read any more: {error.strerror or error}.") from error


def part_numbers(log: LocalLog) -> range:
    return range(1, -(-log.size_bytes // PART_BYTES) + 1)


def part_size(log: LocalLog, number: int) -> int:
    return min(PART_BYTES, log.size_bytes - (number - 1) * PART_BYTES)


def _logs_in(folder: Path, bad: list[BadFile]) -> Iterator[Path]:
    def note(error: OSError) -> None:
        bad.append(BadFile(Path(error.filename or folder), f"It cannot be looked into: {error.strerror or error}."))

    for place, folders, names in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place) / name for name in sorted(names) if is_eval_log_name(name))


def _read(path: Path, progress: Callable[[int], None]) -> LocalLog:
    from hawk.log_import.facts import facts_of
    from hawk.warehouse.eval_rows import summarize
    from hawk.warehouse.log_source import FileSource
    from hawk.warehouse.reader import open_readable

    if path.suffix not in (".eval", ".json"):
        raise UserError("It is no log by its name; logs end in .eval or .json.")
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise UserError("It is no file.")
    with contextlib.ExitStack() as opened:
        source = FileSource(path)
        opened.enter_context(contextlib.closing(source))
        log = opened.enter_context(contextlib.closing(open_readable(source)))
        summary = summarize(log)
        digests = []
        for offset in range(0, source.size_bytes, PART_BYTES):
            part = source.read(offset, PART_BYTES)
            digests.append(hashlib.sha256(part).hexdigest())
            progress(len(part))
    facts = facts_of(summary)
    return LocalLog(
        path=path,
        size_bytes=source.size_bytes,
        content_hash=hash_of_parts(digests),
        eval_id=facts.eval_id,
        task_name=summary.spec.task,
        model_names=tuple(sorted(facts.model_names)),
        status=summary.header.status,
        completed_at=summary.completed_at,
        damage=log.salvage or "",
    )


def _each_once(read: LocalLogs) -> LocalLogs:
    """Leave out copies, and of several versions of one eval's log all but the newest."""
    kept: dict[str, LocalLog] = {}
    bad = list(read.bad)
    for log in read.logs:
        other = kept.get(log.eval_id)
        if other is None:
            kept[log.eval_id] = log
        elif other.content_hash == log.content_hash:
            bad.append(BadFile(log.path, f"It is the same file as {other.path}."))
        else:
            older, newer = sorted((other, log), key=lambda each: each.age_rank)
            kept[log.eval_id] = newer
            bad.append(BadFile(older.path, f"It is an older version of the eval in {newer.path}."))
    return LocalLogs(list(kept.values()), bad)
