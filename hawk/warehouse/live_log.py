"""A log whose eval still runs: the samples in it, and those that run, from the buffer that Inspect keeps beside it."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO

import msgspec
from msgspec import Raw

from hawk.errors import NotFound
from hawk.warehouse.log_archive import BrokenLog, DamagedPart
from hawk.warehouse.log_buffer import BufferFolder, LogBuffer, RunningSample, SegmentData
from hawk.warehouse.log_sample import CALL_POOL, MESSAGE_POOL, LogSample, key_of, sample_of_summary
from hawk.warehouse.raw_json import is_given
from hawk.warehouse.read_limits import DEFAULT_LIMITS, ReadLimits
from hawk.warehouse.reader import EvalLog
from hawk.warehouse.records import NOTHING

_Key = tuple[str, int]  # id and epoch of a sample
_Place = tuple[int, int]  # offset and length in the file on disk

_ATTACHMENT_TEXT = msgspec.json.Decoder(str).decode


class StartedSampleRecord(msgspec.Struct):
    """The sample as the event says with which it began."""

    input: Raw = NOTHING
    target: Raw = NOTHING
    choices: Raw = NOTHING
    metadata: Raw = NOTHING
    sandbox: Raw = NOTHING
    setup: Raw = NOTHING


class RunningEventRecord(msgspec.Struct):
    """What tells where the conversation of a running sample stands."""

    event: str
    role: str | None = None
    sample: StartedSampleRecord | None = None
    input: Raw = NOTHING
    input_refs: list[tuple[int, int]] | None = None
    output: Raw = NOTHING


class AnswerRecord(msgspec.Struct):
    message: Raw = NOTHING


class AnswersRecord(msgspec.Struct):
    choices: list[AnswerRecord] = msgspec.field(default_factory=list)


_decode_event = msgspec.json.Decoder(RunningEventRecord).decode
_decode_answers = msgspec.json.Decoder(AnswersRecord).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode


def read_buffer(log: EvalLog, folder: BufferFolder, limits: ReadLimits = DEFAULT_LIMITS) -> "LiveLog":
    """Return a log of a running eval together with its samples that run.

    Raises NotFound where there is no buffer: the eval has ended, or shares none (`log_shared`).
    """
    return LiveLog(log, LogBuffer(folder, limits))


class LiveLog:
    """As an EvalLog; of samples that run, `is_complete` is false. `version` changes whenever the buffer goes on."""

    def __init__(self, log: EvalLog, buffer: LogBuffer) -> None:
        self.source = log.source
        self.header = log.header
        self.other: Mapping[str, Raw] = log.other
        self.lost = log.lost
        self.version = buffer.version
        self._log = log
        self._buffer = buffer
        self._is_running = False  # the sample that was yielded last
        self._lost_running: set[_Key] = set()

    @property
    def salvage(self) -> str | None:
        return self._log.salvage

    def reductions(self) -> Raw:
        return self._log.reductions()

    def samples(self) -> Iterator[LogSample]:
        running: dict[_Key, tuple[LogSample, RunningSample]] = {}
        for entry in self._buffer.manifest.samples:
            sample = sample_of_summary(entry.summary, "the buffer's manifest")
            running[key_of(sample.record)] = (sample, entry)
        for sample in self._log.samples():
            if sample.is_complete:
                running.pop(key_of(sample.record), None)
            elif key_of(sample.record) in running:
                continue
            yield sample
        with tempfile.TemporaryFile(prefix="hawk-buffer-") as disk:
            transcripts = self._transcripts(running, disk)
            for key, (sample, _) in running.items():
                self._is_running = True
                yield _running_sample(sample, transcripts.get(key))
                if key in self._lost_running:
                    yield sample

    def lose(self, sample: LogSample, error: DamagedPart) -> None:
        if self._is_running:
            self._lost_running.add(key_of(sample.record))
            self.lost.append(f"the buffer of sample {sample.record.id}")
        else:
            self._log.lose(sample, error)

    def close(self) -> None:
        self._log.close()

    def _transcripts(
        self, running: Mapping[_Key, tuple[LogSample, RunningSample]], disk: IO[bytes]
    ) -> dict[_Key, "RunningTranscript"]:
        """Return the transcripts of samples, laid out on disk; of one whose segment is gone there is none."""
        by_segment: dict[int, list[_Key]] = {}
        for key, (_, entry) in running.items():
            for segment_id in entry.segment_ids():
                by_segment.setdefault(segment_id, []).append(key)
        found = {key: RunningTranscript(disk) for key in running}
        for segment_id, keys in sorted(by_segment.items()):
            try:
                segment = self._buffer.segment(segment_id)
                for key in keys:
                    if key in found:
                        found[key].add(self._buffer.data(segment, *key))
            except (NotFound, BrokenLog):
                # What follows refers to what is lost, so it is of no use either.
                for key in keys:
                    found.pop(key, None)
                self.lost.append(f"segment {segment_id} of the buffer")
        return found


@dataclass
class RunningTranscript:
    """The transcript of a sample as far as it has come: its parts on disk, and where each lies."""

    disk: IO[bytes]
    _events: list[_Place] = field(default_factory=list)
    _number_of_event: dict[str, int] = field(default_factory=dict)
    _pools: dict[str, list[_Place]] = field(default_factory=lambda: {MESSAGE_POOL: [], CALL_POOL: []})
    _attachments: dict[str, _Place] = field(default_factory=dict)
    _conversation_role: str | None = None
    _last_call: int | None = None
    _last_pool_ids: dict[str, int] = field(default_factory=dict)
    started: StartedSampleRecord | None = None

    def add(self, data: SegmentData) -> None:
        """Go on by what a segment adds."""
        for pool, entries in ((MESSAGE_POOL, data.message_pool), (CALL_POOL, data.call_pool)):
            for entry in entries:
                if entry.id > self._last_pool_ids.get(pool, -1):
                    self._last_pool_ids[pool] = entry.id
                    self._pools[pool].append(self._put(entry.data.encode()))
        for attachment in data.attachments:
            if attachment.hash not in self._attachments:
                self._attachments[attachment.hash] = self._put(msgspec.json.encode(attachment.content))
        for buffered in data.events:
            self._add_event(buffered.event, buffered.event_id)

    def messages(self) -> Iterator[Raw]:
        """Yield the conversation as the last call of the model that began it has it, and its answer."""
        if self._last_call is None:
            return
        call = _decode_event(self._get(self._events[self._last_call]))
        for first, end in call.input_refs or ():
            for place in self._pools[MESSAGE_POOL][first:end]:
                yield self._get(place)
        if not call.input_refs and is_given(call.input):
            yield from _decode_list(call.input)
        answers = _decode_answers(call.output).choices if is_given(call.output) else []
        if answers and is_given(answers[0].message):
            yield answers[0].message

    def events(self) -> Iterator[Raw]:
        return map(self._get, self._events)

    def pools(self) -> Iterator[tuple[str, Iterable[Raw]]]:
        for pool, places in self._pools.items():
            yield pool, map(self._get, places)

    def attachments(self) -> Iterator[tuple[str, str]]:
        for name, place in self._attachments.items():
            yield name, _ATTACHMENT_TEXT(self._get(place))

    def attachment(self, name: str) -> str | None:
        place = self._attachments.get(name)
        return None if place is None else _ATTACHMENT_TEXT(self._get(place))

    def _add_event(self, data: Raw, event_id: str) -> None:
        place = self._put(data)
        number = self._number_of_event.get(event_id) if event_id else None
        if number is None:
            number = len(self._events)
            self._events.append(place)
            if event_id:
                self._number_of_event[event_id] = number
        else:
            self._events[number] = place
        event = _decode_event(data)
        if event.event == "sample_init":
            self.started = event.sample
        elif event.event == "model":
            if self._last_call is None:
                self._conversation_role = event.role
            if event.role == self._conversation_role:
                self._last_call = number

    def _put(self, data: bytes | Raw) -> _Place:
        offset = self.disk.seek(0, 2)
        self.disk.write(data)
        return offset, len(data)

    def _get(self, place: _Place) -> Raw:
        self.disk.seek(place[0])
        return Raw(self.disk.read(place[1]))


def _running_sample(sample: LogSample, transcript: RunningTranscript | None) -> LogSample:
    if transcript is None:
        return sample
    record = sample.record
    if transcript.started is not None:
        # The summary has all of this too, but cut short.
        begun = {name: getattr(transcript.started, name) for name in StartedSampleRecord.__struct_fields__}
        record = msgspec.structs.replace(record, **{name: value for name, value in begun.items() if is_given(value)})
    return LogSample(record, transcript, sample.other, is_complete=False)
