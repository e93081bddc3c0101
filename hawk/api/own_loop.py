"""Runs an app on a thread and an event loop of its own, so that what it does slowly there holds up nobody else."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class OwnLoop:
    """An ASGI app that is built, on its loop, when it is first asked for."""

    def __init__(self, build: Callable[[], Awaitable[ASGIApp]], *, name: str) -> None:
        self._build = build
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._building: asyncio.Future[ASGIApp] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what it raises is raised here, and its end on either side ends it on both."""
        outer = asyncio.get_running_loop()

        async def receive_outside() -> Message:
            message: Message = await _on(outer, receive())
            return message

        async def send_outside(message: Message) -> None:
            await _on(outer, send(message))

        async def serve() -> None:
            app = await self._app()
            await app(scope, receive_outside, send_outside)

        await _on(self._running_loop(), serve())

    def warm_up(self) -> None:
        """Begin to build the app, so that the first request need not wait as long."""

        async def build() -> None:
            await self._app()

        asyncio.run_coroutine_threadsafe(build(), self._running_loop())

    def close(self) -> None:
        """End the loop, if it ever ran."""
        with self._lock:
            loop, self._loop, self._building = self._loop, None, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    async def _app(self) -> ASGIApp:
        # One for all who ask meanwhile; one that failed is tried again by the next.
        if self._building is None or (self._building.done() and self._building.exception() is not None):
            self._building = asyncio.ensure_future(self._build())
        return await asyncio.shield(self._building)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run, args=[self._loop], name=self._name, daemon=True).start()
            return self._loop


async def _on(loop: asyncio.AbstractEventLoop, work: Any) -> Any:
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
