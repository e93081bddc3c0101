"""The rows of one sample: itself, its scores and usage, and its transcript. Pure."""

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw

from hawk.warehouse.decoding import Reader
from hawk.warehouse.log_archive import BrokenLog, DamagedPart
from hawk.warehouse.log_sample import LogSample, Transcript
from hawk.warehouse.log_values import (
    content_text,
    finite,
    moment,
    resolved,
    string,
    total_tokens,
    usage_columns,
)
from hawk.warehouse.model_names import ModelNames
from hawk.warehouse.raw_json import is_given, is_object, is_string
from hawk.warehouse.records import (
    SAMPLE_FIELDS_WITHOUT_COLUMN,
    ErrorRecord,
    LimitRecord,
    MessageRecord,
    OutputRecord,
    SampleRecord,
    UsageRecord,
)
from hawk.warehouse.row_batches import SMALL_ROW_BYTES, RowBatch, in_batches
from hawk.warehouse.rows import (
    AttachmentRow,
    EventPoolRow,
    EventRow,
    MessageRow,
    SampleModelUsageRow,
    SampleRow,
    ScoreRow,
    jsonb,
)
from hawk.warehouse.score_rows import IntermediateScore, score_rows
from hawk.warehouse.transcript_rows import MODEL_CALL, TOOL_CALL, event_row, message_row, pool_row

_SAMPLE_UUID_NAMESPACE = uuid.UUID("5e7f8f5c-6f0e-5a3c-9a5e-0f5d6b1f6f55")

_decode_output = msgspec.json.Decoder(OutputRecord).decode
_decode_messages = msgspec.json.Decoder(list[MessageRecord]).decode
_read_usage = Reader(UsageRecord).read
_read_error = Reader(ErrorRecord).read
_read_limit = Reader(LimitRecord).read
_encode = msgspec.json.encode


@dataclass(frozen=True)
class SampleContext:
    """What a sample's rows take from the eval around it, and what they tell it."""

    import_id: int
    eval_id: str
    first_scorer: str | None  # whose score it is where a sample of an old log has one without a name
    models: ModelNames = field(default_factory=lambda: ModelNames(()))


@dataclass
class _Seen:
    """What the rows of a transcript told, which the sample's own row says in sum."""

    messages: int = 0
    events: Counter[str] = field(default_factory=Counter)
    intermediate: list[IntermediateScore] = field(default_factory=list)


def uuid_of(eval_id: str, record: SampleRecord) -> str:
    """Return Inspect's uuid of a sample, or for logs older than uuids one made from eval, sample and epoch."""
    return record.uuid or made_uuid(eval_id, record)


def made_uuid(eval_id: str, record: SampleRecord) -> str:
    """Return the same uuid for the same eval, sample and epoch, always."""
    return str(uuid.uuid5(_SAMPLE_UUID_NAMESPACE, f"{eval_id}/{record.id}/{record.epoch}"))


def sample_batches(context: SampleContext, sample: LogSample, sample_uuid: str) -> Iterator[RowBatch]:
    """Yield the sample's rows under a uuid, table by table; the sample's own is the last.

    Raises DamagedPart that names the sample where it is not what Inspect writes, BrokenLog where it is nested too
    deeply; some of its rows may have been yielded then.
    """
    name = f"Sample {sample.record.id!r}, epoch {sample.record.epoch},"
    try:
        yield from _batches(context, sample, sample_uuid)
    except msgspec.DecodeError as error:
        raise DamagedPart(f"{name} is not what Inspect writes: {error}.") from error
    except RecursionError as error:
        raise BrokenLog(f"{name} is nested too deeply to be read.") from error


def _batches(context: SampleContext, sample: LogSample, sample_uuid: str) -> Iterator[RowBatch]:
    import_id, transcript, seen = context.import_id, sample.transcript, _Seen()
    yield from in_batches(MessageRow, _message_rows(import_id, sample_uuid, transcript, seen))
    yield from in_batches(EventRow, _event_rows(context, sample_uuid, transcript, seen))
    yield from in_batches(EventPoolRow, _pool_rows(import_id, sample_uuid, transcript))
    yield from in_batches(
        AttachmentRow,
        (
            (AttachmentRow(import_id, sample_uuid, name, content), len(content))
            for name, content in transcript.attachments()
        ),
    )
    scores = score_rows(
        import_id, sample_uuid, sample.record, intermediate=seen.intermediate, first_scorer=context.first_scorer
    )
    yield from in_batches(ScoreRow, ((score, 0) for score in scores))
    usages = {name: _read_usage(usage) for name, usage in (sample.record.model_usage or {}).items()}
    context.models.add(usages)
    yield from in_batches(
        SampleModelUsageRow,
        (
            (SampleModelUsageRow(import_id, sample_uuid, model, **usage_columns(usage)), 0)
            for model, (usage, _) in usages.items()
        ),
    )
    row = _sample_row(context, sample, sample_uuid, seen, [usage for usage, _ in usages.values()])
    yield RowBatch(SampleRow, [row], sum(map(len, filter(None, (row.store, row.output, row.input)))) + SMALL_ROW_BYTES)


