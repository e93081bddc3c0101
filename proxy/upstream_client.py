"""Connections to providers: opened when a call needs one, kept for the next, closed when nobody came for a while."""

import asyncio
import ssl
from collections import defaultdict
from dataclasses import dataclass
from urllib.parse import urlsplit

from hawk.settings import ProxySettings
from proxy.upstream_connection import Failure, UpstreamConnection, UpstreamFailed

# Shorter than the idle time of every provider's load balancer, so that a call seldom meets a closed connection.
KEEP_ALIVE_SECONDS = 15.0
SWEEP_SECONDS = 5.0


@dataclass(frozen=True)
class Answer:
    """A whole answer, for the proxy's own questions."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Origin:
    """Where a provider listens."""

    host: str
    port: int
    is_secure: bool

    @property
    def host_header(self) -> bytes:
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == (443 if self.is_secure else 80)
        return (host if is_default else f"{host}:{self.port}").encode("ascii")


def origin_of(url: str) -> Origin:
    """Return where a base URL leads. Raises ValueError for a port that is none."""
    parts = urlsplit(url)
    is_secure = parts.scheme == "https"
    host = (parts.hostname or "").encode("idna").decode("ascii") if parts.hostname else ""
    return Origin(host, parts.port or (443 if is_secure else 80), is_secure)


class UpstreamClient:
    """Lends connections."""

    def __init__(self, settings: ProxySettings) -> None:
        self._connect_seconds = settings.upstream_connect_seconds
        self._silence_seconds = settings.upstream_timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._idle: defaultdict[Origin, list[UpstreamConnection]] = defaultdict(list)
        self._tls: ssl.SSLContext | None = None
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def close(self) -> None:
        """Close all connections that no call uses."""
        self._sweeper.cancel()
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    async def connection(self, origin: Origin) -> UpstreamConnection:
        """Return a connection for one call, the one used last where some are free. Raises UpstreamFailed."""
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        return await self._connect(origin)

    async def ask(self, origin: Origin, head: bytes, body: bytes = b"") -> Answer:
        """Return the whole answer to a request of the proxy's own. Raises UpstreamFailed."""
        connection = await self.connection(origin)
        try:
            await connection.send(head, [body])
            return Answer(connection.status, await connection.read_all())
        finally:
            connection.finish()

    async def _connect(self, origin: Origin) -> UpstreamConnection:
        def keep(connection: UpstreamConnection) -> None:
            self._idle[origin].append(connection)

        def make() -> UpstreamConnection:
            return UpstreamConnection(self._loop, silence_seconds=self._silence_seconds, on_free=keep)

        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await self._loop.create_connection(
                    make,
                    origin.host,
                    origin.port,
                    ssl=self._tls_context() if origin.is_secure else None,
                    server_hostname=origin.host if origin.is_secure else None,
                )
        except TimeoutError as error:
            raise UpstreamFailed(Failure.NOT_REACHED_IN_TIME) from error
        except (OSError, ssl.SSLError, UnicodeError) as error:
            raise UpstreamFailed(Failure.NOT_REACHED) from error
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _sweep(self) -> None:
        too_old = self._loop.time() - KEEP_ALIVE_SECONDS
        for origin, connections in list(self._idle.items()):
            for connection in [connection for connection in connections if connection.idle_since <= too_old]:
                connections.remove(connection)
                connection.close()
            if not connections:
                del self._idle[origin]
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)
