"""What the viewer asks the API, as whoever looks: the API decides, and writes down what is to be written down."""

from typing import Any

import httpx

from hawk.errors import NotFound, NotSignedIn, Upstream, UserError
from viewer.identity import access_token, settings

TIMEOUT_SECONDS = 20.0


def is_there() -> bool:
    """Say whether the viewer knows of an API."""
    return settings().api_url is not None


def ask(method: str, path: str, *, query: dict[str, Any] | None = None, body: Any = None) -> dict[str, Any]:
    """Return the API's answer. Raises UserError in the API's words, NotSignedIn, or Upstream."""
    base = settings().api_url
    if base is None:
        raise NotFound("The viewer knows of no API.", hint="Set HAWK_API_URL.")
    headers = {"authorization": f"Bearer {access_token()}", "accept": "application/json"}
    try:
        response = httpx.request(
            method, base.rstrip("/") + path, params=query, json=body, headers=headers, timeout=TIMEOUT_SECONDS
        )
        answer = response.json() if response.content else {}
    except (httpx.HTTPError, ValueError) as error:
        raise Upstream("The API does not answer.", hint="Try again in a moment.") from error
    if not isinstance(answer, dict):
        raise Upstream("The API gave no answer that can be read.")
    if response.status_code >= 400:
        raise _error(response.status_code, answer)
    return answer


def _error(status: int, answer: dict[str, Any]) -> UserError | NotSignedIn | Upstream:
    message = str(answer.get("detail") or answer.get("title") or f"The API answered {status}.")
    hint = str(answer.get("hint") or "")
    if status == 401:
        return NotSignedIn(message, hint=hint)
    if status >= 500 or status == 429:
        return Upstream(message, hint=hint or "Try again in a moment.")
    return UserError(message, hint=hint)
