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
from hawk.warehouse.log_archive import BrokenLog, DamagedPart, LogArchive
from hawk.warehouse.log_sample import LogSample, key_of, sample_of_json, sample_of_summary
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
_decode_any = msgspec.json.Decoder(Raw).decode


class ArchiveLog:
    """The log in an archive. Members that cannot be read are passed over, as long as any sample can.

    `salvage` says from the beginning that the archive is cut off, or from some time on what is damaged in it.
    """

    def __init__(
        self, source: LogSource, archive: LogArchive, limits: ReadLimits, *, salvage: str | None = None
    ) -> None:
        self.source = source
        self.salvage = salvage
        self.lost = archive.lost
        self._is_cut_off = salvage is not None
        self._first_damage: DamagedPart | None = None
        self._archive = archive
        self._seen: set[tuple[str, int]] = set()
        self._last_name = ""  # of the sample that was yielded last
        self._limits = limits
        self.header, self.other = self._read_header()

    def reductions(self) -> Raw:
        if REDUCTIONS not in self._archive:
            return NOTHING
        if self._archive.size_bytes(REDUCTIONS) > MAX_JSON_BYTES:
            return Raw(omitted(self._archive.size_bytes(REDUCTIONS)))
        try:
            data = clean_strings(self._archive.read(REDUCTIONS))
            return decode(_decode_any, data, REDUCTIONS)
        except DamagedPart as error:
            self._pass_over(REDUCTIONS, error)
            return NOTHING

    def samples(self) -> Iterator[LogSample]:
        names = self._sample_names()
        for name in names:
            with contextlib.ExitStack() as resources:
                try:
                    sample = self._sample(name, resources)
                except DamagedPart as error:
                    self._pass_over(name, error)
                    continue
                self._last_name = name
                self._seen.add(key_of(sample.record))
                yield sample
        if names and not self._seen and self._first_damage and not self._is_cut_off:
            raise self._first_damage
        self._last_name = ""
        yield from self._summarized().values()

    def lose(self, sample: LogSample, error: DamagedPart) -> None:
        self._seen.discard(key_of(sample.record))
        self._pass_over(self._last_name or f"the summary of sample {sample.record.id}", error)

    def close(self) -> None:
        self.source.close()

    def _read_header(self) -> tuple[HeaderRecord, Mapping[str, Raw]]:
        """Return the header that the eval's end wrote, else the one of its beginning and what was changed since."""
        if HEADER in self._archive:
            try:
                return self._header_in(HEADER)
            except DamagedPart as error:
                if START not in self._archive:
                    raise
                self._pass_over(HEADER, error)
        if START not in self._archive:
            raise BrokenLog(
                "The archive has neither header.json nor _journal/start.json, so it is not an Inspect log.",
                hint="Check that the file was written by Inspect.",
            )
        header, other = self._header_in(START)
        updates = list(self._config_updates())
        return header, {**other, "config_updates": Raw(b"[%b]" % b",".join(updates))} if updates else other

    def _header_in(self, name: str) -> tuple[HeaderRecord, Mapping[str, Raw]]:
        if self._archive.size_bytes(name) > _MAX_HEADER_BYTES:
            raise BrokenLog(
                f"{name} has {self._archive.size_bytes(name)} bytes, more than the {_MAX_HEADER_BYTES} read."
            )
        return decode(_read_header, clean_strings(self._archive.read(name)), name)

    def _config_updates(self) -> Iterator[Raw]:
        for name in sorted(self._archive.names(CONFIG_JOURNAL), key=_number):
            try:
                yield decode(_decode_any, clean_json(self._archive.read(name)), name)
            except DamagedPart as error:
                self._pass_over(name, error)

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

    def _summarized(self) -> dict[tuple[str, int], LogSample]:
        """Return the samples, apart from those that were read, that only their summaries tell of."""
        names = [SUMMARIES] if SUMMARIES in self._archive else sorted(self._archive.names(SUMMARY_JOURNAL), key=_number)
        found: dict[tuple[str, int], LogSample] = {}
        for name in names:
            try:
                for data in self._list(name):
                    sample = sample_of_summary(data, name)
                    if key_of(sample.record) not in self._seen:
                        found[key_of(sample.record)] = sample  # the later one counts
            except DamagedPart as error:
                self._pass_over(name, error)
        return found

    def _list(self, name: str) -> Iterator[Raw]:
        if self._archive.size_bytes(name) <= self._limits.sample_memory_bytes:
            yield from decode(_decode_list, clean_json(self._archive.read(name)), name)
            return
        with JsonText(self._archive.pieces(name), name) as text:
            text.clean_numbers()
            yield from JsonCursor(text).values()

    def _pass_over(self, name: str, error: DamagedPart) -> None:
        self._first_damage = self._first_damage or error
        self.salvage = self.salvage or error.message
        self.lost.append(name)


def _number(name: str) -> int:
    found = _NUMBERED.fullmatch(name.rpartition("/")[2])
    return int(found[1]) if found else 0
