"""A log in Inspect's `.json` format: one document, whatever its size laid out on disk and read in pieces."""

from array import array
from collections.abc import Iterator

import msgspec
from msgspec import Raw

from hawk.warehouse.decoding import Reader, decode
from hawk.warehouse.json_cursor import JsonCursor, JsonText, MalformedJson
from hawk.warehouse.log_archive import PIECE_BYTES, BrokenLog, DamagedPart
from hawk.warehouse.log_sample import LogSample, sample_of_json
from hawk.warehouse.log_source import LogSource
from hawk.warehouse.read_limits import ReadLimits
from hawk.warehouse.records import HeaderRecord
from hawk.warehouse.streamed_sample import streamed_sample

_NAME = "The log"

_read_header = Reader(HeaderRecord).read


class JsonLog:
    """The log in a JSON document."""

    def __init__(self, source: LogSource, limits: ReadLimits) -> None:
        if source.size_bytes > limits.max_log_bytes:
            raise BrokenLog(
                f"The log has {source.size_bytes} bytes, more than the {limits.max_log_bytes} that are read.",
                hint="Write it in Inspect's .eval format.",
            )
        self.source = source
        self.salvage: str | None = None
        self.lost: list[str] = []
        self._first_damage: DamagedPart | None = None
        self._last_name = ""  # of the sample that was read last
        self._limits = limits
        self._text = JsonText(_pieces(source), _NAME)
        try:
            fields = self._walk()
        except MalformedJson:
            if not self._text.clean_numbers():
                raise
            fields = self._walk()
        self.header, self.other = decode(_read_header, msgspec.json.encode(fields), _NAME)

    def reductions(self) -> Raw:
        return self.header.reductions

    def samples(self) -> Iterator[LogSample]:
        for index, (begin, end) in enumerate(zip(self._begins, self._ends, strict=True)):
            self._last_name = name = f"samples[{index}]"
            try:
                if end - begin <= self._limits.sample_memory_bytes:
                    sample = sample_of_json(self._text.read(begin, end - begin), name)
                else:
                    sample = streamed_sample(self._text, name, begin)
            except DamagedPart as error:
                self._pass_over(error)
                continue
            yield sample
        if self._first_damage and len(self.lost) == len(self._begins):
            raise self._first_damage

    def lose(self, sample: LogSample, error: DamagedPart) -> None:
        self._pass_over(error)

    def _pass_over(self, error: DamagedPart) -> None:
        self._first_damage = self._first_damage or error
        self.salvage = self.salvage or error.message
        self.lost.append(self._last_name)

    def close(self) -> None:
        self._text.close()
        self.source.close()

    def _walk(self) -> dict[str, Raw]:
        """Return the document's fields, having noted where the samples lie."""
        self._begins, self._ends = array("Q"), array("Q")
        fields: dict[str, Raw] = {}
        cursor = JsonCursor(self._text)
        for key in cursor.members():
            if key != "samples" or cursor.next_byte() != b"[":
                fields[key] = cursor.value()
                continue
            for _ in cursor.elements():
                cursor.next_byte()
                self._begins.append(cursor.offset)
                cursor.skip()
                self._ends.append(cursor.offset)
        if cursor.next_byte():
            raise BrokenLog("The log goes on behind its end.", hint="Two logs may have been written into one file.")
        return fields


def _pieces(source: LogSource) -> Iterator[bytes]:
    for offset in range(0, source.size_bytes, PIECE_BYTES):
        yield source.read(offset, PIECE_BYTES)
