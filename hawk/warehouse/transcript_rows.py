"""The rows of what happened in a sample: its messages and events, and what those refer to. Pure.

There are hundreds of thousands of them in a log, so what happens for each counts: rows are made by position.
"""

from collections.abc import Callable

import msgspec
from msgspec import Raw

from hawk.warehouse.decoding import Reader
from hawk.warehouse.log_values import Find, content_text, json_list, moment, string
from hawk.warehouse.raw_json import is_given
from hawk.warehouse.records import (
    CallOutputRecord,
    CallRecord,
    ErrorRecord,
    EventRecord,
    Int4,
    MessageRecord,
    UsageRecord,
)
from hawk.warehouse.rows import EventPoolRow, EventRow, MessageRow, as_logged

MODEL_CALL = "model"
TOOL_CALL = "tool"

_read_message = Reader(MessageRecord).read
_decode_event = msgspec.json.Decoder(EventRecord).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode
_NO_USAGE = UsageRecord()
_DECODE_FIELD: dict[str, Callable[[Raw], object]] = {
    name: msgspec.json.Decoder(kind).decode
    for name, kind in {
        "uuid": str,
        "span_id": str,
        "timestamp": str,
        "completed": str,
        "working_start": float,
        "working_time": float,
        "model": str,
        "role": str,
        "function": str,
        "retries": Int4,
        "output": CallOutputRecord,
        "call": CallRecord,
        "error": ErrorRecord | str,
        "intermediate": bool,
    }.items()
}


def message_row(import_id: int, sample_uuid: str, index: int, data: Raw, attachment: Find) -> MessageRow:
    """Return a message; its content as JSON only where that says more than the text."""
    message, other = _read_message(data)
    content = message.content
    call_id, error = message.tool_call_id, message.error
    if other or isinstance(call_id, list):
        other = dict(other)
        if isinstance(call_id, list):
            other["tool_call_id"], call_id = Raw(_encode(call_id)), None
        if "tool_error" in other and not is_given(error):  # as logs of 2024 have it
            error = Raw(_encode({"type": "unknown", "message": other.pop("tool_error")}))
    return MessageRow(
        import_id,
        sample_uuid,
        index,
        message.id,
        message.role,
        content_text(content, attachment),
        as_logged(json_list(content)) if isinstance(content, list) else None,
        as_logged(message.tool_calls),
        call_id,
        message.function,
        as_logged(error),
        message.model,
        message.source,
        as_logged(message.metadata),
        as_logged(_encode(other)) if other else None,
    )


def event_row(import_id: int, sample_uuid: str, index: int, data: Raw) -> tuple[EventRow, EventRecord]:
    """Return an event, what people look for in columns, all of it in `data`; and the record it was made from."""
    try:
        event = _decode_event(data)
    except msgspec.ValidationError:
        event = _event_as_far_as_known(data)
    usage, error = _NO_USAGE, event.error
    is_call = event.event == MODEL_CALL
    if is_call and isinstance(event.output, CallOutputRecord):
        usage = event.output.usage or _NO_USAGE
    row = EventRow(
        import_id,
        sample_uuid,
        index,
        event.uuid,
        event.event,
        event.span_id,
        moment(event.timestamp),
        moment(event.completed),
        event.working_start,
        event.working_time,
        event.model if is_call else None,
        event.role if is_call else None,
        event.function if event.event == TOOL_CALL else None,
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        event.retries,
        error.message if isinstance(error, ErrorRecord) else error,
        as_logged(data),
    )
    return row, event


def pool_row(import_id: int, sample_uuid: str, pool: str, index: int, data: Raw) -> EventPoolRow:
    """Return a message or call that events share."""
    return EventPoolRow(import_id, sample_uuid, pool, index, as_logged(data))


def _event_as_far_as_known(data: Raw) -> EventRecord:
    """Return an event of a kind in which some field is not what it is elsewhere: that field is only in `data`."""
    fields = _decode_fields(data)
    kind = string(fields.get("event", Raw()))
    if kind is None:
        raise msgspec.ValidationError("Object missing required field `event`")
    found: dict[str, object] = {}
    for name, decode in _DECODE_FIELD.items():
        if is_given(fields.get(name, Raw())):
            try:
                found[name] = decode(fields[name])
            except msgspec.ValidationError:
                continue
    return EventRecord(event=kind, **found)  # type: ignore[arg-type]  # each was decoded as its field's type
