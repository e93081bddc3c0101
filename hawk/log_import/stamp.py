"""Writes into a log's header whose it is now: the eval set, who brought it, and what it said before.

Samples stay as they are, to the byte. Of an `.eval` everything before the zip's directory stays where it lies; the
new header and a new directory follow it. One that was cut off is made whole as far as it goes: without what is not
whole at its end, and with a note of that. Of a `.json` only the metadata of its eval is replaced.
"""

import io
import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hawk.log_import.json_edit import is_object, members_of, spliced, with_members
from hawk.warehouse.log_archive import BrokenLog, LogArchive
from hawk.warehouse.log_source import LogSource
from hawk.warehouse.read_limits import DEFAULT_LIMITS
from hawk.warehouse.zip_directory import TruncatedLog, WalkedMembers, walk_members

HEADERS = ("header.json", "_journal/start.json")
IMPORTED = "imported"  # the member of the metadata that tells of the import

_LOCAL_HEADER_BYTES = 30
_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)  # so that the same log and stamp give the same bytes


@dataclass(frozen=True)
class Stamp:
    """What is written into the metadata of the log's eval."""

    eval_set_id: str
    created_by: str
    imported_at: datetime
    file_name: str
    content_hash: str
    damage: str = ""  # what it lacks, where it was cut off


@dataclass(frozen=True)
class StampedLog:
    """A log as it is to lie on S3: the first bytes of the file that was brought, then a tail."""

    kept_bytes: int
    tail: bytes

    @property
    def size_bytes(self) -> int:
        return self.kept_bytes + len(self.tail)


class StampedSource:
    """The bytes of a stamped log, to read it before it is written anywhere."""

    def __init__(self, source: LogSource, stamped: StampedLog) -> None:
        self._source = source
        self._stamped = stamped
        self.name = source.name
        self.size_bytes = stamped.size_bytes
        self.etag = source.etag
        self.last_modified = source.last_modified

    def read(self, offset: int, length: int) -> bytes:
        kept = self._stamped.kept_bytes
        end = min(offset + length, self.size_bytes)
        if offset >= kept:
            return self._stamped.tail[offset - kept : max(end - kept, 0)]
        head = self._source.read(offset, min(end, kept) - offset)
        return head + self._stamped.tail[: end - kept] if end > kept else head

    def close(self) -> None:
        self._source.close()


def stamp_log(source: LogSource, stamp: Stamp) -> StampedLog:
    """Return the log with its header stamped. Raises BrokenLog where the header cannot be."""
    if source.read(0, 64).lstrip()[:1] == b"{":
        return StampedLog(0, stamped_document(source.read(0, source.size_bytes), stamp))
    return _stamped_archive(source, stamp)


def stamped_document(document: bytes, stamp: Stamp) -> bytes:
    """Return a header, or a whole log in JSON, with its eval's metadata stamped."""
    members, _ = members_of(document)
    if "eval" not in members or not is_object(document, members["eval"]):
        raise BrokenLog("The log's header has no eval.", hint="Check that the file was written by Inspect.")
    begin, end = members["eval"]
    of_eval = _metadata(document[begin:end])
    values = _stamp_values(of_eval, stamp)
    edits = {members["eval"]: with_members(document[begin:end], {"metadata": of_eval | values})}
    # What Inspect shows: the eval's metadata with later edits.
    if "metadata" in members and is_object(document, members["metadata"]):
        begin, end = members["metadata"]
        edits[begin, end] = with_members(document[begin:end], values)
    return spliced(document, edits)


def _metadata(eval_document: bytes) -> dict[str, Any]:
    members, _ = members_of(eval_document)
    if "metadata" not in members or not is_object(eval_document, members["metadata"]):
        return {}
    begin, end = members["metadata"]
    try:
        found = json.loads(eval_document[begin:end])
    except (ValueError, RecursionError) as error:
        raise BrokenLog(f"The metadata of the log's eval cannot be read: {error}.") from error
    return found if isinstance(found, dict) else {}


def _stamp_values(metadata: Mapping[str, Any], stamp: Stamp) -> dict[str, Any]:
    before = {name: metadata[name] for name in ("eval_set_id", "created_by") if name in metadata}
    earlier = metadata.get(IMPORTED)
    damage = stamp.damage or (earlier.get("damage") if isinstance(earlier, dict) else None)
    return {
        "eval_set_id": stamp.eval_set_id,
        "created_by": stamp.created_by,
        IMPORTED: {
            "by": stamp.created_by,
            "at": stamp.imported_at.isoformat(),
            "file_name": stamp.file_name,
            "content_hash": stamp.content_hash,
            **{f"original_{name}": value for name, value in before.items()},
            **({"damage": damage} if damage else {}),
            **({"earlier": earlier} if earlier is not None else {}),
        },
    }


