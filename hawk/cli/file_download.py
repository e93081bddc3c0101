"""Brings files of an eval set to this machine: several at a time, on where they stopped, and whole or not at all."""

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx

from hawk.api.log_contracts import FileUrlResponse, SetFileListResponse, SetFileResponse
from hawk.cli.client import HawkClient, quoted
from hawk.cli.local_files import place_of
from hawk.errors import Conflict, HawkError, NotSignedIn, TooManyRequests, Upstream

MAX_TRIES = 6
FIRST_PAUSE_SECONDS = 0.5
CHUNK_BYTES = 1024 * 1024
STORE_TIMEOUT = httpx.Timeout(60.0, connect=10.0)

Outcome = Literal["downloaded", "kept", "failed"]


@dataclass(frozen=True)
class Brought:
    """What became of one file."""

    name: str
    path: str
    outcome: Outcome
    size_bytes: int
    reason: str = ""


def files_of(
    client: HawkClient, eval_set_id: str, kind: Literal["log", "artifact"], *, sample_uuid: str | None = None
) -> Iterator[SetFileResponse]:
    """Yield the set's files that the caller may have, by name."""
    query: dict[str, str] = {"kind": kind, "limit": "1000"}
    if sample_uuid:
        query["sample_uuid"] = sample_uuid
    while True:
        page = client.ask(SetFileListResponse, "GET", f"/eval_sets/{quoted(eval_set_id)}/files", query=query)
        yield from page.files
        if page.next_after is None:
            return
        query["after"] = page.next_after


class FileDownload:
    """Files of one set on their way into one folder."""

    def __init__(
        self, client: HawkClient, eval_set_id: str, folder: Path, *, force: bool, progress: Callable[[int], None]
    ) -> None:
        self._client = client
        self._id = eval_set_id
        self._folder = folder
        self._force = force
        self._progress = progress
        self._store = httpx.Client(timeout=STORE_TIMEOUT, follow_redirects=False)
        self._goes_through_api = False

    def bring(self, files: Sequence[SetFileResponse], *, at_once: int) -> list[Brought]:
        """Return what became of each file, in their order; one that fails does not stop the others.

        Raises NotSignedIn where going on is of no use; what has come is kept.
        """
        pool = ThreadPoolExecutor(at_once, thread_name_prefix="download")
        try:
            return list(pool.map(self._one, files))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            self._store.close()

    def _one(self, file: SetFileResponse) -> Brought:
        try:
            path = place_of(self._folder, self._id, file.name)
            if not self._force and _is_there(path, file):
                self._progress(file.size_bytes)
                return Brought(file.name, str(path), "kept", file.size_bytes)
            self._fetch(file, path)
        except NotSignedIn:
            raise
        except (HawkError, OSError) as error:
            return Brought(file.name, "", "failed", file.size_bytes, str(error))
        return Brought(file.name, str(path), "downloaded", file.size_bytes)

    def _fetch(self, file: SetFileResponse, path: Path) -> None:
        # Named for its version, so that what came of another is never gone on with.
        version = "".join(character for character in file.etag if character.isalnum())[:40]
        draft = path.with_name(f".{path.name[:150]}.{version}.part")
        if self._force:
            draft.unlink(missing_ok=True)
        if draft.is_symlink():
            raise Conflict(f"{draft} is a link, which is not followed.", hint="Remove it.")
        self._progress(draft.stat().st_size if draft.exists() else 0)
        with draft.open("ab") as target:
            for tried in range(1, MAX_TRIES + 1):
                try:
                    self._append(file, target.tell(), target.write)
                    break
                except (Upstream, TooManyRequests):
                    if tried == MAX_TRIES:
                        raise
                    pause = FIRST_PAUSE_SECONDS * 2 ** (tried - 1)
                    time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # so that they do not come together
            size = target.tell()
        if size != file.size_bytes:
            draft.unlink()
            raise Conflict(f"{file.name} came with {size} of {file.size_bytes} bytes.", hint="Download it again.")
        os.utime(draft, (file.last_modified.timestamp(),) * 2)
        os.replace(draft, path)  # noqa: PTH105  # atomic, as nothing of pathlib says that it is

    def _append(self, file: SetFileResponse, have: int, write: Callable[[bytes], int]) -> None:
        """Write the bytes that are missing. Raises Upstream, after which the rest may come."""
        if have >= file.size_bytes:
            return
        with self._answer(file, have) as answer:
            if answer.status_code != (206 if have else 200):
                raise Upstream(f"{file.name} cannot be had: the store answered {answer.status_code}.")
            if answer.headers.get("etag", "").strip('"') != file.etag:
                raise Conflict(f"{file.name} was overwritten meanwhile.", hint="Download it again.")
            left = file.size_bytes - have
            for chunk in answer.iter_bytes(CHUNK_BYTES):
                write(chunk[:left])
                self._progress(len(chunk[:left]))
                left -= len(chunk)
        if left > 0:
            raise Upstream(f"{file.name} stopped midway.")

    @contextlib.contextmanager
    def _answer(self, file: SetFileResponse, have: int) -> Iterator[httpx.Response]:
        """Give S3's own answer, or where S3 cannot be reached from here that of the API."""
        # Packed on its way it would have other ranges.
        headers = {"range": f"bytes={have}-"} if have else {}
        headers["accept-encoding"] = "identity"
        place = f"/eval_sets/{quoted(self._id)}/files"
        if not self._goes_through_api:
            known = self._client.ask(FileUrlResponse, "GET", f"{place}/url", query={"name": file.name})
            try:
                with self._store.stream("GET", known.url, headers=headers) as answer:
                    yield answer
                    return
            except (httpx.ConnectError, httpx.ConnectTimeout):
                self._goes_through_api = True
            except httpx.HTTPError as error:
                raise Upstream(f"{file.name} stopped midway: {type(error).__name__}.") from error
        with self._client.stream(f"{place}/content", query={"name": file.name}, headers=headers) as answer:
            yield answer


def _is_there(path: Path, file: SetFileResponse) -> bool:
    """Say whether this version was downloaded before: of its size, and of its moment."""
    try:
        status = path.stat()
    except OSError:
        return False
    return status.st_size == file.size_bytes and abs(status.st_mtime - file.last_modified.timestamp()) < 1
