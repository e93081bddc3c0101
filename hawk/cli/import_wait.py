"""Waits until logs that were brought stand in the marts, or cannot."""

import time
from typing import TYPE_CHECKING

from hawk.cli import output
from hawk.errors import Upstream

if TYPE_CHECKING:
    from hawk.api.contracts import LogImportResponse
    from hawk.cli.client import HawkClient

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 120.0  # a restart of everything fits in it
QUIET_SECONDS = 60.0


def await_marts(client: "HawkClient", eval_set_id: str, logs: set[str]) -> "list[LogImportResponse]":
    """Return the last states of these logs of a set, none of them on its way any more. Raises Upstream."""
    last_answer = last_change = time.monotonic()
    seen: tuple[int, int] | None = None
    with output.live_view(keep=False) as view:
        while True:
            try:
                entries = [entry for entry in client.list_imports(eval_set_id).logs if entry.log in logs]
                last_answer = time.monotonic()
            except Upstream:
                if time.monotonic() - last_answer > PATIENCE_SECONDS:
                    raise
                time.sleep(5 * POLL_SECONDS)
                continue
            done = [entry for entry in entries if has_arrived(entry)]
            if len(done) == len(logs):
                return done
            now = (len(done), sum(entry.state == "imported" for entry in entries))
            if now != seen:
                seen, last_change = now, time.monotonic()
            text = f"{now[1]} of {len(logs)} logs imported, {now[0]} in the marts."
            if time.monotonic() - last_change > QUIET_SECONDS:
                text += " Nothing has changed for a minute; is Dagster running? Ctrl-C ends the waiting only."
            view.show(text, summary=text)
            time.sleep(POLL_SECONDS)


def has_arrived(entry: "LogImportResponse") -> bool:
    """Say whether a log is on its way no more: it stands in the marts, or is set aside."""
    if entry.state in ("pending", "importing"):
        return False
    return entry.is_in_marts or entry.state != "imported"
