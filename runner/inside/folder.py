"""The eval set's folder, apart from its logs: commands that come in, progress that goes out."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit


@dataclass(frozen=True)
class StoredFile:
    """A file in the folder; `name` is its path within it."""

    name: str
    modified_at: datetime


class EvalSetFolder(Protocol):
    """Reads and writes small files beside the logs; safe to use from several threads."""

    def write(self, name: str, body: bytes, *, content_type: str = "application/json") -> None:
        """Replace a file."""

    def read(self, name: str) -> bytes:
        """Return a file's content. Raises FileNotFoundError."""

    def list(self, subfolder: str) -> list[StoredFile]:
        """Return the files under a folder of the folder."""


def folder_at(location: str) -> EvalSetFolder:
    """Return the folder at an s3:// URL or at a path of this machine."""
    return S3Folder(location) if location.startswith("s3://") else LocalFolder(Path(location))


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, name: str, body: bytes, *, content_type: str = "application/json") -> None:
        path = self._path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        unfinished.write_bytes(body)
        unfinished.replace(path)

    def read(self, name: str) -> bytes:
        return (self._path / name).read_bytes()

    def list(self, subfolder: str) -> list[StoredFile]:
        return [
            StoredFile(f"{subfolder}/{path.name}", datetime.fromtimestamp(path.stat().st_mtime, UTC))
            for path in sorted((self._path / subfolder).glob("*"))
            if path.is_file()
        ]


class S3Folder:
    """A folder on S3.

    Uses botocore, which inspect_ai's own S3 access brings along, with credentials from the environment.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3":
            raise ValueError(f"The log folder {url!r} is not an s3:// URL.")
        self._bucket = parts.netloc
        self._prefix = parts.path.strip("/") + "/"
        self._client: Any = None

    def write(self, name: str, body: bytes, *, content_type: str = "application/json") -> None:
        """Replace a file."""
        self._s3.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=body, ContentType=content_type)

    def read(self, name: str) -> bytes:
        """Return a file's content. Raises FileNotFoundError."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + name)
        except self._s3.exceptions.NoSuchKey as error:
            raise FileNotFoundError(name) from error
        body: bytes = answer["Body"].read()
        return body

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        self._s3.delete_object(Bucket=self._bucket, Key=self._prefix + name)

    def list(self, subfolder: str) -> list[StoredFile]:
        """Return the first thousand files under a folder of the folder, which is more than there ever are."""
        answer = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=f"{self._prefix}{subfolder}/")
        return [
            StoredFile(item["Key"].removeprefix(self._prefix), item["LastModified"])
            for item in answer.get("Contents", [])
        ]

    @property
    def _s3(self) -> Any:
        if self._client is None:
            # Not at the top: it takes a third of a second, which a start has to spare only beside other work.
            import botocore.session
            from botocore.config import Config

            self._client = botocore.session.get_session().create_client(
                "s3",
                config=Config(
                    connect_timeout=5,
                    read_timeout=30,
                    retries={"max_attempts": 3, "mode": "standard"},
                ),
            )
        return self._client
