"""Which headers and query fields pass the proxy: all but what is ours, the client's key, or one connection's own."""

from collections.abc import Mapping, Sequence
from urllib.parse import unquote_plus

RawHeaders = Sequence[tuple[bytes, bytes]]

# RFC 9110 section 7.6.1, and what else speaks of one connection only.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"expect",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# The client's own key; where the call goes, on whose account, and that it is a POST, is for the proxy to say.
CLIENT_ONLY = frozenset(
    {
        b"api-key",
        b"authorization",
        b"content-length",
        b"cookie",
        b"forwarded",
        b"host",
        b"openai-organization",
        b"openai-project",
        b"origin",
        b"referer",
        b"via",
        b"x-api-key",
        b"x-goog-api-key",
        b"x-goog-user-project",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-real-ip",
    }
)
INTERNAL_PREFIXES = (b"x-hawk-", b"x-inspect-", b"x-middleman-", b"x-forwarded-", b"x-llmock-")
# The provider's account, its cookies, and promises about its own host.
PROVIDER_ONLY = frozenset(
    {b"alt-svc", b"openai-organization", b"openai-project", b"set-cookie", b"strict-transport-security"}
)
KEY_FIELDS = frozenset({"key", "access_token", "oauth_token"})  # as Google's APIs take them
# An answer's usage is read on its way, so only codings that Python reads by itself are asked for.
READABLE_CODINGS = frozenset({b"gzip", b"deflate", b"identity"})

_DROPPED_FROM_REQUEST = HOP_BY_HOP | CLIENT_ONLY | {b"accept-encoding"}
_DROPPED_FROM_ANSWER = HOP_BY_HOP | PROVIDER_ONLY


def request_head(headers: RawHeaders) -> bytes:
    """Return the client's headers that the provider is to see, in their order, as lines of HTTP/1.1."""
    per_connection = _named_by_connection(headers)
    lines: list[bytes] = []
    for name, value in headers:
        if name == b"accept-encoding":
            if codings := readable_codings(value):
                lines += (b"accept-encoding: ", codings, b"\r\n")
        elif (
            name not in _DROPPED_FROM_REQUEST and name not in per_connection and not name.startswith(INTERNAL_PREFIXES)
        ):
            lines += (name, b": ", value, b"\r\n")
    return b"".join(lines)


def answer_headers(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """Return the provider's headers that the client is to see; names are in lower case, as they were read."""
    per_connection = _named_by_connection(headers)
    return [
        pair
        for pair in headers
        if pair[0] not in _DROPPED_FROM_ANSWER
        and pair[0] not in per_connection
        and not pair[0].startswith(INTERNAL_PREFIXES)
    ]


def readable_codings(accepted: bytes) -> bytes:
    """Return those of an Accept-Encoding's codings that can be read on the way, weights kept."""
    if b"," not in accepted and accepted in READABLE_CODINGS:
        return accepted
    parts = [part.strip() for part in accepted.split(b",")]
    return b", ".join(part for part in parts if part.partition(b";")[0].strip().lower() in READABLE_CODINGS)


def upstream_query(query: bytes) -> str:
    """Return the query without fields that hold a key, the rest byte for byte."""
    if not query:
        return ""
    fields = query.decode("latin-1").split("&")
    return "&".join(field for field in fields if _field_name(field) not in KEY_FIELDS)


def client_token(headers: Mapping[bytes, bytes], query: bytes) -> str | None:
    """Return the token that a client sent where its SDK puts an API key, or None."""
    authorization = headers.get(b"authorization")
    if authorization is not None:
        scheme, _, token = authorization.decode("latin-1").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
    for name in (b"x-api-key", b"x-goog-api-key", b"api-key"):
        if headers.get(name):
            return headers[name].decode("latin-1").strip()
    for field in query.decode("latin-1").split("&") if query else ():
        if _field_name(field) == "key":
            return unquote_plus(field.partition("=")[2]) or None
    return None


def _field_name(field: str) -> str:
    return unquote_plus(field.partition("=")[0]).strip().lower()


def _named_by_connection(headers: RawHeaders) -> frozenset[bytes]:
    values = [value for name, value in headers if name == b"connection"]
    if not values or values == [b"keep-alive"]:
        return frozenset()
    return frozenset(part.strip().lower() for value in values for part in value.split(b","))
