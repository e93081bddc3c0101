"""One HTTP/1.1 connection to a provider, on httptools: sends a request, gives the answer's head and then its pieces.

A general client spends a tenth of a millisecond a call on what a proxy does not want (cookies, redirects, sessions,
header dictionaries); see docs/decisions/proxy-data-path.md.
"""

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum
from typing import cast

import httptools

from proxy.request_body import BodyPart

MAX_HEAD_BYTES = 256 * 1024  # status line and headers of an answer
# More than this waits here while the client does not read; then the provider is not read either.
MAX_BUFFERED_BYTES = 256 * 1024
WRITE_BYTES = 128 * 1024
INFORMATIONAL = range(100, 200)


class Failure(Enum):
    """Why there is no whole answer."""

    NOT_REACHED = "could not be reached"
    NOT_REACHED_IN_TIME = "could not be reached in time"
    SILENT = "did not answer in time"
    CLOSED = "closed the connection without a whole answer"
    INVALID = "answered with something that is not HTTP"
    NOT_GRANTED = "did not grant the proxy an access token"


class UpstreamFailed(Exception):
    """The provider gave no answer, or the end of its answer never came."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


class UpstreamConnection(asyncio.Protocol):
    """Carries one call at a time; `on_free` is told when it can carry the next, unless it was closed meanwhile."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        silence_seconds: float,
        on_free: Callable[["UpstreamConnection"], None],
    ) -> None:
        self._loop = loop
        self._silence_seconds = silence_seconds
        self._on_free = on_free
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._active_at = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._is_busy = False
        self._can_write = True
        self._is_paused = False
        self.idle_since = 0.0
        self._begin()

    def _begin(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.content_length: int | None = None
        self.first_byte_at = 0.0
        self._head_bytes = 0
        self._has_head = False
        self._is_chunked = False
        self._is_written = False
        self._is_complete = False
        self._can_be_kept = False
        self._pieces: list[bytes] = []
        self._buffered_bytes = 0
        self._failure: Failure | None = None

    # What a call does.

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def send(self, head: bytes, body: Sequence[BodyPart]) -> None:
        """Send a request and wait for the head of its answer. Raises UpstreamFailed."""
        self._begin()
        self._is_busy = True
        self._active_at = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._silence_seconds, self._look_for_silence)
        await self._write(head, body)
        while not self._has_head:
            await self._wait()

    async def read(self) -> list[bytes]:
        """Return the pieces that have come, each as the provider sent it, or nothing at the end.

        Raises UpstreamFailed where the end never comes; pieces that came before are returned first.
        """
        while not self._pieces:
            if self._is_complete:
                return []
            await self._wait()
        pieces, self._pieces, self._buffered_bytes = self._pieces, [], 0
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._active_at = self._loop.time()
            self._transport.resume_reading()
        return pieces

    async def read_all(self) -> bytes:
        """Return the rest of the answer. Raises UpstreamFailed."""
        pieces: list[bytes] = []
        while more := await self.read():
            pieces += more
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def finish(self) -> None:
        """End the call: keep the connection if the answer was read whole, else close it, so that the provider stops."""
        self._is_busy = False
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._can_be_kept and self._is_written and self._failure is None:
            self.idle_since = self._loop.time()
            self._on_free(self)
        else:
            transport.abort()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _write(self, head: bytes, body: Sequence[BodyPart]) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise UpstreamFailed(Failure.CLOSED)
        if len(body) == 1 and len(body[0]) <= WRITE_BYTES:
            transport.write(b"".join((head, body[0])))
            self._is_written = True
            return
        transport.write(head)
        for part in body:
            for start in range(0, len(part), WRITE_BYTES):
                while not self._can_write and not self._has_head:
                    await self._wait()
                if self._has_head:  # an early answer, most likely a refusal; nobody will read the rest
                    return
                transport.write(memoryview(part)[start : start + WRITE_BYTES])
        self._is_written = True

    async def _wait(self) -> None:
        if self._failure is not None:
            raise UpstreamFailed(self._failure)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._active_at = self._loop.time()
        if not self._is_busy or self._is_complete:
            self._fail(Failure.INVALID)  # nobody asked
            return
        if not self._has_head:
            self._head_bytes += len(data)
            self.first_byte_at = self.first_byte_at or self._active_at
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(Failure.INVALID)
            return
        if not self._has_head and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(Failure.INVALID)
            return
        if self._buffered_bytes > MAX_BUFFERED_BYTES and not self._is_paused and not self._is_complete:
            self._is_paused = True
            assert self._transport is not None
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        # An answer of unknown length, not in chunks, ends with its connection (RFC 9112 section 6.3).
        if self._has_head and self.content_length is None and not self._is_chunked:
            self._is_complete = True
            self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_busy and not self._is_complete and self._failure is None:
            self._failure = Failure.CLOSED
        self._wake()

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        self._active_at = self._loop.time()
        self._wake()

    # What the parser tells.

    def on_message_begin(self) -> None:
        if self._is_complete:
            raise ValueError("a second answer to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self.headers.append((name, value))
        if name == b"content-length" and value.isdigit():
            self.content_length = int(value)
        elif name == b"transfer-encoding":
            self._is_chunked = True

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._has_head = self.status not in INFORMATIONAL

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._buffered_bytes += len(body)

    def on_message_complete(self) -> None:
        if self._has_head:
            self._is_complete = True
            self._can_be_kept = self._parser.should_keep_alive()  # the parser knows it in this moment only
        else:
            self.headers = []

    def _look_for_silence(self) -> None:
        self._timer = None
        if not self._is_busy or self._is_complete:
            return
        now = self._loop.time()
        if self._is_paused:
            self._active_at = now  # it is the client who is slow
        remaining = self._active_at + self._silence_seconds - now
        if remaining <= 0:
            self._fail(Failure.SILENT)
        else:
            self._timer = self._loop.call_later(remaining, self._look_for_silence)

    def _fail(self, failure: Failure) -> None:
        if self._failure is None:
            self._failure = failure
        self.close()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
