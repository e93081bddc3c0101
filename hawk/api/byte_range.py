"""The Range header, as far as it is honoured: one range of bytes (RFC 9110, section 14)."""

import re
from dataclasses import dataclass

from starlette.exceptions import HTTPException

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True)
class ByteRange:
    """Bytes from `first` to `last`, both included; of an empty file `last` is -1."""

    first: int
    last: int
    is_part: bool

    @property
    def length(self) -> int:
        return self.last - self.first + 1


def asked_range(header: str | None, size_bytes: int) -> ByteRange:
    """Return what is asked for; all of it where the header asks for something else than one range.

    Raises a 416 where the range lies behind the end.
    """
    whole = ByteRange(0, size_bytes - 1, is_part=False)
    asked = _ONE_RANGE.fullmatch(header.strip()) if header else None
    if asked is None or asked.group() == "bytes=-":
        return whole
    if not asked[1]:  # the last so many
        first, last = max(0, size_bytes - int(asked[2])), size_bytes - 1
    else:
        first, last = int(asked[1]), min(int(asked[2] or size_bytes - 1), size_bytes - 1)
        if asked[2] and int(asked[2]) < int(asked[1]):
            return whole
    return part_of(first, last, size_bytes)


def part_of(first: int, last: int, size_bytes: int) -> ByteRange:
    """Return the part from `first` to `last` as far as the file goes. Raises a 416 where it begins behind its end."""
    if first >= size_bytes or last < first:
        raise HTTPException(
            416, f"The file has {size_bytes} bytes.", headers={"content-range": f"bytes */{size_bytes}"}
        )
    return ByteRange(first, min(last, size_bytes - 1), is_part=True)
