"""Passes requests and websockets on to Dagster's webserver, as they are but for what the door decides."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.websockets import WebSocket, WebSocketDisconnect
from yarl import URL

from hawk.auth import Principal
from hawk.door.gatekeeper import Gatekeeper
from hawk.errors import HawkError, Upstream

PROTOCOL = "graphql-ws"
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
# RFC 9110 section 7.6.1, and what is between the browser and the door only.
NOT_PASSED_ON = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
        "upgrade", "host", "cookie", "authorization", "content-length", "accept-encoding", "set-cookie",
    }
)  # fmt: skip


class Forwarder:
    """One webserver; `client` has been opened by the app."""

    def __init__(self, webserver_url: str, client: aiohttp.ClientSession) -> None:
        self._base = webserver_url.rstrip("/")
        self._client = client

    async def forward(self, request: Request, *, body: bytes | None = None) -> Response:
        """Return the webserver's answer, streamed. Raises Upstream where it does not answer."""
        headers = [(name, value) for name, value in request.headers.items() if name not in NOT_PASSED_ON]
        path = quote(request.scope["path"], safe="/:@!$&'()*+,;=-._~")
        query = request.scope["query_string"].decode("latin-1")
        url = URL(f"{self._base}{path}" + (f"?{query}" if query else ""), encoded=True)
        try:
            answer = await self._client.request(request.method, url, headers=headers, data=body, allow_redirects=False)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Upstream("Dagster does not answer.", hint="Try again in a moment.") from error
        passed = [(name.lower(), value) for name, value in answer.headers.items()]
        response = StreamingResponse(_chunks(answer), status_code=answer.status)
        response.raw_headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in passed
            if name not in NOT_PASSED_ON | {"content-encoding"}
        ]
        return response

    async def websocket(self, browser: WebSocket, principal: Principal, keeper: Gatekeeper) -> None:
        """Connect browser and webserver until one of them, or the sign-in, ends; each operation is judged first."""
        address = browser.client.host if browser.client else ""
        url = f"{self._base.replace('http', 'ws', 1)}/graphql"
        try:
            async with self._client.ws_connect(url, protocols=[PROTOCOL], max_msg_size=0) as webserver:
                await browser.accept(subprotocol=PROTOCOL)
                left = principal.expires_at.timestamp() - time.time() if principal.expires_at else 3600.0
                ways = (self._up(browser, webserver, principal, keeper, address), _down(webserver, browser))
                tasks = [asyncio.ensure_future(way) for way in ways]
                await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        except aiohttp.ClientError:
            pass
        with contextlib.suppress(RuntimeError):
            await browser.close(code=1000)

    async def _up(
        self,
        browser: WebSocket,
        webserver: aiohttp.ClientWebSocketResponse,
        principal: Principal,
        keeper: Gatekeeper,
        address: str,
    ) -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                text = await browser.receive_text()
                message = _message(text)
                if message.get("type") in ("start", "subscribe"):
                    try:
                        message["payload"] = await run_in_threadpool(_judged, keeper, principal, message, address)
                    except HawkError as error:
                        refusal = {"type": "error", "id": message.get("id"), "payload": {"message": str(error)}}
                        await browser.send_text(json.dumps(refusal))
                        continue
                await webserver.send_str(json.dumps(message))


def _judged(keeper: Gatekeeper, principal: Principal, message: Mapping[str, Any], address: str) -> dict[str, Any]:
    payload = message.get("payload")
    return keeper.admit(principal, payload if isinstance(payload, dict) else {}, address=address)


def _message(text: str) -> dict[str, Any]:
    if len(text) > MAX_MESSAGE_BYTES:
        raise WebSocketDisconnect(code=1009)
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WebSocketDisconnect(code=1007) from error
    if not isinstance(message, dict):
        raise WebSocketDisconnect(code=1007)
    return message


async def _down(webserver: aiohttp.ClientWebSocketResponse, browser: WebSocket) -> None:
    async for message in webserver:
        if message.type is not aiohttp.WSMsgType.TEXT:
            return
        await browser.send_text(message.data)


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async with answer:
        async for chunk in answer.content.iter_any():
            yield chunk
