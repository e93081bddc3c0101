"""The members of a `.eval`, unpacked and checked one at a time, whole or in pieces."""

import io
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import Self

import zstandard

from hawk.warehouse.log_source import LogSource
from hawk.warehouse.read_limits import DEFAULT_LIMITS, MEBIBYTE, ReadLimits
from hawk.warehouse.zip_directory import (
    LOCAL_HEADER,
    LOCAL_SIGNATURE,
    BrokenLog,
    DamagedPart,
    TruncatedLog,
    ZipEntry,
    read_directory,
    walk_members,
)

__all__ = ["PIECE_BYTES", "BrokenLog", "DamagedPart", "LogArchive", "TruncatedLog"]

PIECE_BYTES = MEBIBYTE

_ENCRYPTED = 0x1
_STORED, _DEFLATED = 0, 8
_ZSTANDARD = 93  # of Inspect's logs since 2025; the standard library knows it from Python 3.14 on


class LogArchive:
    """The members of a `.eval`, by name; where a name stands twice, the later one counts, as for Inspect.

    `lost` are the names of those that a file which is cut off had, but has not whole.
    """

    def __init__(
        self,
        source: LogSource,
        limits: ReadLimits = DEFAULT_LIMITS,
        *,
        entries: Iterable[ZipEntry] | None = None,
        lost: Iterable[str] = (),
    ) -> None:
        self._source = source
        found = read_directory(source, limits) if entries is None else entries
        self._entries = {entry.name: entry for entry in found}
        self._names = sorted(self._entries)
        self.lost = list(lost)

    @classmethod
    def salvaged(cls, source: LogSource, limits: ReadLimits = DEFAULT_LIMITS) -> Self:
        """Return what there is of an archive without a directory."""
        found = walk_members(source, limits)
        return cls(source, limits, entries=found.entries, lost=found.lost)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def names(self, prefix: str = "") -> list[str]:
        """Return the names under a prefix in the order in which they lie in the file."""
        found = []
        for index in range(bisect_left(self._names, prefix), len(self._names)):
            if not self._names[index].startswith(prefix):
                break
            found.append(self._names[index])
        return sorted(found, key=lambda name: self._entries[name].offset)

    def size_bytes(self, name: str) -> int:
        """Return how large a member is, unpacked."""
        return self._entries[name].size_bytes

    def read(self, name: str) -> bytes:
        """Return a member's bytes, checked against its CRC. Raises DamagedPart that names the member."""
        pieces = list(self.pieces(name))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield a member's bytes a piece at a time; that they are good is known when the last one came.

        Raises DamagedPart that names the member.
        """
        entry = self._entries[name]
        if entry.flags & _ENCRYPTED:
            raise BrokenLog(f"{name} is encrypted.", hint="Write the log without a password.")
        unpack = _UNPACK.get(entry.method)
        if unpack is None:
            raise BrokenLog(f"{name} is compressed in a way that is not known here (zip method {entry.method}).")
        size, crc = 0, 0
        try:
            for piece in unpack(_PackedBytes(self._source, entry), entry.size_bytes + 1):
                size += len(piece)
                crc = zlib.crc32(piece, crc)
                if size > entry.size_bytes:
                    break
                yield piece
        except (zlib.error, zstandard.ZstdError) as error:
            raise DamagedPart(f"{name} cannot be decompressed ({error}); the file is damaged.") from error
        if size != entry.size_bytes or crc != entry.crc:
            raise DamagedPart(f"{name} does not match its checksum; the file is damaged.")


class _PackedBytes(io.RawIOBase):
    """The bytes of a member as they lie in the file."""

    def __init__(self, source: LogSource, entry: ZipEntry) -> None:
        self._source = source
        self._name = entry.name
        self.left = entry.compressed_bytes
        start = source.read(entry.offset, LOCAL_HEADER.size)
        if len(start) < LOCAL_HEADER.size:
            raise DamagedPart(f"{entry.name} lies behind the end of the file; the file is damaged.")
        signature, *_, name_bytes, extra_bytes = LOCAL_HEADER.unpack(start)
        if signature != LOCAL_SIGNATURE:
            raise DamagedPart(f"{entry.name} is not where the zip's directory says; the file is damaged.")
        self._offset = entry.offset + LOCAL_HEADER.size + name_bytes + extra_bytes

    def read(self, size: int = -1, /) -> bytes:
        wanted = self.left if size < 0 else min(size, self.left)
        data = self._source.read(self._offset, wanted)
        if len(data) < wanted:
            raise DamagedPart(f"{self._name} is cut off; the file is damaged.")
        self._offset += wanted
        self.left -= wanted
        return data


# Each yields no more than `limit` bytes, whatever it is given: the limit is what the directory says and one.


def _stored(packed: _PackedBytes, limit: int) -> Iterator[bytes]:
    while limit > 0 and (piece := packed.read(min(limit, PIECE_BYTES))):
        limit -= len(piece)
        yield piece


def _inflated(packed: _PackedBytes, limit: int) -> Iterator[bytes]:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    while limit > 0 and not inflate.eof:
        piece = inflate.decompress(inflate.unconsumed_tail or packed.read(PIECE_BYTES), min(limit, PIECE_BYTES))
        if not piece and not packed.left and not inflate.unconsumed_tail:
            return
        limit -= len(piece)
        if piece:
            yield piece


def _unzstandard(packed: _PackedBytes, limit: int) -> Iterator[bytes]:
    # A frame says how much it holds, but so may one that was made to harm: memory is taken a piece at a time.
    unpack = zstandard.ZstdDecompressor()
    with unpack.stream_reader(packed, read_size=PIECE_BYTES, read_across_frames=True) as reader:  # type: ignore[arg-type]  # of a file it needs only read
        while limit > 0 and (piece := reader.read(min(limit, PIECE_BYTES))):
            limit -= len(piece)
            yield piece


_UNPACK: dict[int, Callable[[_PackedBytes, int], Iterator[bytes]]] = {
    _STORED: _stored,
    _DEFLATED: _inflated,
    _ZSTANDARD: _unzstandard,
}
