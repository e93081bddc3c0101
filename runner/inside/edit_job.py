"""Rewrites the logs of an edit job, each whole or not at all, and says beside them what came of it.

A log is written only over the version that was read. Who was faster wins, and the edits are made anew on what he wrote.
"""

import gc
import logging
import random
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from inspect_ai.log import EvalLog, WriteConflictError, read_eval_log, write_eval_log

from hawk.config.eval_set import EvalSetConfig
from hawk.config.installation import packages_of
from hawk.errors import HawkError, Upstream, UserError
from hawk.job_outcome import JobOutcome, RunnerExit
from hawk.job_spec import JobSpec
from hawk.log_edits import EditOrder, EditResults, LogEditResult, LogEdits, edit_results_name

from .folder import EvalSetFolder, folder_at
from .log_edits import Edited, apply_edits
from .registry import load_entry_point

logger = logging.getLogger("runner")

MAX_TRIES = 12
LONGEST_PAUSE_SECONDS = 5.0

Read = Callable[[str], EvalLog]


def run_edit_job(spec: JobSpec) -> JobOutcome:
    """Return how the job ended: with success where every log is settled, be it that its edits were refused."""
    if spec.edits is None:
        raise UserError("The job is to edit logs, and is not told how.", field="edits")
    gc.enable()  # off since the start; see inside_venv
    _limit_memory(spec.edits.memory_bytes)
    _load_packages(spec.config)
    folder = folder_at(spec.infra.log_dir)
    troubles = edit_logs(spec.edits, spec.infra.log_dir, folder, results_name=edit_results_name(spec.job_id))
    if troubles:
        return JobOutcome(RunnerExit.RETRYABLE, "UpstreamError", f"{len(troubles)} logs are still due: {troubles[0]}")
    return JobOutcome(RunnerExit.SUCCESS, "Completed", f"The edits of {len(spec.edits.logs)} logs are settled.")


def edit_logs(
    order: EditOrder, log_dir: str, folder: EvalSetFolder, *, results_name: str, read: Read | None = None
) -> list[str]:
    """Edit all logs, and return what kept some from being settled; another try may do better for those."""
    results: list[LogEditResult] = []
    troubles: list[str] = []
    for edits in order.logs:
        try:
            results.append(edit_log(edits, order, f"{log_dir}/{edits.log}", read=read))
        except Upstream as error:
            troubles.append(f"{edits.log}: {error}")
            continue
        logger.info("%s: %s %s", edits.log, results[-1].state, results[-1].reason)
        written = EditResults(edit_request_id=order.edit_request_id, results=tuple(results))
        folder.write(results_name, written.model_dump_json().encode())
    return troubles


def edit_log(
    edits: LogEdits, order: EditOrder, location: str, *, read: Read | None = None, max_tries: int = MAX_TRIES
) -> LogEditResult:
    """Rewrite one log, and say what came of it. Raises Upstream where the store is in trouble."""
    for number in range(1, max_tries + 1):
        try:
            return _try_once(edits, order, location, number=number, read=read or _read)
        except WriteConflictError:
            logger.info("%s was written by another meanwhile", edits.log)
            time.sleep(min(0.1 * 2**number, LONGEST_PAUSE_SECONDS) * random.uniform(0.5, 1))  # noqa: S311 - no secret
    raise Upstream(f"The log was written by others {max_tries} times meanwhile.", hint="Try again later.")


def _try_once(edits: LogEdits, order: EditOrder, location: str, *, number: int, read: Read) -> LogEditResult:
    try:
        log = read(location)
        etag = log.etag
        edited = apply_edits(log, edits.edits, order)
        written = _write(edited.log, location, etag) if edited.is_changed else etag
    except (WriteConflictError, Upstream):
        raise
    except FileNotFoundError:
        return _failed(edits, "There is no such log any more.", number)
    except MemoryError:
        most = f"{order.memory_bytes / 1024**3:.1f} GiB"
        hint = "Ask an administrator to raise HAWK_EDIT_MEMORY_BYTES."
        return _failed(edits, f"The log is too large to be edited within {most} of memory. {hint}", number)
    except (HawkError, ValueError, TypeError, LookupError) as error:
        return _failed(edits, " ".join(str(error).split()) or type(error).__name__, number)
    return _applied(edits, edited, before=etag, after=written, number=number)


def _read(location: str) -> EvalLog:
    with translated_store_errors():
        return read_eval_log(location)


def _write(log: EvalLog, location: str, etag: str | None) -> str | None:
    with translated_store_errors():
        return write_eval_log(log, location, if_match_etag=etag).etag


@contextmanager
def translated_store_errors() -> Iterator[None]:
    """Turn what S3's client raises into what it means for an edit.

    WriteConflictError and FileNotFoundError; Upstream where another try may help, UserError where none does.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except BotoCoreError as error:
        raise Upstream(f"The store does not answer: {error}") from error
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise WriteConflictError(code) from error
        if code in ("NoSuchKey", "404"):
            raise FileNotFoundError(code) from error
        if status >= 500 and status != 501:  # 501: it does not know conditional writes
            raise Upstream(f"The store is in trouble: {code or status}.") from error
        raise UserError(f"The store refuses to read or conditionally write the log: {code or status}.") from error


def _applied(edits: LogEdits, edited: Edited, *, before: str | None, after: str | None, number: int) -> LogEditResult:
    return LogEditResult(
        log=edits.log,
        state="applied",
        etag_before=before,
        etag_after=after,
        metrics=edited.metrics,
        metrics_reason=edited.metrics_reason,
        tries=number,
    )


def _failed(edits: LogEdits, reason: str, number: int) -> LogEditResult:
    return LogEditResult(log=edits.log, state="failed", reason=reason, tries=number)


def _limit_memory(most_bytes: int) -> None:
    """Have an allocation beyond the limit fail, which an edit survives, rather than the process be killed."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _load_packages(config: EvalSetConfig) -> None:
    """Let inspect_ai know the scorers and metrics of the set's packages; without them metrics stay as they are."""
    loaded: set[str] = set()
    for package in packages_of(config):
        name = str(package.name)
        if package.is_builtin or name in loaded:
            continue
        loaded.add(name)
        try:
            load_entry_point(package)
        except Exception as error:  # strangers' code; an edit that needs none of it goes on
            logger.warning("%s cannot be loaded: %s: %s", name, type(error).__name__, error)
