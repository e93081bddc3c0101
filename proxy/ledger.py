"""The ledger: a line before each call is forwarded, a line when it has ended; no database in between."""

import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from hawk.model_registry.prices import cost_usd, price_at
from proxy.budgets import Budgets
from proxy.calls import NOTHING, Call
from proxy.ledger_lines import closed_line, fixed_part, interrupted_line, open_line, unclosed
from proxy.refusals import Reason, Refusal
from proxy.segments import MAX_SEGMENT_BYTES, SUFFIX, Segment, left_behind

logger = logging.getLogger(__name__)


class Ledger:
    """Writes one process' calls to its segments, and knows which calls are open."""

    def __init__(
        self, folder: Path, worker_id: str, budgets: Budgets, *, max_segment_bytes: int = MAX_SEGMENT_BYTES
    ) -> None:
        """Take over what dead processes left in the folder, and begin a segment. Raises OSError."""
        self._folder = folder
        self._worker_id = worker_id
        self._budgets = budgets
        self._max_segment_bytes = max_segment_bytes
        self._open: dict[str, str] = {}
        self._unwritten: list[bytes] = []  # ends of calls that the disk did not take
        self._segment_count = 0
        self._current = self._new_segment()
        self.segments = [*(_ended(segment) for segment in left_behind(folder)), self._current]

    @property
    def open_count(self) -> int:
        return len(self._open)

    @property
    def uncopied_bytes(self) -> int:
        return sum(segment.size_bytes - segment.copied_bytes for segment in self.segments)

    def open(self, call: Call) -> None:
        """Write down that a call will be forwarded. Raises Refusal where that cannot be done: then it may not be."""
        fixed = fixed_part(call, self._worker_id)
        try:
            self._current.append(open_line(fixed))
        except OSError as error:
            logger.exception("the ledger cannot be written")
            raise Refusal(Reason.UNAVAILABLE, "The proxy cannot write its ledger. Tell an administrator.") from error
        self._open[call.call_id] = fixed
        self._budgets.reserve(call)

    def close(self, call: Call) -> None:
        """Write down how a call ended and what it costs."""
        fixed = self._open.pop(call.call_id)
        _set_cost(call)
        self._budgets.settle(call)
        line = closed_line(call, fixed, ended_at=call.started_at + (call.total_seconds or 0.0))
        try:
            self._current.append(line)
        except OSError:
            logger.exception("the end of a call cannot be written yet", extra={"request_id": call.request_id})
            self._unwritten.append(line)

    def tidy(self) -> None:
        """Write what the disk did not take before, begin a new segment where one is full, delete copied ones."""
        try:
            while self._unwritten:
                self._current.append(self._unwritten[0])
                self._unwritten.pop(0)
            if self._current.size_bytes > self._max_segment_bytes:
                self._rotate()
        except OSError as error:
            logger.warning("the ledger cannot be written", extra={"error": error.strerror})
        for segment in [segment for segment in self.segments if segment.is_copied and segment is not self._current]:
            segment.delete()
            self.segments.remove(segment)

    def finish(self) -> None:
        """Close the segments; one that is not copied yet is for the next process."""
        for segment in self.segments:
            if segment.is_copied and not self._open and not self._unwritten:
                segment.delete()
            else:
                segment.close()

    def _rotate(self) -> None:
        segment = self._new_segment()
        # Calls that are open must be known from files that stay.
        for fixed in self._open.values():
            segment.append(open_line(fixed))
        self.segments.append(segment)
        self._current = segment

    def _new_segment(self) -> Segment:
        self._segment_count += 1
        return Segment.create(self._folder / f"{self._worker_id}-{self._segment_count}{SUFFIX}")


def new_worker_id() -> str:
    """Return a name for this process that no other has had."""
    return f"{os.uname().nodename[:40]}-{os.getpid()}-{time.time_ns():x}"


def _ended(segment: Segment) -> Segment:
    """Note in a dead process' segment that its open calls were interrupted."""
    fixed_parts = unclosed(segment.lines())
    for fixed in fixed_parts:
        segment.append(interrupted_line(fixed))
    if fixed_parts:
        logger.warning("calls of an ended process were interrupted", extra={"calls": len(fixed_parts)})
    return segment


def _set_cost(call: Call) -> None:
    """Price what was used; where nobody knows what was, charge the reserve."""
    usage, model = call.usage, call.model
    call.charged_usd = NOTHING
    if usage is not None and model is not None:
        moment = datetime.fromtimestamp(call.started_at, UTC)
        call.price = price_at(model.prices, moment, usage.all_input_tokens) if model.prices else None
        call.cost_usd = cost_usd(call.price, usage) if call.price else None
        call.charged_usd = call.cost_usd if call.cost_usd is not None else call.reserved_usd
    elif call.usage_state == "missing":
        call.charged_usd = call.reserved_usd
