"""What reaches the provider and what comes back."""

import gzip
import json
import time

import httpx
import pytest

from tests.fakes.provider import COMPLETION, STREAM_CHUNKS

CHAT = "/openai/v1/chat/completions"


def chat(model: str, **fields) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": "Hi"}], "model": model, **fields}).encode()


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_body_reaches_the_provider_byte_for_byte(client, provider, token):
    body = (
        b'{ "model" : "echo",\n"messages":[{"role":"user","content":"caf\xc3\xa9 \\u00e9 \\ud83d\\ude00"}],"x":1.50}\n'
    )

    answer = client.post(CHAT, content=body, headers={**bearer(token), "content-type": "application/json"})

    assert answer.status_code == 200
    assert provider.last.body == body
    assert provider.last.raw_path == "/v1/chat/completions"
    assert provider.last.header("content-type") == "application/json"


def test_answer_comes_back_byte_for_byte(client, provider, token):
    provider.answer_body = b'{"x":  1.50}\n\xff\x00'
    provider.answer_headers = {"x-request-id": "upstream-1", "openai-processing-ms": "12"}

    answer = client.post(CHAT, content=chat("echo"), headers=bearer(token))

    assert answer.content == provider.answer_body
    assert answer.headers["x-request-id"] == "upstream-1"
    assert answer.headers["openai-processing-ms"] == "12"
    assert answer.headers["x-hawk-request-id"].startswith("req_")


def test_answer_without_a_body_comes_back(client, provider, token):
    provider.answer_body = b""
    provider.answer_headers = {"x-empty": "1"}

    assert client.post(CHAT, content=chat("echo"), headers=bearer(token)).json() == COMPLETION


def test_compressed_answer_is_passed_on_as_it_is(client, provider, token):
    provider.answer_body = gzip.compress(b'{"a": 1}')
    provider.answer_headers = {"content-encoding": "gzip"}

    with client.stream(
        "POST", CHAT, content=chat("echo"), headers={**bearer(token), "accept-encoding": "gzip;q=0.5, br"}
    ) as answer:
        raw = b"".join(answer.iter_raw())

    assert raw == provider.answer_body
    assert answer.headers["content-encoding"] == "gzip"
    assert provider.last.header("accept-encoding") == "gzip;q=0.5"  # what the proxy cannot read is not asked for


def test_nothing_is_added_to_what_the_client_sent(proxy, provider, token):
    request = httpx.Request("POST", proxy.url + CHAT, content=chat("echo"), headers=bearer(token))
    with httpx.Client() as http:
        http.send(request)

    assert {name.lower() for name, _ in provider.last.headers} == {"host", "authorization", "content-length"}


def test_provider_sees_its_own_key_and_not_the_clients(client, provider, token):
    cases = [
        (CHAT, "echo", {"authorization": f"Bearer {token}"}, "authorization", "Bearer sk-openai-real"),
        (CHAT, "echo", {"api-key": token}, "authorization", "Bearer sk-openai-real"),
        ("/anthropic/v1/messages", "echo", {"x-api-key": token}, "x-api-key", "sk-anthropic-real"),
        ("/anthropic/v1/messages", "echo", bearer(token), "x-api-key", "sk-anthropic-real"),
        (
            "/google/v1beta/models/echo:generateContent",
            "echo",
            {"x-goog-api-key": token},
            "x-goog-api-key",
            "google-real",
        ),
        (f"/google/v1beta/models/echo:generateContent?key={token}", "echo", {}, "x-goog-api-key", "google-real"),
    ]
    for path, model, headers, key_header, key in cases:
        answer = client.post(path, content=chat(model), headers=headers)

        assert answer.status_code == 200, (path, answer.text)
        assert provider.last.header(key_header) == key
        assert token not in repr(provider.last.headers) + provider.last.raw_path
        keys = [name for name, _ in provider.last.headers if "key" in name.lower() or name.lower() == "authorization"]
        assert [name.lower() for name in keys] == [key_header]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/google/v1/models/echo:generateContent", "/base/v1beta/models/echo:generateContent"),
        (
            "/google/v1beta/models/echo:streamGenerateContent?alt=sse",
            "/base/v1beta/models/echo:streamGenerateContent?alt=sse",
        ),
        (
            "/google/v1beta/models/echo:generateContent?a=%2F+b&key=K&access_token=x&%6Bey=y&b",
            "/base/v1beta/models/echo:generateContent?a=%2F+b&b",
        ),
        ("/openai/v1/responses", "/v1/responses"),
        ("/openai/v1/embeddings", "/v1/embeddings"),
        ("/anthropic/v1/messages?beta=true", "/v1/messages?beta=true"),
        ("/anthropic/v1/messages/count_tokens", "/v1/messages/count_tokens"),
        ("/vllm/v1/chat/completions", "/v1/chat/completions"),
    ],
)
def test_paths_lead_to_the_providers_own(client, provider, token, path, expected):
    answer = client.post(path, content=chat("echo"), headers=bearer(token))

    assert answer.status_code == 200, answer.text
    assert provider.last.raw_path == expected


