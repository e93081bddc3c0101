"""One sample of a log: its fields, and its transcript in pieces, so that a sample of any size can be passed on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import Raw

from hawk.warehouse.decoding import Reader, decode
from hawk.warehouse.records import SAMPLE_FIELDS_WITHOUT_COLUMN, SampleRecord, SummaryRecord

MESSAGE_POOL = "message"
CALL_POOL = "call"
# As `events_data` calls them.
POOL_OF_FIELD = {"messages": MESSAGE_POOL, "calls": CALL_POOL}

_read_sample = Reader(SampleRecord).read
_read_summary = Reader(SummaryRecord).read


class Transcript(Protocol):
    """What happened in a sample. Each part may be asked for several times; none is kept between."""

    def messages(self) -> Iterable[Raw]:
        """Yield the messages of the conversation."""
        ...

    def events(self) -> Iterable[Raw]:
        """Yield the events, in their order."""
        ...

    def pools(self) -> Iterable[tuple[str, Iterable[Raw]]]:
        """Yield what many events share and refer to by its index: the name of a pool and its entries."""
        ...

    def attachments(self) -> Iterable[tuple[str, str]]:
        """Yield the long values that texts refer to, by hash."""
        ...

    def attachment(self, name: str) -> str | None:
        """Return one of the long values, None where there is none of that hash."""
        ...


@dataclass(frozen=True)
class LogSample:
    """One sample of a log; `is_complete` is false where only its beginning or its summary is there."""

    record: SampleRecord
    transcript: Transcript
    other: Mapping[str, Raw] = field(default_factory=dict)  # fields that the record does not name
    is_complete: bool = True


class RecordTranscript:
    """The transcript that stands in the record itself, as of a sample that was decoded as one."""

    def __init__(self, record: SampleRecord) -> None:
        self._record = record
        self._attachments = record.attachments
        self._events = record.events
        if record.transcript is not None:  # as logs before November 2024 have them
            self._events = self._events if self._events is not None else record.transcript.events
            self._attachments = self._attachments if self._attachments is not None else record.transcript.content

    def messages(self) -> Iterable[Raw]:
        return self._record.messages or ()

    def events(self) -> Iterable[Raw]:
        return self._events or ()

    def pools(self) -> Iterable[tuple[str, Iterable[Raw]]]:
        record = self._record
        for name, entries in (record.events_data or {}).items():
            yield POOL_OF_FIELD.get(name, name), entries
        if record.events_data is None:
            yield MESSAGE_POOL, record.message_pool or ()
            yield CALL_POOL, record.call_pool or ()

    def attachments(self) -> Iterable[tuple[str, str]]:
        return (self._attachments or {}).items()

    def attachment(self, name: str) -> str | None:
        return (self._attachments or {}).get(name)


def key_of(record: SampleRecord) -> tuple[str, int]:
    """Return by what a log knows a sample: its id and epoch."""
    return str(record.id), record.epoch


def sample_of_json(data: bytes | Raw, name: str) -> LogSample:
    """Return the sample that stands in JSON; `name` says where, for what is wrong with it."""
    record, other = decode(_read_sample, data, name)
    return LogSample(record, RecordTranscript(record), other)


def sample_of_summary(data: Raw, name: str) -> LogSample:
    """Return the sample of a summary: all that there is of one that still runs, or whose own entry is lost."""
    summary, other = decode(_read_summary, data, name)
    known = {field: getattr(summary, field) for field in SummaryRecord.__struct_fields__}
    known |= {field: other[field] for field in SAMPLE_FIELDS_WITHOUT_COLUMN if field in other}
    record = SampleRecord(**known)
    rest = {field: value for field, value in other.items() if field not in known}
    return LogSample(record, RecordTranscript(record), rest, is_complete=False)
