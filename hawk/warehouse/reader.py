"""Reads a log, `.eval` or `.json`, one sample at a time; knows files, not tables.

Understands what inspect-ai 0.3.41 (October 2024) and later write, finished or still growing.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Raw

from hawk.warehouse.clean_json import clean_json, clean_strings
from hawk.warehouse.decoding import Reader, decode
from hawk.warehouse.log_archive import BrokenLog, LogArchive
from hawk.warehouse.log_sample import LogSample, RecordTranscript
from hawk.warehouse.log_source import FileSource, LogSource
from hawk.warehouse.raw_json import is_given
from hawk.warehouse.records import (
    NOTHING,
    SAMPLE_FIELDS_WITHOUT_COLUMN,
    HeaderRecord,
    SampleRecord,
    SummaryRecord,
)

HEADER = "header.json"
START = "_journal/start.json"
REDUCTIONS = "reductions.json"
SUMMARIES = "summaries.json"
SUMMARY_JOURNAL = "_journal/summaries/"
SAMPLES = "samples/"

_CHUNKED_SAMPLE = re.compile(r"samples/.+_epoch_\d+/sample\.json")

_read_header = Reader(HeaderRecord).read
_read_sample = Reader(SampleRecord).read
_read_summary = Reader(SummaryRecord).read
_decode_list = msgspec.json.Decoder(list[Raw]).decode


class EvalLog(Protocol):
    """A log that can be read once from beginning to end."""

    source: LogSource
    header: HeaderRecord
    other: Mapping[str, Raw]  # fields of the header that the record does not name

    def reductions(self) -> Raw:
        """Return each sample's scores reduced over its epochs, as JSON; empty where there are none."""
        ...

    def samples(self) -> Iterator[LogSample]:
        """Yield the samples, each once, none kept."""
        ...


def open_log(source: LogSource) -> EvalLog:
    """Return the log in a source. Raises BrokenLog where it is none, or lacks its beginning."""
    start = source.read(0, 4)
    if not start:
        raise BrokenLog("The file is empty.", hint="It may still be written; it is tried again when it changes.")
    if start.lstrip()[:1] == b"{":
        return _JsonLog(source)
    return _ArchiveLog(source)


def open_file(path: Path) -> EvalLog:
    """Return the log at a path of this machine."""
    return open_log(FileSource(path))


class _ArchiveLog:
    def __init__(self, source: LogSource) -> None:
        self.source = source
        self._archive = LogArchive(source)
        name = HEADER if HEADER in self._archive else START
        if name not in self._archive:
            raise BrokenLog(
                "The archive has neither header.json nor _journal/start.json, so it is not an Inspect log.",
                hint="Check that the file was written by Inspect.",
            )
        self.header, self.other = decode(_read_header, clean_strings(self._archive.read(name)), name)

    def reductions(self) -> Raw:
        if REDUCTIONS not in self._archive:
            return NOTHING
        data = clean_json(self._archive.read(REDUCTIONS))
        return decode(msgspec.json.Decoder(Raw).decode, data, REDUCTIONS)

    def samples(self) -> Iterator[LogSample]:
        seen: set[tuple[str, int]] = set()
        for name in self._archive.names(SAMPLES):
            if _CHUNKED_SAMPLE.fullmatch(name):
                raise BrokenLog(
                    f"{name}: the sample is stored in chunks, which cannot be read here yet.",
                    hint="Write the log with Inspect's default layout.",
                )
            if name.endswith(".json"):
                sample = _sample(clean_strings(self._archive.read(name)), name)
                seen.add((str(sample.record.id), sample.record.epoch))
                yield sample
        for key, summary in self._summaries().items():
            if key not in seen:
                yield summary

    def _summaries(self) -> dict[tuple[str, int], LogSample]:
        names = [SUMMARIES] if SUMMARIES in self._archive else self._archive.names(SUMMARY_JOURNAL)
        found: dict[tuple[str, int], LogSample] = {}
        for name in names:
            for data in decode(_decode_list, clean_json(self._archive.read(name)), name):
                sample = summarized_sample(data, name)
                found[str(sample.record.id), sample.record.epoch] = sample  # the later one counts
        return found


class _JsonLog:
    """A log in one JSON document; Inspect's other format, whole in memory."""

    def __init__(self, source: LogSource) -> None:
        self.source = source
        data = clean_json(source.read(0, source.size_bytes))
        self.header, self.other = decode(_read_header, data, "the log")

    def reductions(self) -> Raw:
        return self.header.reductions

    def samples(self) -> Iterator[LogSample]:
        if not is_given(self.header.samples):
            return
        for index, data in enumerate(decode(_decode_list, self.header.samples, "samples")):
            yield _sample(data, f"samples[{index}]")


def _sample(data: bytes | Raw, name: str) -> LogSample:
    record, other = decode(_read_sample, data, name)
    return LogSample(record, RecordTranscript(record), other)


def summarized_sample(data: Raw, name: str) -> LogSample:
    """Return the sample of a summary: all that there is of one that still runs, or whose own entry is lost."""
    summary, other = decode(_read_summary, data, name)
    known = {field: getattr(summary, field) for field in SummaryRecord.__struct_fields__}
    known |= {field: other[field] for field in SAMPLE_FIELDS_WITHOUT_COLUMN if field in other}
    rest = {field: value for field, value in other.items() if field not in known}
    record = SampleRecord(**known)
    return LogSample(record, RecordTranscript(record), rest, is_complete=False)
