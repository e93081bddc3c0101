"""The proxy's pure parts: what is found in a body, which headers pass, which settings make sense."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hawk.errors import UserError
from hawk.settings import ProxySettings
from proxy.headers import answer_headers, client_token, readable_codings, request_head, upstream_query
from proxy.providers import COMPATIBLE_UPSTREAMS, providers_of
from proxy.refusals import Refusal
from proxy.request_body import body_facts

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda values: (
        st.lists(values) | st.dictionaries(st.text() | st.sampled_from(["model", "models", "Model"]), values)
    ),
    max_leaves=20,
)
bodies = st.dictionaries(
    st.text().filter(lambda key: key.lower() not in ("model", "models", "preset")), json_values, max_size=5
)
header_names = st.sampled_from(
    ["accept", "authorization", "x-api-key", "cookie", "x-hawk-job-id", "te", "anthropic-version", "connection", "x-a"]
)
headers = st.lists(st.tuples(header_names.map(str.encode), st.sampled_from([b"a", b"x-a, te", b"Bearer t"])))


pieces = st.sampled_from([bytes, bytearray])  # a body that came in one piece, or in many


@given(bodies, st.text(min_size=1).filter(lambda text: text.isprintable()), st.booleans(), pieces)
def test_model_is_found_in_any_body_that_names_it_once(body, model, is_ascii, kind):
    text = json.dumps({**body, "model": model}, ensure_ascii=is_ascii)

    assert body_facts(kind(text.encode())).models == (model,)


@given(
    bodies,
    st.text(min_size=1),
    st.text(min_size=1),
    st.sampled_from(["model", "Model", "m\\u006fdel", "MODEL"]),
    pieces,
)
def test_body_that_names_two_models_is_refused(body, first, second, key, kind):
    start = json.dumps({**body, "model": first})[:-1]

    with pytest.raises(Refusal):
        body_facts(kind(f'{start}, "{key}": {json.dumps(second)}}}'.encode()))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_model_or_a_refusal(body):
    try:
        assert all(isinstance(model, str) for model in body_facts(body).models)
    except Refusal as refusal:
        assert refusal.status == 400


def names_and_values(head: bytes) -> list[tuple[bytes, bytes]]:
    lines = head.split(b"\r\n")
    assert lines.pop() == b""
    return [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]


@given(headers)
def test_no_key_and_no_header_of_ours_reaches_the_provider(raw):
    sent = names_and_values(request_head(raw))
    names = {name for name, _ in sent}

    assert not names & {b"authorization", b"x-api-key", b"cookie", b"x-hawk-job-id", b"te", b"connection"}
    if (b"connection", b"x-a, te") in raw:
        assert b"x-a" not in names
    kept = [pair for pair in raw if pair[0] in (b"accept", b"anthropic-version")]
    assert [pair for pair in sent if pair[0] != b"x-a"] == kept


@pytest.mark.parametrize(
    ("accepted", "asked"),
    [
        (b"gzip", b"gzip"),
        (b"gzip, deflate, br, zstd", b"gzip, deflate"),
        (b"br;q=1.0, gzip;q=0.8, *;q=0.1", b"gzip;q=0.8"),
        (b"br", b""),
        (b"GZIP", b"GZIP"),
        (b"", b""),
    ],
)
def test_only_codings_that_the_proxy_can_read_are_asked_for(accepted, asked):
    assert readable_codings(accepted) == asked


def test_headers_of_an_answer_keep_order_and_repeats():
    raw = [(b"x-b", b"1"), (b"set-cookie", b"x"), (b"x-a", b"2"), (b"x-b", b"3"), (b"transfer-encoding", b"chunked")]

    assert answer_headers(raw) == [(b"x-b", b"1"), (b"x-a", b"2"), (b"x-b", b"3")]


@pytest.mark.parametrize(
    ("raw", "query", "token"),
    [
        ([(b"authorization", b"Bearer a")], b"", "a"),
        ([(b"authorization", b"bearer  a ")], b"", "a"),
        ([(b"authorization", b"Basic a"), (b"x-api-key", b"b")], b"", "b"),
        ([(b"x-goog-api-key", b"c")], b"key=d", "c"),
        ([], b"alt=sse&key=d%2De", "d-e"),
        ([], b"key=", None),
        ([], b"", None),
        ([(b"authorization", b"Bearer ")], b"", None),
    ],
)
def test_token_is_taken_from_where_sdks_put_a_key(raw, query, token):
    assert client_token(dict(raw), query) == token


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", ""),
        (b"alt=sse", "alt=sse"),
        (b"key=a&alt=sse&key=b", "alt=sse"),
        (b"a=%2f+&b=&c", "a=%2f+&b=&c"),
        (b"KEY=a&k%65y=b&access_token=c", ""),
    ],
)
def test_query_loses_its_keys_and_nothing_else(query, expected):
    assert upstream_query(query) == expected


def settings(**changes) -> ProxySettings:
    values = {"database_url": SecretStr("postgresql://x"), "issuer": "http://i", "job_token_key": SecretStr("k" * 32)}
    return ProxySettings(**{**values, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"openai_upstream": "api.openai.com"},
        {"openai_upstream": "ftp://api.openai.com"},
        {"google_upstream": "https://host/path?key=x"},
        {"anthropic_upstream": "https://user:password@host"},
        {"provider_upstreams": {"vllm": "file:///etc/passwd"}},
        {"provider_upstreams": {"../x": "http://host"}},
        {"provider_upstreams": {"health": "http://host"}},
        {"provider_keys": {"nobody": SecretStr("k")}},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(changes):
    with pytest.raises(UserError) as caught:
        providers_of(settings(**changes))

    assert caught.value.hint


def test_compatible_providers_need_a_key_unless_they_are_our_own():
    providers = providers_of(
        settings(provider_keys={"groq": SecretStr("k")}, provider_upstreams={"vllm": "http://gpu:8000/"})
    )

    assert set(COMPATIBLE_UPSTREAMS) < set(providers)
    assert providers["groq"].has_key
    assert not providers["together"].has_key
    assert providers["vllm"].has_key
    assert providers["vllm"].upstream == "http://gpu:8000"


def test_key_is_not_shown_where_a_provider_is_printed():
    assert "secret-key" not in repr(providers_of(settings(openai_api_key=SecretStr("secret-key"))))
