"""Measures the proxy with auth, policy and ledger on: `make bench-proxy`, or `python -m benchmarks.proxy.run`.

The proxy has one core to itself, provider and client share another. Ends with one line of JSON.
"""

import argparse
import json
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psycopg

from benchmarks.proxy.servers import (
    HERE,
    OTHER_CORE,
    NotAtHand,
    Server,
    build_upstream,
    fill_registry,
    free_port,
    job_token,
    start_litellm,
    start_nginx,
    start_proxy,
    start_upstream,
)
from hawk.dev.postgres import EmbeddedPostgres

CHAT = "/v1/chat/completions"
CHUNKS = 201  # of a stream, its end included
STREAMS = 200
PACED_STREAMS = 10
PACE_MILLISECONDS = 2
BIG_BODY_BYTES = 20_000_000
SETTLE_SECONDS = 2.0  # until what a large body took has been given back
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Load(NamedTuple):
    """What wrk saw."""

    requests: int
    requests_per_second: float
    p50_milliseconds: float
    p99_milliseconds: float


class Streamed(NamedTuple):
    """One stream as a client at the socket saw it: milliseconds to its first chunk, and its chunks."""

    first_chunk_milliseconds: float
    chunks: int


def wrk(url: str, *, connections: int, seconds: float, token: str, stream: bool = False) -> Load:
    """Return what a load of so many connections met. Ends the benchmark where an answer was no success."""
    command = [
        "taskset",
        "-c",
        OTHER_CORE,
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(round(seconds), 1)}s",
        "--latency",
    ]
    environment = {"TOKEN": token, "PATH": "/usr/bin:/bin", **({"STREAM": "1"} if stream else {})}
    text = subprocess.run(
        [*command, "-s", str(HERE / "chat.lua"), url], env=environment, capture_output=True, text=True, check=True
    ).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"Calls failed:\n{text}")
    return Load(
        int(_found(r"(\d+) requests in", text)),
        float(_found(r"Requests/sec:\s+([\d.]+)", text)),
        _milliseconds(_found(r"(?m)^\s+50%\s+(\S+)", text)),
        _milliseconds(_found(r"(?m)^\s+99%\s+(\S+)", text)),
    )


