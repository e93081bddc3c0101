"""What the page of an eval set reads of its job's attempts, which are kept after Kubernetes has forgotten them."""

from viewer.database import Row, fetch

_ATTEMPTS = """
select attempt_number, launcher, phase as status, exit_code, reason, message, started_at, ended_at,
    extract(epoch from coalesce(ended_at, now()) - started_at) as seconds, peak_memory_bytes,
    last_log_lines, pod_events, stack_trace, stack_traced_at
from ops.attempt
where eval_set_id = %(eval_set_id)s
order by started_at desc nulls first, job_name, attempt_number desc
limit %(limit)s
"""


def attempts(eval_set_id: str, *, limit: int) -> list[Row]:
    """Return the newest tries at running a set, the last of them first."""
    return fetch(_ATTEMPTS, {"eval_set_id": eval_set_id, "limit": limit})
