"""What providers say of their own limits in the headers of answers, kept until it is copied to Postgres."""

import json
import time
from datetime import UTC, datetime
from typing import NamedTuple

from proxy.calls import Call

MAX_MODELS = 1000
MAX_VALUE_CHARACTERS = 200


class Observed(NamedTuple):
    """The last word of a provider on one model."""

    at: float
    status: int
    headers: dict[str, str]


class ProviderLimits:
    """The newest rate-limit headers of each provider and model."""

    def __init__(self) -> None:
        self._observed: dict[tuple[str, str], Observed] = {}

    def note(self, call: Call, headers: list[tuple[bytes, bytes]]) -> None:
        found = {
            name.decode("latin-1"): value.decode("latin-1")[:MAX_VALUE_CHARACTERS]
            for name, value in headers
            if b"ratelimit" in name or name == b"retry-after"
        }
        if not found or call.model is None:
            return
        key = (call.provider.name, call.model.name)
        if key in self._observed or len(self._observed) < MAX_MODELS:
            self._observed[key] = Observed(time.time(), call.status, found)

    def take(self) -> list[tuple[str, str, datetime, int, str]]:
        """Return rows of ops.provider_limit for what was noted since the last time."""
        observed, self._observed = self._observed, {}
        return [
            (provider, model, datetime.fromtimestamp(said.at, UTC), said.status, json.dumps(said.headers))
            for (provider, model), said in sorted(observed.items())
        ]
