"""Walks through JSON that is too large to be decoded at once: value by value, in little memory.

Where a value ends is asked of msgspec, which skips a gigabyte in a second: it refuses what stands behind a value, and
says at which byte. A test holds it to that.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Self

import msgspec
from msgspec import Raw

from hawk.errors import Upstream
from hawk.warehouse.clean_json import clean_pieces, clean_string_pieces
from hawk.warehouse.read_limits import MEBIBYTE
from hawk.warehouse.rows import MAX_JSON_BYTES, omitted
from hawk.warehouse.zip_directory import BrokenLog, DamagedPart

_BUFFER_BYTES = MEBIBYTE
_NEAR_BYTES = 64 * 1024  # nearly all values end within
_SKIP_BYTES = 4 * MEBIBYTE  # a larger value is skipped part by part

_skip = msgspec.json.Decoder(Raw).decode
_decode_key = msgspec.json.Decoder(str).decode
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_BYTE = re.compile(r"\(byte (\d+)\)")
_TRUNCATED = "Input data was truncated"
_SPACES = b" \t\r\n"
_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING_PART = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


class MalformedJson(DamagedPart):
    """What is read is not JSON, or has numbers that are none (NaN, Infinity): `JsonText.clean_numbers` helps then."""


class JsonText:
    """JSON laid out on disk, its strings clean; gone when it is closed."""

    def __init__(self, pieces: Iterable[bytes], name: str) -> None:
        self.name = name
        self._has_clean_numbers = False
        self._lay_out(clean_string_pieces(pieces))

    def clean_numbers(self) -> bool:
        """Put null where NaN or an infinity stands, and say whether that was still to be done; offsets change."""
        if self._has_clean_numbers:
            return False
        offsets = range(0, self.size_bytes, _BUFFER_BYTES)
        with self._file:
            self._lay_out(clean_pieces(self.read(offset, _BUFFER_BYTES) for offset in offsets))
        self._has_clean_numbers = True
        return True

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes from `offset` on, fewer than `length` only at the end."""
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()

    def _lay_out(self, pieces: Iterable[bytes]) -> None:
        with contextlib.ExitStack() as file_is_closed:
            try:
                file: IO[bytes] = file_is_closed.enter_context(tempfile.TemporaryFile(prefix="hawk-log-"))
                file.writelines(pieces)
                file.flush()
            except OSError as error:
                raise Upstream(
                    f"{self.name} cannot be laid out on this machine's disk: {error}.",
                    hint="Make room in the folder of temporary files (TMPDIR); it is tried again.",
                ) from error
            file_is_closed.pop_all()
        self._file = file
        self.size_bytes = file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self.close()


class JsonCursor:
    """A place in a JsonText, before a value or a mark. Raises BrokenLog where the JSON is none."""

    def __init__(self, text: JsonText, offset: int = 0) -> None:
        self._text = text
        self.offset = offset
        self._buffer = b""
        self._buffer_offset = offset

    def members(self) -> Iterator[str]:
        """Yield the keys of an object, each while the cursor is before its value, which the caller must pass."""
        self._expect(b"{")
        is_first = True
        while self._goes_on(b"}", is_first=is_first):
            is_first = False
            try:
                key = _decode_key(self.value())
            except msgspec.DecodeError as error:
                raise self._broken(f"a key that is none ({error})") from error
            self._expect(b":")
            yield key

    def elements(self) -> Iterator[int]:
        """Yield the numbers of a list's elements, each while the cursor is before it; the caller must pass it."""
        self._expect(b"[")
        index = 0
        while self._goes_on(b"]", is_first=index == 0):
            yield index
            index += 1

    def values(self) -> Iterator[Raw]:
        """Yield the elements of a list."""
        for _ in self.elements():
            yield self.value()

    def value(self, max_bytes: int = MAX_JSON_BYTES) -> Raw:
        """Return the value here and go behind it; a larger one than `max_bytes` only says how large it is."""
        self.next_byte()
        begin, window = self.offset, _NEAR_BYTES
        while (end := self._end_of_value(window)) is None:
            if window >= max_bytes:
                self.skip()
                return Raw(omitted(self.offset - begin))
            window = min(window * 4, max_bytes)
        data = self._view(end - begin)[: end - begin]
        self.offset = end
        return Raw(bytes(data).rstrip(_SPACES))

    def skip(self) -> None:
        """Go behind the value here, whatever its size."""
        kind = self.next_byte()
        end = self._end_of_value(_NEAR_BYTES)
        if end is None:
            end = self._end_of_value(_SKIP_BYTES)
        if end is not None:
            self.offset = end
        elif kind == b"{":
            for _ in self.members():
                self.skip()
        elif kind == b"[":
            for _ in self.elements():
                self.skip()
        elif kind == b'"':
            self._skip_string()
        else:
            raise self._broken(f"a word of more than {_SKIP_BYTES} bytes")

    def next_byte(self) -> bytes:
        """Return the next byte that is no white space, and go before it; empty at the end."""
        at = self.offset - self._buffer_offset
        byte = self._buffer[at : at + 1]
        if byte > b" ":
            return byte
        while view := self._view(1):
            if view[0] not in _SPACES:
                return bytes(view[:1])
            self.offset += _SPACE.match(view).end()  # type: ignore[union-attr]  # it matches anything
        return b""

    def _end_of_value(self, window: int) -> int | None:
        """Return where the value here ends, None where it does not within a window."""
        view = self._view(window)[:window]
        is_all = self.offset + len(view) >= self._text.size_bytes
        try:
            _skip(view)
        except RecursionError as error:
            raise BrokenLog(f"{self._text.name} is nested too deeply to be read.") from error
        except msgspec.DecodeError as error:
            said = str(error)
            if found := _TRAILING.search(said):
                return self.offset + int(found[1]) - 1
            # What the window parts, a number or a word, may seem malformed.
            if not is_all and (said == _TRUNCATED or len(view) - _byte_of(said) < 32):
                return None
            raise self._broken(said) from error
        # All of the window is the value; but is it all of the value?
        return self.offset + len(view) if is_all or view[0] in b'{["' else None

    def _skip_string(self) -> None:
        self.offset += 1
        while True:
            view = self._view(_BUFFER_BYTES)
            part = _STRING_PART.match(view)
            length = part.end() if part else 0
            if bytes(view[length : length + 1]) == b'"':
                self.offset += length + 1
                return
            if not length:
                raise self._broken("a string without an end")
            self.offset += length

    def _goes_on(self, close: bytes, *, is_first: bool) -> bool:
        mark = self.next_byte()
        if mark == close:
            self.offset += 1
            return False
        if not is_first:
            self._expect(b",")
        return True

    def _expect(self, mark: bytes) -> None:
        found = self.next_byte()
        if found != mark:
            raise self._broken(f"{mark.decode()} is missing")
        self.offset += 1

    def _view(self, length: int) -> memoryview:
        """Return at least so many bytes from here on, fewer only at the end."""
        begin = self.offset - self._buffer_offset
        if begin + length > len(self._buffer) and self._buffer_offset + len(self._buffer) < self._text.size_bytes:
            self._buffer = self._text.read(self.offset, max(length, _BUFFER_BYTES))
            self._buffer_offset, begin = self.offset, 0
        return memoryview(self._buffer)[begin:]

    def _broken(self, what: str) -> MalformedJson:
        return MalformedJson(f"{self._text.name} is not what Inspect writes there: {what} (at byte {self.offset}).")


def _byte_of(message: str) -> int:
    found = _BYTE.search(message)
    return int(found[1]) if found else 0
