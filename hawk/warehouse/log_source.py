"""Bytes of a log, by range, from a disk or from S3; one that changes while it is read is noticed."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hawk.errors import Conflict, NotFound, Upstream

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BLOCK_BYTES = 4 * 1024 * 1024  # one GET; small enough that a few in flight cost little memory
BLOCKS_AHEAD = 3


class ObjectChanged(Conflict):
    """The object is no longer the version that was asked for; a newer one has its own row in the inbox."""


class LogSource(Protocol):
    """A log whose bytes can be read by range; `etag` names its version, where there are versions."""

    name: str
    size_bytes: int
    etag: str
    last_modified: datetime

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes from `offset` on, fewer than `length` only at the end."""
        ...

    def close(self) -> None:
        """Let go of files and threads."""
        ...


class FileSource:
    """A log on this machine."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        status = os.fstat(self._file.fileno())
        self.name = str(path)
        self.size_bytes = status.st_size
        self.etag = f"{status.st_mtime_ns:x}-{status.st_size:x}"
        self.last_modified = datetime.fromtimestamp(status.st_mtime, UTC)

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        self._file.close()


class BytesSource:
    """A log, or a part of one, that is in memory."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name = name
        self.size_bytes = len(data)
        self.etag = ""
        self.last_modified = datetime.now(UTC)
        self._data = data

    def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def close(self) -> None:
        """Keep the bytes: they go with whoever holds this."""


class S3Source:
    """One version of an object on S3, read in blocks, the next ones on their way while one is used.

    Raises ObjectChanged where the object has another etag than was asked for, NotFound where it is gone.
    """

    def __init__(self, s3: "S3Client", bucket: str, key: str, *, etag: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._key = key
        self.name = f"s3://{bucket}/{key}"
        self.etag = etag
        self._blocks: dict[int, Future[bytes]] = {}
        self._workers = ThreadPoolExecutor(BLOCKS_AHEAD, thread_name_prefix="s3-read")
        with s3_errors(self.name):
            head = s3.head_object(Bucket=bucket, Key=key)
        if head["ETag"].strip('"') != etag:
            raise ObjectChanged(f"{self.name} was overwritten.", hint="Its new version is imported instead.")
        self.size_bytes = head["ContentLength"]
        self.last_modified = head["LastModified"]

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size_bytes)
        if offset >= end:
            return b""
        first, last = offset // BLOCK_BYTES, (end - 1) // BLOCK_BYTES
        parts = [self._block(index) for index in range(first, last + 1)]
        start = offset - first * BLOCK_BYTES
        whole = parts[0] if len(parts) == 1 else b"".join(parts)
        return whole[start : start + end - offset]

    def close(self) -> None:
        self._workers.shutdown(wait=True, cancel_futures=True)

    def _block(self, index: int) -> bytes:
        last_index = (self.size_bytes - 1) // BLOCK_BYTES
        # Ahead only of who reads on: a header is at one end or the other, and wants nothing in between.
        ahead = BLOCKS_AHEAD if index - 1 in self._blocks else 0
        for wanted in range(index, min(index + ahead, last_index) + 1):
            if wanted not in self._blocks:
                self._blocks[wanted] = self._workers.submit(self._fetch, wanted)
        block = self._blocks[index].result()
        # The last block stays: the zip's directory and the header are in it.
        window = {*range(index - 1, index + BLOCKS_AHEAD + 1), last_index}
        for left in [known for known in self._blocks if known not in window]:
            self._blocks.pop(left).cancel()
        return block

    def _fetch(self, index: int) -> bytes:
        start = index * BLOCK_BYTES
        end = min(start + BLOCK_BYTES, self.size_bytes) - 1
        with s3_errors(self.name):
            answer = self._s3.get_object(
                Bucket=self._bucket, Key=self._key, Range=f"bytes={start}-{end}", IfMatch=f'"{self.etag}"'
            )
            body = answer["Body"].read()
        if len(body) != end - start + 1:
            raise Upstream(f"S3 sent {len(body)} of {end - start + 1} bytes of {self.name}.", hint="Try again.")
        return body


@contextmanager
def s3_errors(name: str) -> Iterator[None]:
    """Turn what boto3 raises into ObjectChanged, NotFound or Upstream."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status == 412:
            raise ObjectChanged(f"{name} was overwritten.", hint="Its new version is imported instead.") from error
        if status == 404:
            raise NotFound(f"{name} is not on S3 any more.", value=name) from error
        code = error.response.get("Error", {}).get("Code", "unknown error")
        raise Upstream(f"S3 refused to read {name}: {code}.", hint="Try again in a moment.") from error
    except BotoCoreError as error:
        raise Upstream(f"S3 does not answer for {name}: {error}", hint="Try again in a moment.") from error
