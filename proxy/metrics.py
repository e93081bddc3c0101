"""What the proxy counts, as Prometheus reads it; counting costs a call a few dictionary look-ups."""

import asyncio
import json
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hawk.settings import ProxySettings
from proxy.calls import Call
from proxy.ledger import Ledger
from proxy.ledger_copier import LedgerCopier
from proxy.limits import Limits

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
SHARE_SECONDS = 1.0
FORGOTTEN_AFTER_SECONDS = 10.0

_HELP = {
    "hawk_proxy_calls_total": ("counter", "Calls by provider, model and HTTP status."),
    "hawk_proxy_refusals_total": ("counter", "Calls that were not forwarded, by provider and reason."),
    "hawk_proxy_tokens_total": ("counter", "Tokens that providers reported, by provider, model and kind."),
    "hawk_proxy_cost_usd_total": ("counter", "What reported tokens cost, by provider and model."),
    "hawk_proxy_usage_missing_total": ("counter", "Calls that may have used tokens of which nobody knows how many."),
    "hawk_proxy_retries_total": ("counter", "Times that a call was sent again, by provider."),
    "hawk_proxy_request_bytes_total": ("counter", "Bytes of request bodies, by provider."),
    "hawk_proxy_response_bytes_total": ("counter", "Bytes of answers, by provider."),
    "hawk_proxy_call_seconds": ("histogram", "How long calls took, by provider."),
    "hawk_proxy_first_byte_seconds": ("histogram", "From forwarding to an answer's first piece, by provider."),
    "hawk_proxy_wait_seconds": ("histogram", "How long calls waited for their turn under a limit, by provider."),
    "hawk_proxy_open_calls": ("gauge", "Calls that are under way."),
    "hawk_proxy_waiting_calls": ("gauge", "Calls that wait for their turn."),
    "hawk_proxy_ledger_uncopied_bytes": ("gauge", "What of the ledger is not in Postgres yet."),
    "hawk_proxy_ledger_is_current": ("gauge", "1 if the last copy of the ledger to Postgres succeeded."),
}

Labels = tuple[str, ...]


class Metrics:
    """One worker's counts, and where workers serve one port together, the sums of all."""

    def __init__(self, settings: ProxySettings) -> None:
        self._counts: defaultdict[str, defaultdict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        self._buckets: defaultdict[str, dict[Labels, list[float]]] = defaultdict(dict)
        self._folder = settings.home / "proxy" / "metrics" if settings.proxy_workers > 1 else None
        self._path: Path | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._parts: tuple[Ledger, Limits, LedgerCopier] | None = None

    def watch(self, worker_id: str, ledger: Ledger, limits: Limits, copier: LedgerCopier) -> None:
        """Take the gauges from these parts."""
        self._parts = (ledger, limits, copier)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._path = self._folder / f"{worker_id}.json"
            self._share()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def count(self, call: Call) -> None:
        """Count a call that has ended."""
        provider = call.provider.name
        if call.outcome.startswith("refused") and call.usage_state == "pending":
            self._counts["hawk_proxy_refusals_total"]["provider", provider, "reason", call.outcome[9:-1]] += 1
            return
        counts = self._counts
        model = call.model.name if call.model else ""
        of_model = ("provider", provider, "model", model)
        of_provider = ("provider", provider)
        counts["hawk_proxy_calls_total"][(*of_model, "status", str(call.status))] += 1
        counts["hawk_proxy_request_bytes_total"][of_provider] += call.request_bytes
        counts["hawk_proxy_response_bytes_total"][of_provider] += call.response_bytes
        if call.usage is not None:
            tokens = counts["hawk_proxy_tokens_total"]
            tokens[(*of_model, "kind", "input")] += call.usage.input_tokens
            tokens[(*of_model, "kind", "output")] += call.usage.output_tokens
            tokens[(*of_model, "kind", "cache_read")] += call.usage.input_tokens_cache_read
            tokens[(*of_model, "kind", "cache_write")] += call.usage.input_tokens_cache_write
        if call.cost_usd:
            counts["hawk_proxy_cost_usd_total"][of_model] += float(call.cost_usd)
        if call.usage_state == "missing":
            counts["hawk_proxy_usage_missing_total"][of_model] += 1
        if call.retry_count:
            counts["hawk_proxy_retries_total"][of_provider] += call.retry_count
        self._observe("hawk_proxy_call_seconds", of_provider, call.total_seconds)
        self._observe("hawk_proxy_first_byte_seconds", of_provider, call.first_byte_seconds)
        if call.waited_seconds:
            self._observe("hawk_proxy_wait_seconds", of_provider, call.waited_seconds)

    def text(self) -> str:
        """Return all counts in Prometheus' text format."""
        counts: defaultdict[str, defaultdict[Labels, float]] = defaultdict(lambda: defaultdict(float))
        for snapshot in (self._snapshot(), *self._others()):
            for name, labels, value in snapshot:
                counts[name][tuple(labels)] += value
        lines: list[str] = []
        for name, (kind, text) in _HELP.items():
            lines += (f"# HELP {name} {text}", f"# TYPE {name} {kind}")
            suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            for suffix in suffixes:
                lines += (
                    f"{name}{suffix}{_braces(labels)} {value:g}"
                    if value < 1e6
                    else f"{name}{suffix}{_braces(labels)} {value:.6f}"
                    for labels, value in sorted(counts[name + suffix].items())
                )
        return "\n".join(lines) + "\n"

    def _observe(self, name: str, labels: Labels, seconds: float | None) -> None:
        if seconds is None:
            return
        buckets = self._buckets[name].get(labels)
        if buckets is None:
            buckets = self._buckets[name][labels] = [0.0] * (len(BOUNDS_SECONDS) + 2)
        buckets[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        buckets[-1] += seconds

    def _snapshot(self) -> Iterable[tuple[str, Labels, float]]:
        for name, by_labels in self._counts.items():
            for labels, value in by_labels.items():
                yield name, labels, value
        for name, histograms in self._buckets.items():
            for labels, buckets in histograms.items():
                total = 0.0
                for bound, number in zip((*map(str, BOUNDS_SECONDS), "+Inf"), buckets, strict=False):
                    total += number
                    yield f"{name}_bucket", (*labels, "le", bound), total
                yield f"{name}_sum", labels, buckets[-1]
                yield f"{name}_count", labels, total
        if self._parts is not None:
            ledger, limits, copier = self._parts
            yield "hawk_proxy_open_calls", (), ledger.open_count
            yield "hawk_proxy_waiting_calls", (), limits.waiting_count
            yield "hawk_proxy_ledger_uncopied_bytes", (), ledger.uncopied_bytes
            yield "hawk_proxy_ledger_is_current", (), float(copier.is_current)

    def _others(self) -> Iterable[Iterable[Any]]:
        for path in self._folder.glob("*.json") if self._folder else ():
            try:
                if path != self._path and time.time() - path.stat().st_mtime < FORGOTTEN_AFTER_SECONDS:
                    yield json.loads(path.read_text())
            except (OSError, ValueError):
                continue  # it ended just now

    def _share(self) -> None:
        assert self._path is not None
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(list(self._snapshot())))
        new.replace(self._path)
        self._timer = asyncio.get_running_loop().call_later(SHARE_SECONDS, self._share)


def _braces(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in zip(labels[::2], labels[1::2], strict=True))
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
