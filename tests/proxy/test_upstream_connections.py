"""Providers at the border of HTTP, byte by byte: what is kept, what is closed, what is believed."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from hawk.settings import ProxySettings
from proxy.upstream_client import Origin, UpstreamClient, origin_of
from proxy.upstream_connection import Failure, UpstreamFailed

HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def with_provider(settings: ProxySettings, serve: Serve, scenario, **changes):
    """Run the scenario with a client and a provider that answers each connection by `serve`."""

    async def run():
        connections = 0

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            try:
                await serve(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        client = UpstreamClient(settings.model_copy(update=changes))
        origin = Origin("127.0.0.1", server.sockets[0].getsockname()[1], is_secure=False)
        try:
            return await scenario(client, origin), connections
        finally:
            client.close()
            server.close()

    return asyncio.run(run())


def answering(*answers: bytes, end: bool = False) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"{}")
            writer.write(answer)
            await writer.drain()
        if not end:
            await reader.read()

    return serve


async def ask(client: UpstreamClient, origin: Origin) -> tuple[int, bytes]:
    answer = await client.ask(origin, HEAD, b"{}")
    return answer.status, answer.body


def failure_of(settings: ProxySettings, serve: Serve, **changes) -> Failure:
    with pytest.raises(UpstreamFailed) as caught:
        with_provider(settings, serve, ask, **changes)
    return caught.value.failure


def test_connection_is_used_again(settings):
    async def scenario(client, origin):
        return [await ask(client, origin) for _ in range(3)]

    answers, connections = with_provider(settings, answering(OK, OK, OK), scenario)

    assert answers == [(200, b"ok")] * 3
    assert connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\npoison!",
        OK + b"garbage",
    ],
    ids=["close", "HTTP/1.0", "a second answer", "more than an answer"],
)
def test_connection_that_may_not_be_kept_is_closed(settings, answer):
    async def scenario(client, origin):
        first = await ask(client, origin)
        await asyncio.sleep(0.02)
        return [first, await ask(client, origin)]

    answers, connections = with_provider(settings, answering(answer), scenario)

    assert answers == [(200, b"ok")] * 2
    assert connections == 2


def test_answer_that_nobody_asked_for_is_not_given_to_the_next_call(settings):
    async def serve(reader, writer):
        await reader.readuntil(b"{}")
        writer.write(OK)
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\npoison!")
        await reader.read()

    async def scenario(client, origin):
        first = await ask(client, origin)
        await asyncio.sleep(0.1)
        return [first, await ask(client, origin)]

    answers, connections = with_provider(settings, serve, scenario)

    assert answers == [(200, b"ok")] * 2
    assert connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK,
        CHUNKED + b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        CHUNKED + b"2;x=y\r\nok\r\n0\r\ntrailer: x\r\n\r\n",
    ],
)
def test_forms_of_an_answer(settings, answer):
    (found, _) = with_provider(settings, answering(answer), ask)

    assert found == (200, b"ok")


def test_answer_that_ends_with_its_connection_is_whole(settings):
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nok"

    (found, _) = with_provider(settings, answering(answer, end=True), ask)

    assert found == (200, b"ok")


def test_answer_without_a_body_is_whole(settings):
    (found, _) = with_provider(settings, answering(b"HTTP/1.1 204 No Content\r\n\r\n"), ask)

    assert found == (204, b"")


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"", Failure.CLOSED),
        (b"HTTP/1.1 200 OK\r\ncontent-le", Failure.CLOSED),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", Failure.CLOSED),
        (CHUNKED + b"5\r\nok", Failure.CLOSED),
        (CHUNKED + b"2\r\nok\r\n", Failure.CLOSED),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", Failure.INVALID),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", Failure.INVALID),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", Failure.INVALID),
        (CHUNKED + b"zz\r\nok\r\n", Failure.INVALID),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 300_000, Failure.INVALID),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 60_000, Failure.INVALID),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else None,
)
def test_what_is_no_answer_fails(settings, answer, failure):
    found = failure_of(settings, answering(answer, end=True))

    assert found == failure if failure else found in (Failure.CLOSED, Failure.INVALID)


def test_provider_that_only_stops_sending_is_silent_and_not_waited_for(settings):
    begun = time.monotonic()

    assert failure_of(settings, answering(b"HTTP/1.1 200"), upstream_timeout_seconds=0.2) is Failure.SILENT
    assert time.monotonic() - begun < 2


def test_slow_provider_is_waited_for_as_long_as_it_sends(settings):
    async def serve(reader, writer):
        await reader.readuntil(b"{}")
        for byte in OK:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)
        await reader.read()

    (found, _) = with_provider(settings, serve, ask, upstream_timeout_seconds=0.3)

    assert found == (200, b"ok")


def test_provider_that_refuses_before_it_has_the_whole_body_is_heard(settings):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 2\r\n\r\nno")
        await writer.drain()
        await asyncio.sleep(1)  # it reads no more

    async def scenario(client, origin):
        body = bytes(50_000_000)
        connection = await client.connection(origin)
        await connection.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n", [body])
        status, said = connection.status, await connection.read_all()
        connection.finish()
        return status, said, connection.is_open

    (found, _) = with_provider(settings, serve, scenario)

    assert found == (413, b"no", False)


def test_client_that_does_not_read_holds_up_the_provider_and_not_our_memory(settings):
    sent = 0

    async def serve(reader, writer):
        nonlocal sent
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 64000000\r\n\r\n")
        for _ in range(1000):
            writer.write(bytes(64_000))
            await writer.drain()
            sent += 64_000
        await reader.read()

    async def scenario(client, origin):
        connection = await client.connection(origin)
        await connection.send(HEAD, [b"{}"])
        await asyncio.sleep(0.5)
        held_up_at = sent
        size = 0
        while pieces := await connection.read():
            size += sum(map(len, pieces))
        connection.finish()
        return held_up_at, size

    ((held_up_at, size), _) = with_provider(settings, serve, scenario, upstream_timeout_seconds=0.3)

    assert held_up_at < 20_000_000
    assert size == 64_000_000


def test_idle_connection_that_the_provider_closed_is_not_used(settings):
    async def scenario(client, origin):
        answers = []
        for _ in range(3):
            answers.append(await ask(client, origin))
            await asyncio.sleep(0.05)
        return answers

    answers, connections = with_provider(settings, answering(OK, end=True), scenario)

    assert answers == [(200, b"ok")] * 3
    assert connections == 3


@pytest.mark.parametrize(
    ("url", "host", "port", "header"),
    [
        ("https://api.openai.com/x", "api.openai.com", 443, b"api.openai.com"),
        ("http://gpu:8000", "gpu", 8000, b"gpu:8000"),
        ("http://[::1]:80/", "::1", 80, b"[::1]"),
    ],
)
def test_origin_of_a_base_url(url, host, port, header):
    origin = origin_of(url)

    assert (origin.host, origin.port, origin.host_header) == (host, port, header)
