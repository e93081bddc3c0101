"""A log in Inspect's `.eval` format: finished, still growing, or what is left of one that was cut off."""

import contextlib
import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw

from hawk.warehouse.chunked_sample import PART_OF_CHUNKED, SHELL, chunked_sample
from hawk.warehouse.clean_json import clean_json, clean_strings
from hawk.warehouse.decoding import Reader, decode
from hawk.warehouse.json_cursor import JsonCursor, JsonText
from hawk.warehouse.log_archive import BrokenLog, LogArchive
from hawk.warehouse.log_sample import LogSample, sample_of_json, sample_of_summary
from hawk.warehouse.log_source import LogSource
from hawk.warehouse.read_limits import MEBIBYTE, ReadLimits
from hawk.warehouse.records import NOTHING, HeaderRecord
from hawk.warehouse.rows import MAX_JSON_BYTES, omitted
from hawk.warehouse.streamed_sample import streamed_sample

HEADER = "header.json"
START = "_journal/start.json"
REDUCTIONS = "reductions.json"
SUMMARIES = "summaries.json"
SUMMARY_JOURNAL = "_journal/summaries/"
CONFIG_JOURNAL = "_journal/config_updates/"
SAMPLES = "samples/"

_MAX_HEADER_BYTES = 256 * MEBIBYTE  # decoded in memory; a header of a megabyte is a large one
_NUMBERED = re.compile(r"(\d+)\.json")

_read_header = Reader(HeaderRecord).read
_decode_list = msgspec.json.Decoder(list[Raw]).decode


class ArchiveLog:
    """The log in an archive. With a reason for `salvage`, members that cannot be read are passed over."""

    def __init__(
        self, source: LogSource, archive: LogArchive, limits: ReadLimits, *, salvage: str | None = None
    ) -> None:
        self.source = source
        self.salvage = salvage
        self.lost = archive.lost
        self._archive = archive
        self._limits = limits
        self.header, self.other = self._read_header()

    def reductions(self) -> Raw:
        if REDUCTIONS not in self._archive:
            return NOTHING
        if self._archive.size_bytes(REDUCTIONS) > MAX_JSON_BYTES:
            return Raw(omitted(self._archive.size_bytes(REDUCTIONS)))
        data = clean_strings(self._archive.read(REDUCTIONS))
        return decode(msgspec.json.Decoder(Raw).decode, data, REDUCTIONS)

    def samples(self) -> Iterator[LogSample]:
        seen: set[tuple[str, int]] = set()
        for name in self._sample_names():
            try:
                with contextlib.ExitStack() as resources:
                    sample = self._sample(name, resources)
                    seen.add((str(sample.record.id), sample.record.epoch))
                    yield sample
            except BrokenLog:
                if self.salvage is None:
                    raise
                self.lost.append(name)
        for key, sample in self._summarized(seen).items():
            if key not in seen:
                yield sample

    def close(self) -> None:
        self.source.close()

    def _read_header(self) -> tuple[HeaderRecord, Mapping[str, Raw]]:
        name = HEADER if HEADER in self._archive else START
        if name not in self._archive:
            raise BrokenLog(
                "The archive has neither header.json nor _journal/start.json, so it is not an Inspect log.",
                hint="Check that the file was written by Inspect.",
            )
        if self._archive.size_bytes(name) > _MAX_HEADER_BYTES:
            raise BrokenLog(
                f"{name} has {self._archive.size_bytes(name)} bytes, more than the {_MAX_HEADER_BYTES} read."
            )
        header, other = decode(_read_header, clean_strings(self._archive.read(name)), name)
        if name == HEADER or not (updates := self._archive.names(CONFIG_JOURNAL)):
            return header, other
        # What was changed while the eval ran, which its end will put into the header.
        parts = [clean_json(self._archive.read(update)) for update in sorted(updates, key=_number)]
        return header, {**other, "config_updates": Raw(b"[%b]" % b",".join(parts))}

    def _sample_names(self) -> list[str]:
        """Return a name for each sample: its only entry, or the main one of those that it is stored in."""
        names = self._archive.names(SAMPLES)
        shells = {name.removesuffix(SHELL) for name in names if name.endswith(SHELL)}

        def is_sample(name: str) -> bool:
            part = PART_OF_CHUNKED.fullmatch(name)
            return name.endswith(".json") and (part is None or part["sample"] not in shells or name.endswith(SHELL))

        return [name for name in names if is_sample(name)]

    def _sample(self, name: str, resources: contextlib.ExitStack) -> LogSample:
        if name.endswith(SHELL) and PART_OF_CHUNKED.fullmatch(name):
            return chunked_sample(self._archive, name.removesuffix(SHELL), self._limits)
        if self._archive.size_bytes(name) <= self._limits.sample_memory_bytes:
            return sample_of_json(clean_strings(self._archive.read(name)), name)
        return streamed_sample(resources.enter_context(JsonText(self._archive.pieces(name), name)), name)

    def _summarized(self, seen: set[tuple[str, int]]) -> dict[tuple[str, int], LogSample]:
        """Return the samples, apart from those seen, that only their summaries tell of."""
        names = [SUMMARIES] if SUMMARIES in self._archive else sorted(self._archive.names(SUMMARY_JOURNAL), key=_number)
        found: dict[tuple[str, int], LogSample] = {}
        for name in names:
            for data in self._list(name):
                sample = sample_of_summary(data, name)
                key = str(sample.record.id), sample.record.epoch
                if key not in seen:
                    found[key] = sample  # the later one counts
        return found

    def _list(self, name: str) -> Iterator[Raw]:
        try:
            if self._archive.size_bytes(name) <= self._limits.sample_memory_bytes:
                yield from decode(_decode_list, clean_json(self._archive.read(name)), name)
                return
            with JsonText(self._archive.pieces(name), name) as text:
                text.clean_numbers()
                yield from JsonCursor(text).values()
        except BrokenLog:
            if self.salvage is None:
                raise
            self.lost.append(name)


def _number(name: str) -> int:
    found = _NUMBERED.fullmatch(name.rpartition("/")[2])
    return int(found[1]) if found else 0
