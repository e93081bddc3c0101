"""Notices that a client hung up while its call is under way, and ends the call."""

import asyncio
from types import TracebackType
from typing import Self

from proxy.calls import Receive
from proxy.refusals import ClientGone

# Calls that are shorter need nobody who watches.
WATCH_AFTER_SECONDS = 0.05


class HangUp:
    """Cancels what runs within it when the client is gone, and lets that out as ClientGone."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self._is_gone = False

    def __enter__(self) -> Self:
        self._call = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
        if not self._is_gone or self._call is None:
            return
        # An answer that was ready at the same moment has nobody to be sent to either.
        if self._call.uncancel() == 0 and (kind is None or issubclass(kind, asyncio.CancelledError)):
            raise ClientGone from None

    def _begin(self) -> None:
        self._watch = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True
        if self._call is not None:
            self._call.cancel()
