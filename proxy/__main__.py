"""Serves the proxy: `python -m proxy`. SIGTERM lets running calls end first, for as long as the settings say."""

import contextlib
import ctypes
import logging
import signal
import sys

import uvicorn

from hawk.settings import ProxySettings
from proxy.app import Proxy, create_app
from proxy.log_lines import set_up_logging

# Connections that wait to be accepted; bursts of a few hundred samples start at once.
BACKLOG = 2048
M_MMAP_THRESHOLD = -3  # malloc.h of glibc
LARGE_BLOCK_BYTES = 256 * 1024


def main() -> None:
    """Serve until SIGTERM."""
    set_up_logging(logging.INFO)
    give_large_blocks_back()
    # uvicorn raises the signal again once all calls have ended; that is a good end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = ProxySettings()
    workers = settings.proxy_workers
    uvicorn.run(
        create_app(settings) if workers == 1 else "proxy.__main__:worker_app",
        factory=workers > 1,
        workers=workers,
        host=settings.proxy_host,
        port=settings.proxy_port,
        backlog=BACKLOG,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        ws="none",
        proxy_headers=False,  # who asks for metrics is told by the connection, not by a header
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


def worker_app() -> Proxy:
    """Return the app of one of several processes."""
    set_up_logging(logging.INFO)
    give_large_blocks_back()
    return create_app(ProxySettings())


def give_large_blocks_back() -> None:
    """Let memory of large bodies go back to the system when they have passed; glibc keeps it once it has seen a few."""
    with contextlib.suppress(OSError, AttributeError):  # other C libraries have no such thing
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)


if __name__ == "__main__":
    main()
