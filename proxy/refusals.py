"""How calls fail, and what the proxy answers then, in each provider's own format, so that its SDK understands."""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

Dialect = Literal["openai", "anthropic", "google"]


@dataclass(frozen=True)
class _Names:
    """A status, and how OpenAI (type, code), Anthropic and Google call it."""

    status: int
    openai_type: str
    openai_code: str | None
    anthropic: str
    google: str


class Reason(Enum):
    """Why a call does not reach the provider, or why the provider's answer does not reach the caller."""

    BAD_REQUEST = _Names(400, "invalid_request_error", None, "invalid_request_error", "INVALID_ARGUMENT")
    NOT_SIGNED_IN = _Names(401, "invalid_request_error", "invalid_api_key", "authentication_error", "UNAUTHENTICATED")
    # SDKs try 429 again, by themselves and at once; a budget that is spent is not to be tried again.
    OVER_BUDGET = _Names(402, "insufficient_quota", "budget_exceeded", "billing_error", "FAILED_PRECONDITION")
    NOT_ALLOWED = _Names(
        403, "insufficient_permissions", "model_access_denied", "permission_error", "PERMISSION_DENIED"
    )
    UNKNOWN_MODEL = _Names(404, "invalid_request_error", "model_not_found", "not_found_error", "NOT_FOUND")
    UNKNOWN_PATH = _Names(404, "invalid_request_error", "unknown_url", "not_found_error", "NOT_FOUND")
    TOO_LARGE = _Names(413, "invalid_request_error", "request_too_large", "request_too_large", "INVALID_ARGUMENT")
    ENCODED = _Names(415, "invalid_request_error", None, "invalid_request_error", "INVALID_ARGUMENT")
    RATE_LIMITED = _Names(429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED")
    FAILED = _Names(500, "server_error", "internal_error", "api_error", "INTERNAL")
    BAD_GATEWAY = _Names(502, "server_error", "bad_gateway", "api_error", "UNAVAILABLE")
    UNAVAILABLE = _Names(503, "server_error", "service_unavailable", "api_error", "UNAVAILABLE")
    TIMEOUT = _Names(504, "server_error", "timeout", "timeout_error", "DEADLINE_EXCEEDED")


class ProxyError(Exception):
    """Ends a call before its answer is whole: Refusal | ClientGone | BrokenAnswer."""


class ClientGone(ProxyError):
    """The client hung up; there is nobody to answer."""


class BrokenAnswer(ProxyError):
    """The provider's answer broke off after we had begun to pass it on; only closing the connection says so."""


class Refusal(ProxyError):
    """Ends a call with an error of ours; the message is for the caller and has no secrets in it."""

    def __init__(self, reason: Reason, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after_seconds = retry_after_seconds

    @property
    def status(self) -> int:
        return self.reason.value.status


def refusal_body(dialect: Dialect, refusal: Refusal, *, request_id: str) -> bytes:
    """Return the JSON body by which this provider would say it."""
    names = refusal.reason.value
    body: dict[str, Any]
    match dialect:
        case "openai":
            error = {
                "message": refusal.message,
                "type": names.openai_type,
                "param": "model" if refusal.reason is Reason.UNKNOWN_MODEL else None,
                "code": names.openai_code,
            }
            body = {"error": error}
        case "anthropic":
            error = {"type": names.anthropic, "message": refusal.message}
            body = {"type": "error", "error": error, "request_id": request_id}
        case "google":
            body = {"error": {"code": names.status, "message": refusal.message, "status": names.google}}
    return json.dumps(body, ensure_ascii=False).encode()
