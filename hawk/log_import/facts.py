"""What rules ask of a log; read from its header."""

from dataclasses import dataclass

import msgspec

from hawk.config.benchmark_names import benchmark_name
from hawk.warehouse.eval_rows import EvalSummary

# What Inspect names the model of tasks that call none.
NO_MODELS = frozenset({"", "none", "none/none"})


@dataclass(frozen=True)
class LogFacts:
    """What rules ask of a log; `benchmarks` are packages of its task, as groups may be attached to them."""

    eval_id: str
    model_names: frozenset[str]
    benchmarks: frozenset[str] = frozenset()


class _RegisteredTask(msgspec.Struct):
    task_registry_name: str | None = None


def facts_of(summary: EvalSummary) -> LogFacts:
    """Return an eval's id, and every model that its log names: its own, those of roles, and those that were called."""
    named = {*summary.models, *(summary.stats.model_usage or {})}
    registered = msgspec.json.decode(summary.header.eval, type=_RegisteredTask).task_registry_name
    return LogFacts(summary.eval_id, frozenset(named - NO_MODELS), benchmarks_of(summary.spec.task, registered or ""))


def benchmarks_of(*task_names: str) -> frozenset[str]:
    """Return the packages of tasks that are named with theirs: `inspect_evals/gpqa`."""
    return frozenset(benchmark_name(name.partition("/")[0]) for name in task_names if "/" in name)