def _stamped_archive(source: LogSource, stamp: Stamp) -> StampedLog:
    try:
        archive = LogArchive(source)
        whole: WalkedMembers | None = None
    except TruncatedLog as error:
        whole = walk_members(source, DEFAULT_LIMITS)
        archive = LogArchive(source, entries=whole.entries)
        stamp = replace(stamp, damage=damage_of_cut_off(error, whole.lost))
    headers = {name: stamped_document(archive.read(name), stamp) for name in HEADERS if name in archive}
    if whole is None:
        _refuse_lost_directory(source)
    overlay = _Overlay(source)
    with warnings.catch_warnings(), zipfile.ZipFile(overlay, "a") as zipped:
        warnings.simplefilter("ignore")
        if whole is not None:
            _make_directory(zipped, whole)
        _refuse_overlap(zipped)
        # The old headers' bytes stay in the file, where no directory tells of them.
        zipped.filelist = [info for info in zipped.filelist if info.filename not in headers]
        for name, data in headers.items():
            zipped.NameToInfo.pop(name, None)
            info = zipfile.ZipInfo(name, date_time=_EPOCH_OF_ZIP)
            info.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(info, data)
    return StampedLog(overlay.kept_bytes, overlay.tail)


def damage_of_cut_off(error: TruncatedLog, lost: Sequence[str]) -> str:
    """Return what people should know of a log that was cut off before it was brought."""
    return f"The file that was brought was cut off: {error.message}{f' Lost: {lost[0]}.' if lost else ''}"


def _make_directory(zipped: zipfile.ZipFile, whole: WalkedMembers) -> None:
    """Give an archive that was cut off a directory of the members that lie whole in it, to be written behind them."""
    zipped.start_dir = whole.end
    for entry in whole.entries:
        info = zipfile.ZipInfo(entry.name, date_time=_EPOCH_OF_ZIP)
        info.header_offset, info.flag_bits, info.compress_type = entry.offset, entry.flags, entry.method
        info.CRC, info.compress_size, info.file_size = entry.crc, entry.compressed_bytes, entry.size_bytes
        zipped.filelist.append(info)
        zipped.NameToInfo[entry.name] = info


def _refuse_lost_directory(source: LogSource) -> None:
    """Raise BrokenLog for a file whose directory is not at its end, to which zipfile would begin a new one."""
    try:
        with zipfile.ZipFile(_Overlay(source)):
            return
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise BrokenLog(
            f"The file is not a complete zip archive ({error}).",
            hint="It was cut off. Copy it anew; of an eval that crashed: inspect log recover FILE.",
        ) from error


def _refuse_overlap(zipped: zipfile.ZipFile) -> None:
    """Raise BrokenLog where a member reaches into the directory, which is about to be written over."""
    for info in zipped.filelist:
        end = info.header_offset + _LOCAL_HEADER_BYTES + len(info.orig_filename.encode()) + info.compress_size
        if end > zipped.start_dir:
            raise BrokenLog(f"{info.filename} overlaps the zip's directory; the file is damaged.")


class _Overlay(io.RawIOBase):
    """A source as a file that can be written behind the place of the first write; only that tail is kept."""

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self._position = 0
        self._tail: io.BytesIO | None = None
        self.kept_bytes = source.size_bytes

    @property
    def tail(self) -> bytes:
        return self._tail.getvalue() if self._tail is not None else b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.kept_bytes + len(self.tail)}[whence]
        if start + offset < 0:
            raise OSError("position before the beginning")
        self._position = start + offset
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        left = max(0, self.kept_bytes - self._position)
        data = self._source.read(self._position, left if size is None or size < 0 else min(size, left))
        self._position += len(data)
        return data

    def write(self, data: Any, /) -> int:
        if self._tail is None:
            self._tail = io.BytesIO()
            self.kept_bytes = self._position
        self._tail.seek(self._position - self.kept_bytes)
        written = self._tail.write(data)
        self._position += written
        return written

    def truncate(self, size: int | None = None, /) -> int:
        end = self._position if size is None else size
        if self._tail is not None:
            self._tail.truncate(max(end - self.kept_bytes, 0))
        return end