def test_headers_of_hawk_and_of_one_connection_stay_here(client, provider, token):
    kept = {"anthropic-version": "2023-06-01", "x-stainless-lang": "python", "user-agent": "sdk/1", "traceparent": "00"}
    dropped = {
        "x-hawk-job-id": "forged",
        "X-Inspect-Eval-Id": "forged",
        "x-middleman-priority": "high",
        "x-forwarded-for": "1.2.3.4",
        "x-llmock-force-status": "500",
        "cookie": "a=b",
        "openai-organization": "other",
        "connection": "keep-alive, x-private",
        "x-private": "1",
        "te": "trailers",
        "proxy-authorization": "Basic x",
        "via": "1.1 other",
    }

    client.post(CHAT, content=chat("echo"), headers={**bearer(token), **kept, **dropped})

    seen = {name.lower(): value for name, value in provider.last.headers}
    assert kept.items() <= seen.items()
    assert not set(seen) & {name.lower() for name in dropped}
    assert seen["host"] == f"127.0.0.1:{provider.port}"


def test_headers_of_the_providers_account_stay_there(client, provider, token):
    provider.answer_headers = {
        "set-cookie": "a=b",
        "openai-organization": "our-org",
        "alt-svc": "h3",
        "keep-alive": "timeout=5",
        "x-kept": "1",
    }

    answer = client.post(CHAT, content=chat("echo"), headers=bearer(token))

    assert answer.headers["x-kept"] == "1"
    assert not set(answer.headers) & {"set-cookie", "openai-organization", "alt-svc", "keep-alive"}


def test_stream_comes_chunk_by_chunk_as_it_is_made(client, provider, token):
    provider.chunk_seconds = 0.02
    chunks: list[tuple[float, bytes]] = []

    with client.stream("POST", CHAT, content=chat("stream", stream=True), headers=bearer(token)) as answer:
        for chunk in answer.iter_raw():
            chunks.append((time.time(), chunk))

    events = [chunk for _, chunk in chunks]
    delays = [at - json.loads(chunk[6:])["sent_at"] for at, chunk in chunks[:-1]]
    assert len(events) == STREAM_CHUNKS + 1
    assert events[-1] == b"data: [DONE]\n\n"
    assert sorted(delays)[len(delays) // 2] < 0.01
    assert answer.headers["content-type"] == "text/event-stream"


def test_stream_that_comes_at_once_keeps_its_chunks(proxy, token):
    """Read from the socket itself, since a client library may join what arrives together."""
    import socket

    body = chat("stream", stream=True)
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", proxy.settings.proxy_port)) as connection:
        connection.sendall(head.encode() + body)
        received = b"".join(iter(lambda: connection.recv(65536), b""))

    _, _, rest = received.partition(b"\r\n\r\n")
    sizes = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        sizes.append(int(size, 16))
        rest = rest[int(size, 16) + 2 :]
    assert len([size for size in sizes if size]) == STREAM_CHUNKS + 1
    assert sizes[-1] == 0


def test_large_body_and_large_answer_pass(serve, settings, provider, token):
    provider.answer_body = bytes(range(256)) * 20_000
    proxy = serve(settings, max_request_bytes=32 * 1024 * 1024)
    body = chat("echo", padding="x" * 20_000_000)

    answer = httpx.post(proxy.url + CHAT, content=body, headers=bearer(token), timeout=30)

    assert provider.last.body == body
    assert answer.content == provider.answer_body


def test_body_sent_in_chunks_passes(client, provider, token):
    body = chat("echo", padding="x" * 300_000)

    answer = client.post(
        CHAT, content=(body[start : start + 1000] for start in range(0, len(body), 1000)), headers=bearer(token)
    )

    assert answer.status_code == 200
    assert provider.last.body == body


def test_long_header_of_an_answer_passes(client, provider, token):
    provider.answer_headers = {"x-long": "y" * 20_000}

    assert client.post(CHAT, content=chat("echo"), headers=bearer(token)).headers["x-long"] == "y" * 20_000


def test_connection_serves_one_call_after_another(client, provider, token):
    statuses = [client.post(CHAT, content=chat("echo"), headers=bearer(token)).status_code for _ in range(50)]

    assert statuses == [200] * 50
    assert [call.was_cancelled for call in provider.calls] == [False] * 50
