"""What the database knows of some eval sets beyond their rows: attempts, logs, and how far the importer is.

A fixed number of queries, however many sets are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.eval_sets import EvalSetRow
from hawk.ids import JobId
from hawk.job_launcher import AttemptStatus
from hawk.job_status import ImportFacts, LogFact, StatusWord, Verdict, eval_set_status, present_job
from hawk.naming import MARTS_SCHEMA

_ATTEMPTS = """
select eval_set_id, attempt_number, phase, exit_code, reason, message, started_at, ended_at, peak_memory_bytes
from ops.attempt
where eval_set_id = any(%(ids)s)
order by eval_set_id, started_at nulls last, job_name, attempt_number
"""

_LOGS = """
select eval_set_id, eval_id, coalesce(task_id, eval_id) as task_id, task_name, model, solver, status, created_at,
       coalesce(error_message, '') as error_message, total_samples, completed_samples
from raw.eval
where eval_set_id = any(%(ids)s)
"""

_INBOX = """
with newest as (
    select distinct on (eval_set_id, bucket, key) eval_set_id, key, state, reason, state_changed_at
    from ops.log_inbox
    where eval_set_id = any(%(ids)s)
    order by eval_set_id, bucket, key, last_modified desc, log_inbox_id desc
)
select eval_set_id, count(*) as landed,
       count(*) filter (where state in ('pending', 'importing')) as pending,
       count(*) filter (where state in ('quarantined', 'dead_letter')) as quarantined,
       array_agg(regexp_replace(key, '^.*/', '') || ': ' || reason order by state_changed_at desc)
           filter (where state in ('quarantined', 'dead_letter')) as problems
from newest
group by eval_set_id
"""

# An import that was made anew has another import_id, and is in the marts only when dbt has seen that one.
_IN_MARTS = """
select imported.eval_set_id, count(*) as in_marts
from raw.eval as imported
inner join marts.fct_eval as shown on shown.eval_id = imported.eval_id and shown.import_id = imported.import_id
where imported.eval_set_id = any(%(ids)s)
group by imported.eval_set_id
"""


@dataclass
class EvalSetFacts:
    """Of one set; `logs` are rows of raw.eval."""

    attempts: list[AttemptStatus] = field(default_factory=list)
    logs: list[DictRow] = field(default_factory=list)
    imports: ImportFacts = field(default_factory=ImportFacts)
    import_problems: list[str] = field(default_factory=list)

    @property
    def log_facts(self) -> list[LogFact]:
        return [
            LogFact(
                task_id=log["task_id"],
                task_name=log["task_name"],
                status=log["status"],
                created_at=log["created_at"] or datetime.min.replace(tzinfo=UTC),
                error=log["error_message"],
            )
            for log in self.logs
        ]


def load_facts(connection: Connection[DictRow], eval_set_ids: Sequence[str]) -> dict[str, EvalSetFacts]:
    """Return the facts of each set that is asked for."""
    facts = {eval_set_id: EvalSetFacts() for eval_set_id in eval_set_ids}
    ids = {"ids": list(eval_set_ids)}
    for row in connection.execute(_ATTEMPTS, ids):
        facts[row["eval_set_id"]].attempts.append(AttemptStatus.model_validate(_without(row, "eval_set_id")))
    for row in connection.execute(_LOGS, ids):
        facts[row["eval_set_id"]].logs.append(row)
    in_marts = _counts_in_marts(connection, ids)
    for row in connection.execute(_INBOX, ids):
        fact = facts[row["eval_set_id"]]
        fact.imports = ImportFacts(landed=row["landed"], pending=row["pending"], quarantined=row["quarantined"])
        fact.import_problems = row["problems"] or []
    for eval_set_id, fact in facts.items():
        fact.imports = ImportFacts(
            landed=max(fact.imports.landed, len(fact.logs)),
            pending=fact.imports.pending,
            imported=len(fact.logs),
            quarantined=fact.imports.quarantined,
            in_marts=in_marts.get(eval_set_id, 0),
        )
    return facts


def status_of(row: EvalSetRow, facts: EvalSetFacts, now: datetime) -> Verdict[StatusWord]:
    """Return the word that a person reads."""
    return eval_set_status(
        row.status,
        row.status_reason,
        since=row.status_changed_at,
        now=now,
        job=present_job(JobId(row.eval_set_id), row.status, facts.attempts, since=row.status_changed_at),
        logs=facts.log_facts,
        imports=facts.imports,
    )


def _counts_in_marts(connection: Connection[DictRow], ids: dict[str, Any]) -> dict[str, int]:
    has_mart = connection.execute(
        "select to_regclass(%s) is not null as there", [f"{MARTS_SCHEMA}.fct_eval"]
    ).fetchone()
    if has_mart is None or not has_mart["there"]:  # dbt has not run yet
        return {}
    return {row["eval_set_id"]: row["in_marts"] for row in connection.execute(_IN_MARTS, ids)}


def _without(row: DictRow, name: str) -> DictRow:
    return {key: value for key, value in row.items() if key != name}
