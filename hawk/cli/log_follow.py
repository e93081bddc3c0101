"""Follows a set's output over the API's stream of events, across connections that break."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hawk.cli.client import HawkClient

PATIENCE_SECONDS = 120.0  # how long the API may be away: a restart of everything fits in it
PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class LogEvent:
    """Some lines; or the end of the set, with its status."""

    lines: Sequence[str] = ()
    status: str = ""


def follow_logs(client: "HawkClient", eval_set_id: str, *, lines: int) -> Iterator[LogEvent]:
    """Yield what the runner prints, each line once, until the set has ended. Raises Upstream if the API stays away."""
    from hawk.errors import Upstream

    place = ""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with client.log_events(eval_set_id, lines=lines, last_event_id=place) as stream:
                for event_id, name, data in read_events(stream):
                    gives_up_at = time.monotonic() + PATIENCE_SECONDS
                    place = event_id or place
                    if name == "lines":
                        yield LogEvent(lines=data.get("lines", []))
                    elif name == "end":
                        yield LogEvent(status=str(data.get("status", "")))
                        return
        except Upstream:
            if time.monotonic() > gives_up_at:
                raise
        time.sleep(PAUSE_SECONDS)


def read_events(lines: Iterator[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield id, name and data of each server-sent event; what is no JSON object is left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            if name:  # else it is a comment
                fields[name] = value.removeprefix(" ")
            continue
        try:
            data = json.loads(fields.get("data", ""))
        except ValueError:
            data = None
        if isinstance(data, dict):
            yield fields.get("id", ""), fields.get("event", "message"), data
        fields = {}
