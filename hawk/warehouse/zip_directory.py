"""Which members a zip has and where they lie: by its directory, or where that is missing by walking through the file.

Nothing is unpacked here, and a name is never more than a name: no path is ever made of one.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from hawk.errors import UserError
from hawk.warehouse.log_source import LogSource
from hawk.warehouse.read_limits import MEBIBYTE, ReadLimits

LOCAL_HEADER = struct.Struct("<4s2xHH4xIIIHH")
LOCAL_SIGNATURE = b"PK\x03\x04"

_ENTRY = struct.Struct("<4s4xHH4xIIIHHH8xI")
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4s20xQQQQ")
_LOCATOR64 = struct.Struct("<4sIQI")
_ENTRY_SIGNATURE, _END_SIGNATURE, _END64_SIGNATURE = b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06"
_LOCATOR64_SIGNATURE = b"PK\x06\x07"
_MAX_COMMENT_BYTES = 0xFFFF
_UTF8_NAME = 0x800
# The sizes stand behind the data, as of who cannot go back in what he writes. Inspect can; who packs anew may not.
_SIZES_FOLLOW = 0x8
_SIZES = struct.Struct("<4sIII")
_SIZES64 = struct.Struct("<4sIQQ")
_SIZES_SIGNATURE = b"PK\x07\x08"
_BUFFER_BYTES = MEBIBYTE
_RATIO_COUNTS_FROM_BYTES = 16 * MEBIBYTE  # a small entry does no harm however well it is packed
_SAMPLES = "samples/"


class BrokenLog(UserError):
    """The log cannot be imported whatever one tries; the message tells its owner why."""


class DamagedPart(BrokenLog):
    """One part of the log cannot be read; what others say is not in doubt because of it."""


class TruncatedLog(BrokenLog):
    """The end of the file is missing or does not fit; what lies before it may be readable (`salvage_log`)."""


class ZipEntry(NamedTuple):
    """One member of a zip."""

    name: str
    flags: int
    method: int
    crc: int
    compressed_bytes: int
    size_bytes: int
    offset: int  # of its local header


class WalkedMembers(NamedTuple):
    """What a file without a directory has: members that lie whole in it, in their order, and what follows them."""

    entries: list[ZipEntry]
    lost: list[str]  # the name of a last one that is cut off
    end: int  # where the last one that is whole ends


class _Directory(NamedTuple):
    entries: int
    size_bytes: int
    offset: int


def read_directory(source: LogSource, limits: ReadLimits) -> list[ZipEntry]:
    """Return the members in the order of the directory.

    Raises TruncatedLog where the directory is missing, BrokenLog where it cannot be true or asks for too much.
    """
    directory = _find_directory(source)
    if directory.entries > limits.max_entries:
        raise BrokenLog(f"The archive has {directory.entries} entries, more than the {limits.max_entries} read.")
    entries = list(_directory_entries(source, directory))
    if len(entries) != directory.entries:
        raise _cut_off(f"{len(entries)} of {directory.entries} entries in its directory")
    _check_sizes(entries, limits)
    _check_overlap(sorted(entries, key=lambda entry: entry.offset), directory.offset)
    return entries


def walk_members(source: LogSource, limits: ReadLimits) -> WalkedMembers:
    """Return the members of a file without a directory. Raises BrokenLog where they ask for too much."""
    found: list[ZipEntry] = []
    lost: list[str] = []
    offset = end = 0
    while offset < source.size_bytes and len(found) < limits.max_entries:
        start = source.read(offset, 4)
        if start == LOCAL_SIGNATURE:
            member = _local_entry(source, offset)
            if member is None:
                break
            entry, behind = member
            if behind is None or behind > source.size_bytes:
                lost.append(entry.name)
                break
            found.append(entry)
            offset = end = behind
        elif (skipped := _size_of_directory_record(source, offset, start)) is not None:
            offset += skipped  # of an earlier end of the file, behind which it was written on
        else:
            break
    _check_sizes(found, limits)
    return WalkedMembers(found, lost, end)


def _find_directory(source: LogSource) -> _Directory:
    tail_bytes = min(source.size_bytes, _END.size + _MAX_COMMENT_BYTES + _LOCATOR64.size)
    tail_offset = source.size_bytes - tail_bytes
    tail = source.read(tail_offset, tail_bytes)
    at = len(tail)
    while (at := tail.rfind(_END_SIGNATURE, 0, at)) >= 0:
        if at + _END.size <= len(tail) and at + _END.size + _END.unpack_from(tail, at)[-1] == len(tail):
            break
    else:
        raise _cut_off("its directory is missing")
    _, disk, directory_disk, _, count, size_bytes, offset, _ = _END.unpack_from(tail, at)
    end = tail_offset + at
    directory = _Directory(count, size_bytes, offset)
    if at >= _LOCATOR64.size and tail[at - _LOCATOR64.size :].startswith(_LOCATOR64_SIGNATURE):
        _, _, end, _ = _LOCATOR64.unpack_from(tail, at - _LOCATOR64.size)
        large = source.read(end, _END64.size)
        if len(large) < _END64.size or not large.startswith(_END64_SIGNATURE):
            raise _cut_off("its directory is not where its end says")
        _, _, *numbers = _END64.unpack(large)
        directory = _Directory(*numbers)
    elif disk or directory_disk:
        raise BrokenLog("The archive is one of several parts, which Inspect never writes.")
    if directory.offset + directory.size_bytes != end:
        raise _cut_off("its directory is not where its end says")
    return directory


def _directory_entries(source: LogSource, directory: _Directory) -> Iterator[ZipEntry]:
    buffer, position = b"", 0
    offset, end = directory.offset, directory.offset + directory.size_bytes
    for _ in range(directory.entries):
        while True:
            entry_bytes = _size_of_entry(buffer, position)
            if entry_bytes is not None and position + entry_bytes <= len(buffer):
                break
            more = source.read(offset, min(_BUFFER_BYTES, end - offset))
            if not more:
                raise _cut_off("its directory ends early")
            offset += len(more)
            buffer, position = buffer[position:] + more, 0
        yield _entry(buffer, position)
        position += entry_bytes


def _size_of_entry(buffer: bytes, position: int) -> int | None:
    if position + _ENTRY.size > len(buffer):
        return None
    signature, *_, name_bytes, extra_bytes, comment_bytes, _ = _ENTRY.unpack_from(buffer, position)
    if signature != _ENTRY_SIGNATURE:
        raise _cut_off("its directory is damaged")
    return int(_ENTRY.size + name_bytes + extra_bytes + comment_bytes)


def _entry(buffer: bytes, position: int) -> ZipEntry:
    _, flags, method, crc, compressed, size, name_bytes, extra_bytes, _, offset = _ENTRY.unpack_from(buffer, position)
    name_at = position + _ENTRY.size
    name = _name(buffer[name_at : name_at + name_bytes], flags)
    extra = buffer[name_at + name_bytes : name_at + name_bytes + extra_bytes]
    size, compressed, offset = _large_numbers(extra, (size, compressed, offset), name)
    return ZipEntry(name, flags, method, crc, compressed, size, offset)


def _local_entry(source: LogSource, offset: int) -> tuple[ZipEntry, int | None] | None:
    """Return the member that begins at an offset and where it ends; None where its header, or its end, is missing."""
    start = source.read(offset, LOCAL_HEADER.size)
    if len(start) < LOCAL_HEADER.size:
        return None
    _, flags, method, crc, compressed, size, name_bytes, extra_bytes = LOCAL_HEADER.unpack(start)
    rest = source.read(offset + LOCAL_HEADER.size, name_bytes + extra_bytes)
    if len(rest) < name_bytes + extra_bytes:
        return None
    name = _name(rest[:name_bytes], flags)
    size, compressed, _ = _large_numbers(rest[name_bytes:], (size, compressed, 0), name)
    entry = ZipEntry(name, flags, method, crc, compressed, size, offset)
    data_offset = offset + LOCAL_HEADER.size + name_bytes + extra_bytes
    if flags & _SIZES_FOLLOW:
        return _with_sizes_behind(source, entry, data_offset)
    return entry, data_offset + compressed


def _with_sizes_behind(source: LogSource, entry: ZipEntry, data_offset: int) -> tuple[ZipEntry, int | None]:
    """Return a member, and where it ends, by the sizes that stand behind its data; they say how far that is."""
    offset = data_offset
    while len(buffer := source.read(offset, _BUFFER_BYTES)) >= _SIZES.size:
        at = -1
        while (at := buffer.find(_SIZES_SIGNATURE, at + 1)) >= 0:
            behind = source.read(offset + at, _SIZES64.size)
            for layout in (_SIZES64, _SIZES):
                _, crc, compressed, size = layout.unpack(behind[: layout.size].ljust(layout.size, b"\0"))
                if compressed == offset + at - data_offset and len(behind) >= layout.size:
                    found = entry._replace(crc=crc, compressed_bytes=compressed, size_bytes=size)
                    return found, offset + at + layout.size
        offset += len(buffer) - len(_SIZES_SIGNATURE) + 1
    return entry, None


def _size_of_directory_record(source: LogSource, offset: int, signature: bytes) -> int | None:
    if signature == _ENTRY_SIGNATURE:
        return _size_of_entry(source.read(offset, _ENTRY.size), 0)
    if signature == _END_SIGNATURE:
        end = source.read(offset, _END.size)
        return _END.size + int(_END.unpack(end)[-1]) if len(end) == _END.size else None
    return {_END64_SIGNATURE: _END64.size, _LOCATOR64_SIGNATURE: _LOCATOR64.size}.get(signature)


def _large_numbers(extra: bytes, numbers: tuple[int, int, int], name: str) -> tuple[int, int, int]:
    """Return size, compressed size and offset, those that did not fit into 32 bits from the extra field."""
    if 0xFFFFFFFF not in numbers:
        return numbers
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            values = iter(struct.unpack_from(f"<{length // 8}Q", extra[at + 4 : at + 4 + length] + bytes(8)))
            size, compressed, offset = (next(values, n) if n == 0xFFFFFFFF else n for n in numbers)
            return size, compressed, offset
        at += 4 + length
    raise BrokenLog(f"{name} lacks the size of a large entry; the file is damaged.")


def _name(data: bytes, flags: int) -> str:
    name = data.decode("utf-8", "replace") if flags & _UTF8_NAME else data.decode("cp437")
    name = name.replace("\0", "\ufffd")  # reasons name it, and Postgres keeps no NUL
    # A sample's id may hold anything; all else has a name that Inspect chose.
    parts = name.replace("\\", "/").split("/")
    if not name.startswith(_SAMPLES) and (not parts[0] or ".." in parts or ":" in parts[0]):
        raise BrokenLog(
            f"The archive has an entry {name!r}, which is a path out of it.",
            hint="Inspect writes no such names; the file is not from Inspect, or was tampered with.",
        )
    return name


def _check_sizes(entries: list[ZipEntry], limits: ReadLimits) -> None:
    total = 0
    for entry in entries:
        total += entry.size_bytes
        if entry.size_bytes > limits.max_entry_bytes:
            raise BrokenLog(
                f"{entry.name} has {entry.size_bytes} bytes, more than the {limits.max_entry_bytes} that are read."
            )
        if entry.size_bytes > _RATIO_COUNTS_FROM_BYTES and entry.size_bytes > limits.max_ratio * entry.compressed_bytes:
            raise BrokenLog(
                f"{entry.name} unpacks {entry.compressed_bytes} bytes to {entry.size_bytes}, more than the"
                f" {limits.max_ratio} times that are read."
            )
    if total > limits.max_log_bytes:
        raise BrokenLog(f"The log unpacks to {total} bytes, more than the {limits.max_log_bytes} that are read.")


def _check_overlap(entries: list[ZipEntry], end: int) -> None:
    # Names in local headers are as long as here or the member is refused when it is read.
    begins = [*(entry.offset for entry in entries), end]
    for entry, next_begin in zip(entries, begins[1:], strict=True):
        if entry.offset + LOCAL_HEADER.size + entry.compressed_bytes > next_begin:
            raise BrokenLog(
                f"{entry.name} overlaps with what follows it; the file is damaged or was made to harm.",
                hint="Write the log again.",
            )


def _cut_off(what: str) -> TruncatedLog:
    return TruncatedLog(
        f"The file is not a complete zip archive ({what}).",
        hint="It may have been cut off while it was written or copied; write it again.",
    )
