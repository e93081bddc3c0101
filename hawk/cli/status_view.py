"""How an eval set's status is shown: as tables, as a line, and as lines of what changed."""

from collections.abc import Iterator

from hawk.api.contracts import EvalSetStatusResponse, ImportResponse, SampleProgress, TaskProgress
from hawk.cli.output import Block, Cell, Table, Value

MAX_SAMPLES_SHOWN = 12

_STYLES = {
    "complete": "bold green",
    "success": "green",
    "running": "cyan",
    "importing": "cyan",
    "failed": "bold red",
    "error": "red",
    "stuck": "bold red",
    "stopped": "yellow",
    "cancelled": "yellow",
    "limit": "yellow",
    "deleted": "dim",
    "pending": "dim",
    "waiting_for_capacity": "yellow",
}
ENDED = frozenset({"complete", "failed", "stopped", "deleted"})


def is_over(status: EvalSetStatusResponse) -> bool:
    """Say whether the set has ended and no log of it is still on its way into the marts."""
    return status.status in ENDED


def status_blocks(status: EvalSetStatusResponse, *, samples: int = MAX_SAMPLES_SHOWN) -> list[Block]:
    """Return tables of the set, its tasks, and the samples that matter now: running ones, then the newest."""
    blocks = _head(status)
    if status.tasks:
        blocks.extend(["", _task_table(status.tasks)])
    shown = [(task, sample) for task in status.tasks for sample in reversed(task.samples)]
    shown.sort(key=lambda pair: pair[1].state != "running")
    if samples and shown:
        blocks.extend(["", _sample_table(shown[:samples], hidden=len(shown) - samples)])
    if len(status.attempts) > 1 or any(attempt.message for attempt in status.attempts):
        blocks.extend(["", _attempt_table(status)])
    blocks.extend(_import_problems(status))
    return blocks


def summary_line(status: EvalSetStatusResponse) -> str:
    """Return the status in a line."""
    parts = [f"{status.eval_set_id}: {status.status}"]
    if status.tasks:
        done = sum(task.completed_samples for task in status.tasks)
        totals = [task.total_samples for task in status.tasks]
        total = "?" if None in totals else str(sum(number for number in totals if number is not None))
        failed = sum(task.failed_samples for task in status.tasks)
        parts.append(f"{done}/{total} samples" + (f" ({failed} failed)" if failed else ""))
    if status.imports.landed:
        parts.append(f"{status.imports.in_marts}/{status.imports.landed} logs in the marts")
    if status.status_reason:
        parts.append(status.status_reason)
    return ", ".join(parts)


class ChangeLines:
    """Turns one status after another into lines of what is new: states of tasks, samples that ended."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, ...]] = set()

    def lines_of(self, status: EvalSetStatusResponse) -> Iterator[str]:
        for task in status.tasks:
            name = _task_name(task)
            for sample in task.samples:
                if sample.state != "running" and self._is_new("sample", name, _sample_name(sample), sample.state):
                    yield f"{name}: sample {_sample_name(sample)} {_outcome(sample)}"
            if self._is_new("task", name, task.eval_id or "", task.state):
                yield f"{name}: {task.state}"

    def _is_new(self, *key: str) -> bool:
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def _head(status: EvalSetStatusResponse) -> list[Block]:
    reason = f" {status.status_reason}" if status.status_reason else ""
    blocks: list[Block] = [Cell(f"{status.eval_set_id}: {status.status}.{reason}", _STYLES.get(status.status, ""))]
    if status.imports.landed:
        blocks.append(_imports_line(status.imports))
    for name, url in (("Dagster", status.dagster_run_url), ("Viewer", status.viewer_url)):
        if url:
            blocks.append(f"{name}: {url}")
    return blocks


def _imports_line(imports: ImportResponse) -> str:
    counts = [f"{imports.landed} landed", f"{imports.imported} imported", f"{imports.in_marts} in the marts"]
    if imports.pending:
        counts.append(f"{imports.pending} waiting")
    if imports.quarantined:
        counts.append(f"{imports.quarantined} set aside")
    return f"Logs: {', '.join(counts)}."


def _import_problems(status: EvalSetStatusResponse) -> list[Block]:
    imports = status.imports
    if not imports.problems:
        return []
    blocks: list[Block] = [Cell("Logs that could not be imported:", "red")]
    blocks.extend(f"  {problem}" for problem in imports.problems)
    if imports.quarantined > len(imports.problems):
        blocks.append(
            f"  and {imports.quarantined - len(imports.problems)} more: hawk imports list {status.eval_set_id}"
        )
    blocks.append(f"When that is mended: hawk imports retry {status.eval_set_id}")
    return blocks


def _task_table(tasks: list[TaskProgress]) -> Table:
    rows: list[list[Value]] = [
        [
            task.task_name,
            task.model,
            task.solver,
            Cell(task.state, _STYLES.get(task.state, "")),
            f"{task.completed_samples}/{task.total_samples if task.total_samples is not None else '?'}",
            Cell(str(task.failed_samples), "red") if task.failed_samples else "0",
        ]
        for task in tasks
    ]
    return Table(columns=("task", "model", "solver", "state", "samples", "failed"), rows=rows)


def _sample_table(pairs: list[tuple[TaskProgress, SampleProgress]], *, hidden: int) -> Table:
    rows: list[list[Value]] = [
        [
            _task_name(task),
            _sample_name(sample),
            Cell(sample.state, _STYLES.get(sample.state, "")),
            f"{sample.seconds:.1f} s" if sample.seconds is not None else "",
            _scores(sample) or sample.message,
        ]
        for task, sample in pairs
    ]
    if hidden > 0:
        rows.append([Cell(f"and {hidden} more", "dim"), None, None, None, None])
    return Table(columns=("task", "sample", "state", "time", "score"), rows=rows)


def _attempt_table(status: EvalSetStatusResponse) -> Table:
    rows: list[list[Value]] = [
        [attempt.attempt_number, attempt.phase.value, attempt.exit_code, attempt.reason, attempt.message]
        for attempt in status.attempts
    ]
    return Table(columns=("attempt", "phase", "exit code", "reason", "message"), rows=rows)


def _outcome(sample: SampleProgress) -> str:
    detail = _scores(sample) or sample.message
    return f"{sample.state}, {detail}" if detail else sample.state


def _scores(sample: SampleProgress) -> str:
    return ", ".join(f"{scorer} {value}" for scorer, value in sample.scores.items())


def _task_name(task: TaskProgress) -> str:
    return f"{task.task_name} × {task.model}" + (f" × {task.solver}" if task.solver else "")


def _sample_name(sample: SampleProgress) -> str:
    return f"{sample.sample_id}" + (f" epoch {sample.epoch}" if sample.epoch > 1 else "")
