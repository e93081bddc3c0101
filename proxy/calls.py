"""One model call and what is known of it, from the client's request to its line in the ledger."""

import random
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from hawk.auth import Principal
from hawk.model_registry.prices import Price, TokenUsage
from proxy.providers import Provider
from proxy.registered import RegisteredModel

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

CallState = Literal["open", "complete", "failed", "broken", "client_gone"]
UsageState = Literal["pending", "reported", "missing", "none"]

NOTHING = Decimal(0)


@dataclass(slots=True)
class CallerFacts:
    """What a runner's headers say of a call; nothing is decided by them."""

    eval_id: str = ""
    task_name: str = ""
    sample_uuid: str = ""
    sample_id: str = ""
    epoch: int | None = None


@dataclass(slots=True)
class Call:
    """A call under way."""

    provider: Provider
    call_id: str = field(default_factory=lambda: new_call_id())  # noqa: PLW0108  # defined below
    started_at: float = field(default_factory=time.time)
    began_at: float = field(default_factory=time.monotonic)
    principal: Principal | None = None
    wanted_model: str = ""
    model: RegisteredModel | None = None
    provider_model: str = ""
    operation: str = ""
    facts: CallerFacts = field(default_factory=CallerFacts)
    priority: str = "medium"
    reserved_tokens: int = 0
    price: Price | None = None  # for the reserve; what was used may reach another tier
    reserved_usd: Decimal = NOTHING
    request_bytes: int = 0
    waited_seconds: float = 0.0
    retry_count: int = 0
    status: int = 0
    is_streamed: bool = False
    first_byte_seconds: float | None = None
    total_seconds: float | None = None
    response_bytes: int = 0
    provider_request_id: str = ""
    state: CallState = "open"
    outcome: str = "complete"
    usage: TokenUsage | None = None
    usage_state: UsageState = "pending"
    cost_usd: Decimal | None = None
    charged_usd: Decimal = NOTHING

    @property
    def request_id(self) -> str:
        """What the client is told, and may ask us about."""
        return f"req_{self.call_id}"

    @property
    def user_name(self) -> str:
        """For whom it is: the person, also where a job of theirs calls."""
        assert self.principal is not None
        return self.principal.created_by or self.principal.subject

    @property
    def eval_set_id(self) -> str:
        return (self.principal.job_id if self.principal else None) or ""


def new_call_id() -> str:
    """Return a version 7 UUID (RFC 9562) as 32 hex digits; they sort by time, so the index grows at its end."""
    milliseconds = time.time_ns() // 1_000_000
    chance = random.getrandbits(74)  # unique, not secret
    return f"{milliseconds << 80 | 7 << 76 | (chance >> 62) << 64 | 2 << 62 | chance & (1 << 62) - 1:032x}"
