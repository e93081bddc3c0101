"""What a runner prints, as server-sent events: lines as they are collected, until its set has ended.

Only the end of the output is kept, so a line has no number of its own. An event's id is the attempt and digests of the
last lines sent; whoever comes back with it goes on behind those, or hears all that is kept if they are gone.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from hawk.errors import HawkError

MEDIA_TYPE = "text/event-stream"
POLL_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0  # below the idle limits of usual load balancers (60 s)
RETRY_MILLISECONDS = 2000
LINES_IN_ID = (8, 4, 2, 1)  # fewer are looked for where the others are not kept any more


@dataclass(frozen=True)
class Output:
    """What is kept of the newest attempt's output, and whether more may come."""

    attempt_number: int | None
    lines: tuple[str, ...]
    has_ended: bool
    status: str


async def log_events(
    look: Callable[[], Output],
    *,
    last_event_id: str = "",
    first_lines: int,
    expires_in: float | None = None,
    poll_seconds: float = POLL_SECONDS,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> AsyncIterator[str]:
    """Yield events until the set has ended or the caller's token has; `look` may wait and raise HawkError."""
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    place = last_event_id
    said_at = started_at = time.monotonic()
    while True:
        try:
            output = await run_in_threadpool(look)
        except HawkError as error:  # the database is away, or the set may not be seen any more
            yield _event("error", {"detail": error.message, "status": error.http_status})
            return
        fresh = lines_after(output, place) if place else output.lines[-first_lines:]
        if fresh:
            place = place_after(output)
            said_at = time.monotonic()
            yield _event("lines", {"attempt_number": output.attempt_number, "lines": list(fresh)}, event_id=place)
        if output.has_ended:
            yield _event("end", {"status": output.status})
            return
        if expires_in is not None and time.monotonic() - started_at > expires_in:
            return  # the client comes again by itself, with a new token
        if time.monotonic() - said_at > heartbeat_seconds:
            said_at = time.monotonic()
            yield ": nothing new\n\n"
        await asyncio.sleep(poll_seconds)


def lines_after(output: Output, place: str) -> Sequence[str]:
    """Return the lines that come after a place; all that are kept where the place is not among them."""
    attempt, *digests = place.split("-")
    if attempt == str(output.attempt_number):
        for count, digest in zip(LINES_IN_ID, digests, strict=False):
            # From the end: of lines that stand there twice the later ones are meant, and nothing comes twice.
            for end in range(len(output.lines), 0, -1):
                if _digest(output.lines[:end], count) == digest:
                    return output.lines[end:]
    return output.lines


def place_after(output: Output) -> str:
    """Return the id of the place after all lines of an output."""
    return "-".join([str(output.attempt_number), *(_digest(output.lines, count) for count in LINES_IN_ID)])


def _digest(lines: Sequence[str], count: int) -> str:
    return hashlib.sha256("\n".join(lines[-count:]).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _event(name: str, data: dict[str, object], *, event_id: str | None = None) -> str:
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
