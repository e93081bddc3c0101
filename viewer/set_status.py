"""How a set stands whose job has not ended, in the words that the command line has for it: the same algebra decides."""

from datetime import UTC, datetime

from hawk.ids import JobId
from hawk.job_launcher import AttemptStatus
from hawk.job_status import ImportFacts, StatusWord, Verdict, eval_set_status, present_job
from viewer.database import Row, fetch

_UNFINISHED = """
select status, status_reason, status_changed_at from ops.eval_set
where eval_set_id = %(id)s and status in ('claimed', 'launched')
"""


def unfinished_status(eval_set_id: str, attempts: list[Row]) -> Verdict[StatusWord] | None:
    """Return the word for a set whose job has not ended and why; None of any other. `attempts` are newest first."""
    rows = fetch(_UNFINISHED, {"id": eval_set_id})
    if not rows:
        return None
    [row] = rows
    told = [_attempt(attempt) for attempt in reversed(attempts)]
    return eval_set_status(
        row["status"],
        row["status_reason"],
        since=row["status_changed_at"],
        now=datetime.now(UTC),
        job=present_job(JobId(eval_set_id), row["status"], told, since=row["status_changed_at"]),
        logs=(),
        imports=ImportFacts(),
    )


def _attempt(row: Row) -> AttemptStatus:
    return AttemptStatus(
        attempt_number=row["attempt_number"],
        phase=row["status"],
        exit_code=row["exit_code"],
        reason=row["reason"],
        message=row["message"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
    )
