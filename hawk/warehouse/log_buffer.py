"""The files in which Inspect shares what running samples have done so far: `.buffer/{log}/` beside a log.

A manifest names the running samples; segments hold what came since the segment before. Both are from Inspect's
`log/_recorders/buffer`, which is no public interface: a test reads what the installed Inspect writes.
"""

import hashlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Raw

from hawk.errors import NotFound
from hawk.warehouse.clean_json import clean_strings
from hawk.warehouse.decoding import decode
from hawk.warehouse.log_archive import BrokenLog, LogArchive
from hawk.warehouse.log_source import BytesSource, s3_errors
from hawk.warehouse.read_limits import ReadLimits

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MANIFEST = "manifest.json"


class SegmentPart(msgspec.Struct):
    """A part of the buffer that a sample has something in; logs before 2026 only give its number."""

    id: int


class RunningSample(msgspec.Struct):
    """One of the manifest's samples."""

    summary: Raw
    segments: list[int | SegmentPart] = msgspec.field(default_factory=list)

    def segment_ids(self) -> list[int]:
        return sorted({part if isinstance(part, int) else part.id for part in self.segments})


class Manifest(msgspec.Struct):
    samples: list[RunningSample] = msgspec.field(default_factory=list)


class BufferedEvent(msgspec.Struct):
    """An event; a later one of the same id is the same event, gone on."""

    event: Raw
    event_id: str = ""


class BufferedAttachment(msgspec.Struct):
    hash: str
    content: str


class PoolEntry(msgspec.Struct):
    id: int
    data: str  # JSON


class SegmentData(msgspec.Struct):
    """What one segment adds to one sample."""

    events: list[BufferedEvent] = msgspec.field(default_factory=list)
    attachments: list[BufferedAttachment] = msgspec.field(default_factory=list)
    message_pool: list[PoolEntry] = msgspec.field(default_factory=list)
    call_pool: list[PoolEntry] = msgspec.field(default_factory=list)


class BufferFolder(Protocol):
    """Where the files of one log's buffer lie."""

    name: str

    def read(self, name: str, max_bytes: int) -> bytes:
        """Return a file. Raises NotFound where there is none, BrokenLog where it is larger than that."""
        ...


class DiskBufferFolder:
    """The buffer of a log on this machine."""

    def __init__(self, log: Path) -> None:
        self._folder = log.parent / ".buffer" / log.stem
        self.name = str(self._folder)

    def read(self, name: str, max_bytes: int) -> bytes:
        path = self._folder / name
        try:
            if path.stat().st_size > max_bytes:
                raise _too_large(name, path.stat().st_size, max_bytes)
            return path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"{path} is not there.", value=str(path)) from error


class S3BufferFolder:
    """The buffer of a log on S3."""

    def __init__(self, s3: "S3Client", bucket: str, log_key: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        log = PurePosixPath(log_key)
        self._prefix = f"{log.parent}/.buffer/{log.stem}"
        self.name = f"s3://{bucket}/{self._prefix}"

    def read(self, name: str, max_bytes: int) -> bytes:
        with s3_errors(f"{self.name}/{name}"):
            answer = self._s3.get_object(Bucket=self._bucket, Key=f"{self._prefix}/{name}")
            if answer["ContentLength"] > max_bytes:
                answer["Body"].close()
                raise _too_large(name, answer["ContentLength"], max_bytes)
            return answer["Body"].read()


class LogBuffer:
    """The buffer of one log, as it is when this is made; `version` changes whenever it goes on."""

    def __init__(self, folder: BufferFolder, limits: ReadLimits) -> None:
        self._folder = folder
        self._limits = limits
        data = folder.read(MANIFEST, self._max_bytes)
        self.version = hashlib.blake2s(data, digest_size=16).hexdigest()
        self.manifest = decode(msgspec.json.Decoder(Manifest).decode, clean_strings(data), MANIFEST)

    @property
    def _max_bytes(self) -> int:
        return 16 * self._limits.sample_memory_bytes  # a segment is what a minute brought

    def segment(self, segment_id: int) -> LogArchive:
        """Return a segment. Raises NotFound where it is gone, as when its samples have ended meanwhile."""
        name = f"segment.{segment_id}.zip"
        return LogArchive(BytesSource(f"{self._folder.name}/{name}", self._folder.read(name, self._max_bytes)))

    def data(self, segment: LogArchive, sample_id: int | str, epoch: int) -> SegmentData:
        """Return what a segment adds to a sample."""
        name = f"{sample_id}_{epoch}.json"
        if name not in segment:
            return SegmentData()
        if segment.size_bytes(name) > self._max_bytes:
            raise _too_large(name, segment.size_bytes(name), self._max_bytes)
        return decode(msgspec.json.Decoder(SegmentData).decode, clean_strings(segment.read(name)), name)


def _too_large(name: str, size_bytes: int, max_bytes: int) -> BrokenLog:
    return BrokenLog(f"{name} of the buffer has {size_bytes} bytes, more than the {max_bytes} that are read.")
