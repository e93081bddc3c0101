"""The data path: a call goes to its provider and the answer comes back, byte for byte and chunk by chunk."""

import asyncio
import email.utils
import time
from datetime import UTC, datetime

from hawk.settings import ProxySettings
from proxy.admission import Admitted
from proxy.calls import Call, Message, Scope, Send, UsageState
from proxy.headers import answer_headers, request_head
from proxy.provider_limits import ProviderLimits
from proxy.refusals import BrokenAnswer, Reason, Refusal
from proxy.upstream_client import UpstreamClient
from proxy.upstream_connection import Failure, UpstreamConnection, UpstreamFailed
from proxy.usage_readers import UsageReader

# Answers up to this size are sent in one piece; longer ones, and those of unknown length, as they come.
WHOLE_ANSWER_BYTES = 256 * 1024
REQUEST_ID_HEADER = b"x-hawk-request-id"
# Too many calls, or too much work for now; 529 is Anthropic's.
WORTH_ANOTHER_TRY = frozenset({429, 503, 529})
FIRST_WAIT_SECONDS = 0.5
_PROVIDER_REQUEST_IDS = (b"x-request-id", b"request-id", b"x-goog-request-id", b"apim-request-id")
MAX_REQUEST_ID_CHARACTERS = 200

_REASON_OF = {
    Failure.NOT_REACHED: Reason.BAD_GATEWAY,
    Failure.NOT_REACHED_IN_TIME: Reason.BAD_GATEWAY,
    Failure.SILENT: Reason.TIMEOUT,
    Failure.CLOSED: Reason.BAD_GATEWAY,
    Failure.INVALID: Reason.BAD_GATEWAY,
    Failure.NOT_GRANTED: Reason.BAD_GATEWAY,
}


