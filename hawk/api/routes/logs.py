"""What the runner of an eval set prints: the end of it, or a stream of it."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from psycopg import Connection
from psycopg.rows import DictRow

from hawk.api.contracts import LogsResponse
from hawk.api.eval_set_access import visible_row
from hawk.api.log_stream import MEDIA_TYPE, Output, log_events
from hawk.api.services import Caller, Services, ServicesHere
from hawk.auth import Principal

router = APIRouter(prefix="/eval_sets", tags=["eval sets"])

MAX_LOG_LINES = 10_000

_NEWEST_ATTEMPT = """
select attempt_number, last_log_lines from ops.attempt where eval_set_id = %s
order by started_at desc nulls last, attempt_number desc limit 1
"""


@router.get(
    "/{eval_set_id}/logs",
    response_model=LogsResponse,
    responses={
        200: {
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
            "description": "The end of the output; as text/event-stream, events `lines`, `end` and `error`.",
        }
    },
)
def logs(
    eval_set_id: str,
    services: ServicesHere,
    caller: Caller,
    lines: Annotated[int, Query(ge=1, le=MAX_LOG_LINES)] = 100,
    accept: Annotated[str, Header(max_length=1000)] = "",
    last_event_id: Annotated[str, Header(max_length=100, description="Go on behind this event.")] = "",
) -> LogsResponse | StreamingResponse:
    """Return the end of what the newest attempt of the runner printed, as far as it was collected.

    With `accept: text/event-stream` it goes on with new lines until the set has ended.
    """
    look = _look(services, caller, eval_set_id)
    output = look()  # a set that may not be seen is a problem here, not an event
    if MEDIA_TYPE in accept:
        services.log_streams.check(caller.subject)
        return StreamingResponse(
            _stream(services, caller, look, lines=lines, last_event_id=last_event_id),
            media_type=MEDIA_TYPE,
            headers={"x-accel-buffering": "no"},
        )
    text = "\n".join(output.lines[-lines:])
    return LogsResponse(eval_set_id=eval_set_id, attempt_number=output.attempt_number, text=text)


def _look(services: Services, caller: Principal, eval_set_id: str) -> Callable[[], Output]:
    def look() -> Output:
        with services.database.connection() as connection:
            row = visible_row(connection, caller, eval_set_id)
            attempt = _newest_attempt(connection, row.eval_set_id)
        return Output(
            attempt_number=attempt["attempt_number"] if attempt else None,
            lines=tuple(attempt["last_log_lines"].splitlines()) if attempt else (),
            has_ended=not row.is_active,
            status=row.status,
        )

    return look


async def _stream(
    services: Services, caller: Principal, look: Callable[[], Output], *, lines: int, last_event_id: str
) -> AsyncIterator[str]:
    ends_at = caller.expires_at
    expires_in = (ends_at - datetime.now(UTC)).total_seconds() if ends_at else None
    # Here and not before, since a stream that never begins would never end either.
    with services.log_streams.one_more(caller.subject):
        async for event in log_events(look, last_event_id=last_event_id, first_lines=lines, expires_in=expires_in):
            yield event


def _newest_attempt(connection: Connection[DictRow], eval_set_id: str) -> DictRow | None:
    return connection.execute(_NEWEST_ATTEMPT, [eval_set_id]).fetchone()
