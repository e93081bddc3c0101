"""Sends logs in parts, several at a time; what a hiccup of the API or the network stops is sent again."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from hawk.api.contracts import FinishUploadResponse, LogToImportResponse
from hawk.cli.client import HawkClient
from hawk.cli.local_logs import LocalLog, part_numbers, part_of, part_size
from hawk.errors import HawkError, NotSignedIn, TooManyRequests, Upstream

MAX_TRIES = 6
FIRST_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Upload:
    """A log whose bytes are wanted."""

    log: LocalLog
    upload_id: str
    received_parts: frozenset[int]

    @property
    def missing_parts(self) -> list[int]:
        return [number for number in part_numbers(self.log) if number not in self.received_parts]

    @property
    def received_bytes(self) -> int:
        return sum(part_size(self.log, number) for number in self.received_parts)

    @classmethod
    def of(cls, log: LocalLog, verdict: LogToImportResponse) -> "Upload":
        return cls(log, verdict.upload_id or "", frozenset(verdict.received_parts))


@dataclass
class Sent:
    """What came of uploads, in the order in which they ended."""

    finished: list[tuple[LocalLog, FinishUploadResponse]] = field(default_factory=list)
    refused: list[tuple[LocalLog, HawkError]] = field(default_factory=list)


def send_all(client: HawkClient, uploads: Sequence[Upload], progress: Callable[[int], None], *, at_once: int) -> Sent:
    """Send every log's missing parts and have it taken in; a log that is refused does not stop the others.

    Raises Upstream, TooManyRequests or NotSignedIn where going on is of no use; what was sent is kept.
    """
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="upload")
    try:
        sent = _Sending(pool, client, progress).send(uploads, most=2 * at_once)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
    return sent


class _Sending:
    """Parts and finishes under way; a log is finished when its last part has come."""

    def __init__(self, pool: ThreadPoolExecutor, client: HawkClient, progress: Callable[[int], None]) -> None:
        self._pool = pool
        self._client = client
        self._progress = progress
        self._running: dict[Future[FinishUploadResponse | None], Upload] = {}
        self._left: dict[str, int] = {}
        self._refused: set[str] = set()
        self._sent = Sent()

    def send(self, uploads: Sequence[Upload], *, most: int) -> Sent:
        parts = ((upload, number) for upload in uploads for number in upload.missing_parts)
        for upload in uploads:
            self._left[upload.upload_id] = len(upload.missing_parts)
            if not upload.missing_parts:
                self._running[self._pool.submit(_finish, self._client, upload)] = upload
        while True:
            self._submit_parts(parts, most)
            if not self._running:
                return self._sent
            for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                self._settle(future, self._running.pop(future))

    def _submit_parts(self, parts: Iterator[tuple[Upload, int]], most: int) -> None:
        while len(self._running) < most and (part := next(parts, None)) is not None:
            upload, number = part
            if upload.upload_id not in self._refused:
                future = self._pool.submit(_send_part, self._client, upload, number, self._progress)
                self._running[future] = upload

    def _settle(self, future: "Future[FinishUploadResponse | None]", upload: Upload) -> None:
        try:
            answer = future.result()
        except (Upstream, TooManyRequests, NotSignedIn):
            raise
        except HawkError as error:
            if upload.upload_id not in self._refused:
                self._refused.add(upload.upload_id)
                self._sent.refused.append((upload.log, error))
            return
        if answer is not None:
            self._sent.finished.append((upload.log, answer))
            return
        self._left[upload.upload_id] -= 1
        if not self._left[upload.upload_id] and upload.upload_id not in self._refused:
            self._running[self._pool.submit(_finish, self._client, upload)] = upload


def _send_part(
    client: HawkClient, upload: Upload, number: int, progress: Callable[[int], None]
) -> FinishUploadResponse | None:
    """Send one part; it is no answer yet."""
    data = part_of(upload.log, number)
    _patiently(lambda: client.put_part(upload.upload_id, number, data))
    progress(len(data))
    return None


def _finish(client: HawkClient, upload: Upload) -> FinishUploadResponse:
    return _patiently(lambda: client.finish_upload(upload.upload_id))


def _patiently[AnswerT](ask: Callable[[], AnswerT]) -> AnswerT:
    """Return the answer, asking again for half a minute while the API is away or busy."""
    for tried in range(1, MAX_TRIES):
        try:
            return ask()
        except (Upstream, TooManyRequests):
            pause = FIRST_PAUSE_SECONDS * 2 ** (tried - 1)
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # so that waiting clients do not come together
    return ask()
