"""A sample that Inspect stored in chunks: a small shell, and its transcript in lists of a thousand entries each.

Attachments are known by their number there, not by a hash; messages of the conversation stand in the pool.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw

from hawk.warehouse.clean_json import clean_json, clean_strings
from hawk.warehouse.decoding import decode, decode_as
from hawk.warehouse.json_cursor import JsonCursor, JsonText
from hawk.warehouse.log_archive import DamagedPart, LogArchive
from hawk.warehouse.log_sample import CALL_POOL, MESSAGE_POOL, LogSample, sample_of_json
from hawk.warehouse.read_limits import ReadLimits

SHELL = "/sample.json"
PART_OF_CHUNKED = re.compile(
    r"(?P<sample>samples/.+_epoch_\d+)/"
    r"(sample|metadata|skeleton|events/(stats|uuids)|(messages|events|calls|attachments)/\d+)\.json"
)

_METADATA = "/metadata.json"
_REFS = "message_refs"  # where in the messages the conversation stands: [first, behind the last] of each range

_decode_list = msgspec.json.Decoder(list[Raw]).decode
_decode_texts = msgspec.json.Decoder(list[str]).decode


def chunked_sample(archive: LogArchive, prefix: str, limits: ReadLimits) -> LogSample:
    """Return the sample whose parts lie under a prefix of an archive."""
    name = prefix + SHELL
    shell = sample_of_json(clean_strings(archive.read(name)), name)
    other = dict(shell.other)
    refs = decode_as(list[tuple[int, int]], other.pop(_REFS), f"{name}, {_REFS},") if _REFS in other else []
    record = shell.record
    if prefix + _METADATA in archive:
        metadata = clean_json(archive.read(prefix + _METADATA))
        record = msgspec.structs.replace(record, metadata=decode_as(Raw, metadata, prefix + _METADATA))
    return LogSample(record, ChunkedTranscript(archive, prefix, refs, limits), other)


class ChunkedTranscript:
    """The transcript of a sample in chunks; one chunk at a time is in memory, and one of attachments."""

    def __init__(self, archive: LogArchive, prefix: str, refs: list[tuple[int, int]], limits: ReadLimits) -> None:
        self._archive = archive
        self._prefix = prefix
        self._refs = refs
        self._limits = limits
        self._attachment_starts = self._starts("attachments")
        self._attachments: tuple[int, list[str]] = (-1, [])

    def messages(self) -> Iterator[Raw]:
        """Yield the messages of the conversation; ranges mostly follow one another, so chunks are read once."""
        starts = self._starts("messages")
        chunk: tuple[int, list[Raw]] = (-1, [])
        for first, end in self._refs:
            for index in range(first, end):
                start = _start_of(index, starts)
                if chunk[0] != start:
                    chunk = (start, list(self._chunk("messages", start)))
                if index - start >= len(chunk[1]):
                    raise DamagedPart(f"{self._prefix} refers to a message {index} that it has not.")
                yield chunk[1][index - start]

    def events(self) -> Iterable[Raw]:
        return self._sequence("events")

    def pools(self) -> Iterator[tuple[str, Iterable[Raw]]]:
        yield MESSAGE_POOL, self._sequence("messages")
        yield CALL_POOL, self._sequence("calls")

    def attachments(self) -> Iterator[tuple[str, str]]:
        for start in self._attachment_starts:
            for index, content in enumerate(self._attachment_chunk(start), start):
                yield str(index), content

    def attachment(self, name: str) -> str | None:
        if not name.isascii() or not name.isdigit() or not self._attachment_starts:
            return None
        start = _start_of(int(name), self._attachment_starts)
        contents = self._attachment_chunk(start)
        return contents[int(name) - start] if int(name) - start < len(contents) else None

    def _attachment_chunk(self, start: int) -> list[str]:
        if self._attachments[0] != start:
            name = self._name("attachments", start)
            self._attachments = (start, decode(_decode_texts, clean_strings(self._archive.read(name)), name))
        return self._attachments[1]

    def _sequence(self, part: str) -> Iterator[Raw]:
        starts = self._starts(part)
        for start in starts:
            yield from self._chunk(part, start)

    def _chunk(self, part: str, start: int) -> Iterator[Raw]:
        name = self._name(part, start)
        if name not in self._archive:
            raise DamagedPart(f"{name} is missing; the file is damaged.")
        if self._archive.size_bytes(name) <= self._limits.sample_memory_bytes:
            yield from decode(_decode_list, clean_json(self._archive.read(name)), name)
            return
        with JsonText(self._archive.pieces(name), name) as text:
            text.clean_numbers()
            yield from JsonCursor(text).values()

    def _starts(self, part: str) -> list[int]:
        prefix = f"{self._prefix}/{part}/"
        numbers = (name.removeprefix(prefix).removesuffix(".json") for name in self._archive.names(prefix))
        return sorted(int(number) for number in numbers if number.isascii() and number.isdigit())

    def _name(self, part: str, start: int) -> str:
        return f"{self._prefix}/{part}/{start}.json"


def _start_of(index: int, starts: list[int]) -> int:
    """Return where the chunk that has an index begins."""
    return starts[max(bisect_right(starts, index) - 1, 0)] if starts else 0
