"""A model provider at the border of HTTP: real sockets, answers that a test chooses, a record of what came in.

It answers every path. What it does goes by the model that the call names: `echo` (and any unknown name) answers in
OpenAI's format, the others misbehave as they are called.
"""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

STREAM_CHUNKS = 20


@dataclass
class Received:
    """One call as it arrived."""

    method: str
    raw_path: str
    headers: list[tuple[str, str]]
    body: bytes
    ended: threading.Event = field(default_factory=threading.Event)
    was_cancelled: bool = False

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


class FakeProvider:
    """Serves from a thread of its own between `start` and `stop`."""

    def __init__(self) -> None:
        self.reset()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None
        self.port = 0

    def reset(self) -> None:
        """Forget what came in and answer as at first."""
        self.calls: list[Received] = []
        self.chunk_seconds = 0.0
        self.answer_body = b""  # sent instead of the completion, byte for byte
        self.answer_headers: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Received:
        return self.calls[-1]

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=256 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, auto_decompress=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = [(name.decode(), value.decode("latin-1")) for name, value in request.raw_headers]
        received = Received(request.method, request.raw_path, headers, body)
        self.calls.append(received)
        try:
            return await self._answers().get(_model(request, body), self._echo)(request, body)
        except (asyncio.CancelledError, ConnectionResetError):
            received.was_cancelled = True
            raise
        finally:
            received.ended.set()

    def _answers(self) -> dict[str, Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]]:
        return {
            "stream": self._stream,
            "cut-stream": self._cut_stream,
            "cut-answer": self._cut_answer,
            "hang": self._hang,
            "hang-midway": self._hang_midway,
            "drop": self._drop,
            "garbage": self._garbage,
            "redirect": self._redirect,
            "error-429": self._error_429,
            "error-500": self._error_500,
            "error-503": self._error_503,
            "error-503-once": self._error_503_once,
        }

    async def _echo(self, request: web.Request, body: bytes) -> web.StreamResponse:
        answer = self.answer_body or json.dumps(COMPLETION).encode()
        headers = {"content-type": "application/json", **self.answer_headers}
        return web.Response(body=answer, headers=headers)

    async def _begin(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream", **self.answer_headers})
        response.enable_chunked_encoding()
        await response.prepare(request)
        return response

    async def _stream(self, request: web.Request, body: bytes) -> web.StreamResponse:
        response = await self._begin(request)
        for number in range(STREAM_CHUNKS):
            await response.write(f'data: {{"n": {number}, "sent_at": {time.time()}}}\n\n'.encode())
            await asyncio.sleep(self.chunk_seconds)
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    async def _cut_stream(self, request: web.Request, body: bytes) -> web.StreamResponse:
        response = await self._begin(request)
        await response.write(b'data: {"n": 0}\n\n')
        await asyncio.sleep(0.05)
        assert request.transport is not None
        request.transport.close()
        return response

    async def _cut_answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n" + b"x" * 1000)
        await asyncio.sleep(0.05)
        request.transport.close()
        return web.Response()

    async def _hang(self, request: web.Request, body: bytes) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async def _hang_midway(self, request: web.Request, body: bytes) -> web.StreamResponse:
        response = await self._begin(request)
        await response.write(b'data: {"n": 0}\n\n')
        await asyncio.sleep(60)
        return response

    async def _drop(self, request: web.Request, body: bytes) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _garbage(self, request: web.Request, body: bytes) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"this is not HTTP\r\n\r\n")
        request.transport.close()
        return web.Response()

    async def _redirect(self, request: web.Request, body: bytes) -> web.StreamResponse:
        return web.Response(status=307, headers={"location": "http://127.0.0.1:1/elsewhere"})

    async def _error_429(self, request: web.Request, body: bytes) -> web.StreamResponse:
        headers = {"retry-after": "7", "x-ratelimit-remaining-requests": "0", "content-type": "application/json"}
        return web.Response(status=429, headers=headers, body=b'{"error": {"message": "slow down"}}')

    async def _error_503(self, request: web.Request, body: bytes) -> web.StreamResponse:
        return web.Response(status=503, headers={"retry-after": "0"}, body=b'{"error": {"message": "overloaded"}}')

    async def _error_503_once(self, request: web.Request, body: bytes) -> web.StreamResponse:
        seen = sum(call.body == body for call in self.calls)
        return await (self._error_503 if seen == 1 else self._echo)(request, body)

    async def _error_500(self, request: web.Request, body: bytes) -> web.StreamResponse:
        return web.Response(status=500, body=b"oops, not even JSON")


COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "echo",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6},
}


def _model(request: web.Request, body: bytes) -> str:
    _, found, rest = request.path.partition("/models/")
    if found:
        return rest.partition(":")[0]
    try:
        return str(json.loads(body).get("model"))
    except (ValueError, AttributeError):
        return ""