def _message_rows(
    import_id: int, sample_uuid: str, transcript: Transcript, seen: _Seen
) -> Iterator[tuple[MessageRow, int]]:
    for index, data in enumerate(transcript.messages()):
        yield message_row(import_id, sample_uuid, index, data, transcript.attachment), len(data)
        seen.messages = index + 1


def _event_rows(
    context: SampleContext, sample_uuid: str, transcript: Transcript, seen: _Seen
) -> Iterator[tuple[EventRow, int]]:
    kinds = seen.events
    for index, data in enumerate(transcript.events()):
        row, event = event_row(context.import_id, sample_uuid, index, data)
        kinds[event.event] += 1
        if event.event == MODEL_CALL:
            request = event.call.request if event.call else None
            context.models.add_call(event.model, request.model if request else None)
        if event.intermediate and event.event == "score":
            seen.intermediate.append(IntermediateScore.read(data))
        yield row, len(data)


def _pool_rows(import_id: int, sample_uuid: str, transcript: Transcript) -> Iterator[tuple[EventPoolRow, int]]:
    for pool, entries in transcript.pools():
        for index, data in enumerate(entries):
            yield pool_row(import_id, sample_uuid, pool, index, data), len(data)


def _sample_row(
    context: SampleContext, sample: LogSample, sample_uuid: str, seen: _Seen, usages: list[UsageRecord]
) -> SampleRow:
    record = sample.record
    other = {name: value for name in SAMPLE_FIELDS_WITHOUT_COLUMN if is_given(value := getattr(record, name))}
    other.update(sample.other)
    error, limit = _error(record, other), _limit(record, other)
    if any(_read_usage(usage)[1] for usage in (record.model_usage or {}).values()):
        other["model_usage"] = Raw(_encode(record.model_usage))
    return SampleRow(
        import_id=context.import_id,
        sample_uuid=sample_uuid,
        eval_id=context.eval_id,
        sample_id=str(record.id),
        epoch=record.epoch,
        input=jsonb(record.input),
        input_text=_input_text(record, sample.transcript),
        target=jsonb(record.target),
        choices=jsonb(record.choices),
        output=jsonb(record.output),
        output_text=_output_text(record.output, sample.transcript),
        metadata=jsonb(record.metadata),
        store=jsonb(record.store),
        sandbox=jsonb(record.sandbox),
        error_message=error.message if error else None,
        error_traceback=error.traceback if error else None,
        error_retries=jsonb(record.error_retries),
        limit_type=limit.type if limit else None,
        limit_value=finite(limit.limit) if limit else None,
        is_invalidated=is_given(record.invalidation),
        invalidation=jsonb(record.invalidation),
        is_complete=sample.is_complete,
        total_seconds=record.total_time,
        working_seconds=record.working_time,
        message_count=seen.messages,
        event_count=seen.events.total(),
        model_call_count=seen.events[MODEL_CALL],
        tool_call_count=seen.events[TOOL_CALL],
        **total_tokens(usages),
        other=jsonb(_encode(other)) if other else None,
        started_at=moment(record.started_at),
        completed_at=moment(record.completed_at),
    )


def _error(record: SampleRecord, other: dict[str, Raw]) -> ErrorRecord | None:
    if is_string(record.error):  # as summaries have it
        return ErrorRecord(message=string(record.error) or "")
    if not is_object(record.error):
        return None
    error, rest = _read_error(record.error)
    if rest:
        other["error"] = Raw(_encode(rest))
    return error


def _limit(record: SampleRecord, other: dict[str, Raw]) -> LimitRecord | None:
    if is_string(record.limit):
        return LimitRecord(type=string(record.limit) or "")
    if not is_object(record.limit):
        return None
    limit, rest = _read_limit(record.limit)
    if rest:
        other["limit"] = Raw(_encode(rest))
    return limit


def _input_text(record: SampleRecord, transcript: Transcript) -> str | None:
    if is_string(record.input):
        text = string(record.input)
        return None if text is None else resolved(text, transcript.attachment)
    if not is_given(record.input):
        return None
    users = [message for message in _decode_messages(record.input) if message.role == "user"]
    return content_text(users[-1].content, transcript.attachment) if users else None


def _output_text(output: Raw, transcript: Transcript) -> str | None:
    if not is_given(output):
        return None
    record = _decode_output(output)
    if record.completion is not None:
        return resolved(record.completion, transcript.attachment)
    message = record.choices[0].message if record.choices else None
    return content_text(message.content, transcript.attachment) if message else None