class Forwarder:
    """Sends calls to providers, and their answers to clients."""

    def __init__(self, settings: ProxySettings, client: UpstreamClient, limits: ProviderLimits) -> None:
        self._client = client
        self._limits = limits
        self._retries = settings.upstream_retries
        self._longest_wait = settings.upstream_retry_seconds

    async def forward(self, call: Call, admitted: Admitted, scope: Scope, send: Send) -> list[Message]:
        """Pass the call on and its answer back, but for the last messages, which are returned.

        Raises Refusal while nothing has been sent, BrokenAnswer after. Cancelled, it closes the provider's
        connection, so that the provider stops generating.
        """
        try:
            connection = await self._answered(call, admitted, scope)
        except UpstreamFailed as error:
            call.state, call.usage_state = "failed", _usage_after(error.failure)
            raise Refusal(_REASON_OF[error.failure], f"{call.provider.name} {error.failure.value}.") from error
        try:
            return await self._pass_back(call, connection, send)
        finally:
            connection.finish()

    async def _answered(self, call: Call, admitted: Admitted, scope: Scope) -> UpstreamConnection:
        """Return a connection whose answer has begun, after as many tries as the settings grant."""
        head = await self._head(call, admitted, scope)
        while True:
            connection = await self._client.connection(call.provider.origin)
            try:
                await connection.send(head, admitted.body)
            except BaseException:
                connection.finish()
                raise
            call.status = connection.status
            self._limits.note(call, connection.headers)
            wait = self._wait_before_next_try(call, connection)
            if wait is None:
                return connection
            connection.finish()
            call.retry_count += 1
            await asyncio.sleep(wait)

    async def _head(self, call: Call, admitted: Admitted, scope: Scope) -> bytes:
        provider = call.provider
        key_line = provider.key_line
        if provider.service_account is not None:
            key_line = await provider.service_account.key_line(self._client)
        size = sum(map(len, admitted.body)) if len(admitted.body) > 1 else admitted.size_bytes
        return b"".join(
            (
                b"POST ",
                admitted.path.encode("latin-1"),
                b" HTTP/1.1\r\nhost: ",
                provider.host_header,
                b"\r\n",
                request_head(scope["headers"]),
                key_line,
                b"content-length: %d\r\n\r\n" % size,
            )
        )

    def _wait_before_next_try(self, call: Call, connection: UpstreamConnection) -> float | None:
        if connection.status not in WORTH_ANOTHER_TRY or call.retry_count >= self._retries:
            return None
        said = retry_after_seconds(dict(connection.headers).get(b"retry-after"))
        wait = FIRST_WAIT_SECONDS * 2**call.retry_count if said is None else said
        return wait if wait <= self._longest_wait else None

    async def _pass_back(self, call: Call, connection: UpstreamConnection, send: Send) -> list[Message]:
        found = dict(connection.headers)
        call.provider_request_id = _provider_request_id(found)
        content_type = found.get(b"content-type", b"")
        call.is_streamed = content_type.startswith(b"text/event-stream")
        reader = UsageReader(
            call.provider.dialect, content_type=content_type, coding=found.get(b"content-encoding", b"").lower()
        )
        headers = answer_headers(connection.headers)
        headers.append((REQUEST_ID_HEADER, call.request_id.encode()))
        start: Message = {"type": "http.response.start", "status": connection.status, "headers": headers}
        length = connection.content_length
        if length is not None and length <= WHOLE_ANSWER_BYTES:
            return [start, {"type": "http.response.body", "body": await self._whole(call, connection, reader)}]
        await send(start)
        try:
            while pieces := await connection.read():
                if call.first_byte_seconds is None:
                    call.first_byte_seconds = time.monotonic() - call.began_at - call.waited_seconds
                for piece in pieces:
                    call.response_bytes += len(piece)
                    reader.feed(piece)
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            call.state = "complete"
        except UpstreamFailed as error:
            call.state = "broken"
            raise BrokenAnswer(error.failure.value) from error
        finally:
            _settle_usage(call, reader)
        return [{"type": "http.response.body", "body": b""}]

    async def _whole(self, call: Call, connection: UpstreamConnection, reader: UsageReader) -> bytes:
        try:
            body = await connection.read_all()
        except UpstreamFailed as error:
            call.state, call.usage_state = "failed", _usage_after(error.failure, status=connection.status)
            raise Refusal(_REASON_OF[error.failure], f"{call.provider.name} {error.failure.value}.") from error
        call.first_byte_seconds = time.monotonic() - call.began_at - call.waited_seconds
        call.response_bytes = len(body)
        reader.feed(body)
        call.state = "complete"
        _settle_usage(call, reader)
        return body


def retry_after_seconds(value: bytes | None, *, now: datetime | None = None) -> float | None:
    """Return how long a Retry-After asks to wait: a number of seconds, or a date (RFC 9110 section 10.2.3)."""
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    try:
        return max(float(text), 0.0) if text.replace(".", "", 1).isdigit() else _until(text, now or datetime.now(UTC))
    except (ValueError, TypeError, OverflowError):
        return None


def _until(text: str, now: datetime) -> float:
    moment = email.utils.parsedate_to_datetime(text)
    return max((moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds(), 0.0)


def _settle_usage(call: Call, reader: UsageReader) -> None:
    """Note what was used; what nobody says counts as missing, but an error uses nothing."""
    call.usage = reader.usage(is_whole=call.state == "complete")
    if call.usage is not None:
        call.usage_state = "reported"
    elif call.status >= 400 or call.reserved_tokens == 0:
        call.usage_state = "none"
    else:
        call.usage_state = "missing"


def _usage_after(failure: Failure, *, status: int = 200) -> UsageState:
    """Say whether a call without an answer may have been worked on: not where the provider never had it."""
    never_had_it = failure in (Failure.NOT_REACHED, Failure.NOT_REACHED_IN_TIME, Failure.NOT_GRANTED)
    return "none" if never_had_it or status >= 400 else "missing"


def _provider_request_id(headers: dict[bytes, bytes]) -> str:
    for name in _PROVIDER_REQUEST_IDS:
        if name in headers:
            return headers[name].decode("latin-1")[:MAX_REQUEST_ID_CHARACTERS]
    return ""
