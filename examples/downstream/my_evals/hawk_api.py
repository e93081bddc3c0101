"""Hawk's API, as far as this folder needs it."""

import os
from typing import Any

import httpx

TIMEOUT_SECONDS = 60


def models() -> list[str]:
    """Return the models that we may use."""
    return sorted(str(name) for name in _client().get("/models").raise_for_status().json()["models"])


def launch(config: dict[str, Any]) -> str:
    """Launch an eval set, and return its id. Raises httpx.HTTPStatusError with the API's reasons."""
    answer = _client().post("/eval_sets", json={"config": config, "priority": "low"})
    if answer.is_client_error:
        raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
    return str(answer.raise_for_status().json()["eval_set_id"])


def _client() -> httpx.Client:
    return httpx.Client(
        base_url=os.environ["MY_EVALS_API_URL"],
        headers={"authorization": f"Bearer {os.environ['MY_EVALS_TOKEN']}"},
        timeout=TIMEOUT_SECONDS,
    )
