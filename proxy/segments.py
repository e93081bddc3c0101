"""Files that the ledger is first written to: only appended to, each held by the process that writes it.

A write has left the process when it returns, so `kill -9` loses nothing; a power cut may lose what the disk had not
stored yet.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

SUFFIX = ".ledger"
MAX_SEGMENT_BYTES = 32 * 1024 * 1024
READ_BYTES = 1024 * 1024


class Segment:
    """One file, and how far it has been copied."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.size_bytes = os.fstat(descriptor).st_size
        self.copied_bytes = 0

    @classmethod
    def create(cls, path: Path) -> "Segment":
        """Return a new segment, held by us. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return cls(path, descriptor)

    @classmethod
    def adopt(cls, path: Path) -> "Segment | None":
        """Return a segment that a dead process left, without a last line that it had not finished, or None."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        segment = cls(path, descriptor)
        segment._drop_unfinished_line()
        return segment

    @property
    def is_copied(self) -> bool:
        return self.copied_bytes >= self.size_bytes

    def append(self, line: bytes) -> None:
        """Write whole lines. Raises OSError where the disk does not take all of it; then nothing was written."""
        written = os.write(self._descriptor, line)
        if written != len(line):
            os.ftruncate(self._descriptor, self.size_bytes)
            raise OSError("the disk is full")
        self.size_bytes += written

    def uncopied(self, end: int) -> bytes:
        """Return the next whole lines before `end` that are not copied yet, up to about a megabyte."""
        text = os.pread(self._descriptor, min(READ_BYTES, end - self.copied_bytes), self.copied_bytes)
        return text[: text.rfind(b"\n") + 1]

    def lines(self) -> Iterator[bytes]:
        with open(self.path, "rb") as file:  # noqa: PTH123  # Path.open is the same
            for line in file:
                yield line.rstrip(b"\n")

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        os.close(self._descriptor)

    def _drop_unfinished_line(self) -> None:
        end = self.size_bytes
        while end:
            start = max(end - READ_BYTES, 0)
            last = os.pread(self._descriptor, end - start, start).rfind(b"\n")
            if last >= 0:
                end = start + last + 1
                break
            end = start
        os.ftruncate(self._descriptor, end)
        self.size_bytes = end


def left_behind(folder: Path) -> list[Segment]:
    """Return the segments of dead processes, now ours."""
    found = (Segment.adopt(path) for path in sorted(folder.glob(f"*{SUFFIX}")))
    return [segment for segment in found if segment is not None]
