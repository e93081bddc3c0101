"""Lets logs land and Dagster import them, for tests of what follows."""

import dagster as dg

from hawk.naming import IMPORT_JOB
from hawk.object_store import s3_client
from hawk.warehouse import inbox
from orchestration.definitions import definitions
from tests.fakes.orchestrator import EVALS, Orchestrator

LOGS = (
    "log_formats.eval",
    "mmlu-choices.eval",
    "2025-11-07T10-59-47-05-00_websearch-addition-problem_LqPDntDnkk4h2fSqQ8i6CE.eval",
)


def land(hawk: Orchestrator, eval_set_id: str, *names: str) -> None:
    """Put real logs into a set's folder, and let the inbox know."""
    for name in names:
        hawk.put_log(eval_set_id, EVALS / name)
    with hawk.connect() as connection:
        inbox.discover(connection, s3_client(hawk.settings), hawk.settings)


def run_import(hawk: Orchestrator, **options: object) -> dg.ExecuteInProcessResult:
    job = definitions().resolve_job_def(IMPORT_JOB)
    return job.execute_in_process(instance=hawk.instance, resources=hawk.resources, **options)