def streamed(url: str, token: str, count: int) -> list[Streamed]:
    """Return how streams arrive, one after another on one connection."""
    host, _, port = url.removeprefix("http://").partition("/")[0].partition(":")
    path = "/" + url.removeprefix("http://").partition("/")[2]
    body = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hi"}],"stream":true}'
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n"
    found: list[Streamed] = []
    with socket.create_connection((host, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            begun = time.perf_counter()
            connection.sendall(head.encode() + body)
            found.append(_read_stream(connection, begun))
    return found


def _read_stream(connection: socket.socket, begun: float) -> Streamed:
    received, first = b"", 0.0
    while not received.endswith(b"\r\n0\r\n\r\n"):
        received += connection.recv(65536)
        if not first and b"data:" in received:
            first = time.perf_counter() - begun
    rest = received.partition(b"\r\n\r\n")[2]
    chunks = 0
    while (size := int(rest.partition(b"\r\n")[0], 16)) > 0:
        rest = rest.partition(b"\r\n")[2][size + 2 :]
        chunks += 1
    return Streamed(first * 1000, chunks)


def post_big_body(proxy: Server, token: str) -> float:
    """Return by how many times its size a large body raised the proxy's memory at its highest."""
    prefix = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"'
    body = prefix + b"x" * (BIG_BODY_BYTES - len(prefix) - 4) + b'"}]}'
    proxy.forget_peak()
    before = proxy.rss_megabytes()
    request = urllib.request.Request(
        f"{proxy.url}/openai{CHAT}", body, {"authorization": f"Bearer {token}", "content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()
    return (proxy.rss_megabytes("VmHWM") - before) * 1024 * 1024 / len(body)


def measure(folder: Path, *, seconds: float, requests: int) -> dict[str, float | int | str | None]:
    """Return all figures."""
    token, program = job_token(), build_upstream(folder)
    figures: dict[str, float | int | str | None] = {"benchmark": "proxy"}
    with ExitStack() as stack:
        postgres = stack.enter_context(_postgres(folder))
        upstream, paced = (
            stack.enter_context(_running(start_upstream(program, folder, pace_milliseconds=pace)))
            for pace in (0, PACE_MILLISECONDS)
        )
        direct = wrk(upstream.url + CHAT, connections=1, seconds=seconds / 2, token=token)
        _say("provider alone, 1 connection", direct)
        for name, start in (("nginx", start_nginx), ("litellm", start_litellm)):
            figures[f"{name}_rps_c16"] = _of_another(name, partial(start, upstream, folder), token, seconds)
        proxy = stack.enter_context(_running(start_proxy(upstream, postgres, folder)))
        figures |= _small_answers(proxy, direct, token, seconds=seconds, requests=requests)
        figures |= _streams(proxy, token, seconds=seconds)
        figures |= _first_tokens(upstream, proxy, token)
        figures["rss_mb_end"] = round(proxy.rss_megabytes(), 1)
        figures["big_body_times_its_size"] = round(post_big_body(proxy, token), 2)
        time.sleep(SETTLE_SECONDS)
        figures["rss_mb_after_big_body"] = round(proxy.rss_megabytes(), 1)
        figures["ledger_rows"] = _ledger_rows(postgres)
        proxy_of_paced = stack.enter_context(_running(start_proxy(paced, postgres, folder)))
        figures["joined_chunks"] = _joined_chunks(proxy_of_paced, token)
    return figures


def _of_another(name: str, start: Callable[[], Server], token: str, seconds: float) -> int | None:
    """Return another proxy's requests per second at 16 connections; None, having said why, where there is none."""
    try:
        server = start()
    except NotAtHand as error:
        print(f"{name} is not measured: {error}", flush=True)
        return None
    with _running(server):
        wrk(server.url + CHAT, connections=16, seconds=1, token=token)
        load = wrk(server.url + CHAT, connections=16, seconds=seconds / 2, token=token)
    _say(f"{name}, 16 connections", load)
    return round(load.requests_per_second)


def _small_answers(
    proxy: Server, direct: Load, token: str, *, seconds: float, requests: int
) -> dict[str, float | int | None]:
    url = f"{proxy.url}/openai{CHAT}"
    wrk(url, connections=16, seconds=2, token=token)
    start, begun = proxy.rss_megabytes(), proxy.cpu_seconds()
    many = wrk(url, connections=16, seconds=seconds, token=token)
    cpu_seconds = proxy.cpu_seconds() - begun
    _say("proxy, 16 connections", many)
    one = wrk(url, connections=1, seconds=seconds / 2, token=token)
    _say("proxy, 1 connection", one)
    done = many.requests + one.requests
    while done < requests:
        more = wrk(url, connections=16, seconds=(requests - done) / many.requests_per_second, token=token)
        _say("proxy, many requests", more)
        done += more.requests
    return {
        "rps_c16": round(many.requests_per_second),
        "p50_ms_c16": round(many.p50_milliseconds, 3),
        "cpu_us_per_call": round(cpu_seconds / many.requests * 1e6),
        "p99_ms_c16": round(many.p99_milliseconds, 3),
        "added_p50_ms_c1": round(one.p50_milliseconds - direct.p50_milliseconds, 3),
        "rss_mb_start": round(start, 1),
    }


def _streams(proxy: Server, token: str, *, seconds: float) -> dict[str, float | int | None]:
    begun = proxy.cpu_seconds()
    load = wrk(f"{proxy.url}/openai{CHAT}", connections=8, seconds=seconds / 2, token=token, stream=True)
    _say("proxy, 8 streams", load)
    return {"cpu_us_per_chunk": round((proxy.cpu_seconds() - begun) / (load.requests * CHUNKS) * 1e6, 1)}


def _first_tokens(upstream: Server, proxy: Server, token: str) -> dict[str, float | int | None]:
    """Compare when the first chunk of a stream comes, of a provider that sends it at once."""
    streamed(f"{proxy.url}/openai{CHAT}", token, 10)
    direct, through = (
        statistics.median(entry.first_chunk_milliseconds for entry in streamed(url, token, STREAMS))
        for url in (upstream.url + CHAT, f"{proxy.url}/openai{CHAT}")
    )
    return {"added_ttft_ms": round(through - direct, 3)}


def _joined_chunks(proxy: Server, token: str) -> int:
    """Return how many chunks of a provider that makes them one by one came joined to another."""
    return sum(CHUNKS - entry.chunks for entry in streamed(f"{proxy.url}/openai{CHAT}", token, PACED_STREAMS))


def _ledger_rows(postgres: EmbeddedPostgres) -> int:
    """Return how many calls stand closed in the ledger, once it is copied."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        last = -1
        while True:
            row = connection.execute("select count(*) from ops.model_call where state = 'complete'").fetchone()
            assert row is not None
            if row[0] == last:
                return int(row[0])
            last = row[0]
            time.sleep(2)


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def _postgres(folder: Path) -> Iterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(folder / "postgres", port=free_port())
    postgres.start()
    try:
        fill_registry(postgres)
        yield postgres
    finally:
        postgres.delete()


def _say(what: str, load: Load) -> None:
    print(
        f"{what:32} {load.requests_per_second:9,.0f} requests/s   p50 {load.p50_milliseconds:7.3f} ms"
        f"   p99 {load.p99_milliseconds:7.3f} ms",
        flush=True,
    )


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"wrk did not say {pattern}:\n{text}")
    return match[1]


def _milliseconds(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    assert match is not None, text
    return float(match[1]) * UNITS[match[2]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="how long the main load lasts")
    parser.add_argument("--requests", type=int, default=0, help="go on until so many, to see that memory stays flat")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hawk-bench-proxy-"))
    folder.chmod(0o755)  # the database runs as another user where we are root
    try:
        figures = measure(folder, seconds=options.seconds, requests=options.requests)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
