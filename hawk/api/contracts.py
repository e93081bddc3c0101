"""Bodies of the API's requests and answers, shared with the CLI; nothing here knows about FastAPI."""

import re
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from hawk.errors import UserError
from hawk.ids import parse_job_id
from hawk.job_launcher import JobPhase

Priority = Literal["low", "medium", "high"]
EvalSetStatusWord = Literal[
    "pending", "waiting_for_capacity", "running", "stuck", "importing", "complete", "failed", "stopped", "deleted"
]
ImportState = Literal["pending", "importing", "imported", "skipped", "superseded", "quarantined", "dead_letter"]


class _Contract(BaseModel):
    # Built when it is used: a command uses few of them, and must start at once.
    model_config = ConfigDict(extra="forbid", defer_build=True)


class _Answer(BaseModel):
    # A newer server may say more than this client knows.
    model_config = ConfigDict(extra="ignore", defer_build=True)


class ProblemResponse(_Answer):
    """An RFC 9457 problem, as application/problem+json; `field` is the path of the input at fault."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    hint: str = ""
    field: str = ""
    request_id: str = ""
    problems: list[dict[str, Any]] = Field(default_factory=list)


class AuthConfigResponse(_Answer):
    """What a client needs before it can sign in."""

    issuer: str
    client_id: str
    scopes: list[str]
    callback_port: int | None = None
    viewer_url: str | None = None
    dagster_url: str | None = None
    proxy_url: str | None = None
    version: str


class CreateEvalSetRequest(_Contract):
    """Launch an eval set, or relaunch it where `eval_set_id` (or the config's) is one that exists."""

    config: dict[str, Any] = Field(description="The YAML file's mapping, as it stands.")
    eval_set_id: str | None = None
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    priority: Priority = "medium"
    log_dir_allow_dirty: bool = False
    force: bool = Field(default=False, description="Launch though the caller has as many unfinished sets as allowed.")


class ResumeEvalSetRequest(_Contract):
    """Launch a set that has ended again: with its stored config, or another; secrets are given again."""

    config: dict[str, Any] | None = Field(
        default=None, description="Instead of the stored one; samples of tasks that stay as they were are kept."
    )
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    priority: Priority | None = Field(default=None, description="Unset: as it was.")
    log_dir_allow_dirty: bool = False
    force: bool = Field(default=False, description="Launch though the caller has as many unfinished sets as allowed.")


class CreateEvalSetResponse(_Answer):
    eval_set_id: str
    dagster_run_id: str | None = None
    dagster_run_url: str | None = None
    viewer_url: str | None = None
    warnings: list[str] = Field(default_factory=list)


class SampleProgress(_Answer):
    """One sample that runs or has ended."""

    sample_id: str
    epoch: int
    state: Literal["running", "success", "error", "limit", "cancelled"]
    scores: dict[str, str] = Field(default_factory=dict)
    seconds: float | None = None
    message: str = ""


class TaskProgress(_Answer):
    """One task of the grid: what the runner last said of it."""

    task_name: str
    model: str
    solver: str | None = None
    eval_id: str | None = None
    state: Literal["pending", "running", "success", "error", "cancelled"]
    total_samples: int | None = None
    completed_samples: int = 0
    failed_samples: int = 0
    samples: list[SampleProgress] = Field(default_factory=list)


class AttemptResponse(_Answer):
    attempt_number: int
    phase: JobPhase
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    peak_memory_bytes: int | None = None


class ImportResponse(_Answer):
    """How far the set's logs are on their way into the warehouse; counts of log files.

    `quarantined` ones were set aside, as broken or after too many tries; `problems` says why, and what to do.
    """

    landed: int = 0
    pending: int = 0
    imported: int = 0
    quarantined: int = 0
    in_marts: int = 0
    problems: list[str] = Field(default_factory=list)


class EvalSetStatusResponse(_Answer):
    eval_set_id: str
    name: str
    status: EvalSetStatusWord
    status_reason: str = ""
    created_by: str | None = None
    created_at: datetime
    first_sample_at: datetime | None = None
    tasks: list[TaskProgress] = Field(default_factory=list)
    attempts: list[AttemptResponse] = Field(default_factory=list)
    imports: ImportResponse = Field(default_factory=ImportResponse)
    dagster_run_url: str | None = None
    viewer_url: str | None = None


class EvalSetResponse(_Answer):
    """One row of a list."""

    eval_set_id: str
    name: str
    status: EvalSetStatusWord
    created_by: str | None
    created_at: datetime
    model_names: list[str]
    eval_count: int = 0
    sample_count: int = 0


class PageResponse(_Answer):
    """A page of a list, newest first."""

    total: int | None = Field(
        default=None, description="How many match, counted up to 10,000; only with the first page."
    )
    total_is_capped: bool = Field(default=False, description="There are more than `total`.")
    next_cursor: str | None = Field(default=None, description="Give it as `cursor` for the next page; none: the end.")


class EvalSetListResponse(PageResponse):
    eval_sets: list[EvalSetResponse]


class StopEvalSetRequest(_Contract):
    """How samples that still run end: scored as far as they came, or as errors that a retry runs again."""

    action: Literal["score", "error"] = "score"
    sample_uuid: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_-]{1,100}$", description="End only this sample; unset: the whole set."
    )


class EvalSetConfigResponse(_Answer):
    """The config of the set's last launch, as it was given."""

    eval_set_id: str
    config: dict[str, Any]


class EvalSetActionResponse(_Answer):
    """A stop, delete or retry was accepted; Dagster does it."""

    eval_set_id: str
    dagster_run_id: str | None = None
    dagster_run_url: str | None = None
    warnings: list[str] = Field(default_factory=list)


class LogsResponse(_Answer):
    eval_set_id: str
    attempt_number: int | None
    text: str


class StackTraceResponse(_Answer):
    """Where the threads of a runner were; `pending` until it has answered, `none` where nobody has asked."""

    eval_set_id: str
    state: Literal["ready", "pending", "failed", "none"]
    attempt_number: int | None = None
    taken_at: datetime | None = None
    text: str = ""


class ModelListResponse(_Answer):
    models: list[str]


class PlanRequest(_Contract):
    """What a config would need; nothing is launched."""

    config: dict[str, Any]


class PlanResponse(_Answer):
    """Whether the caller may launch the config, and if not, why."""

    model_groups: dict[str, str] = Field(description="Group of each declared model that has one.")
    unknown_models: list[str] = Field(default_factory=list)
    benchmark_groups: dict[str, str] = Field(
        default_factory=dict, description="Group of each task package that has one."
    )
    missing_groups: list[str] = Field(default_factory=list)
    required_secrets: list[str] = Field(default_factory=list)
    may_launch: bool


class CredentialsRequest(_Contract):
    """A job asks for its own credentials; a scan names the eval sets that it reads."""

    job_id: str = Field(min_length=1, max_length=255)
    job_type: Literal["eval-set", "scan", "edit"] = "eval-set"
    source_eval_set_ids: list[str] = Field(default_factory=list, max_length=100)

    @field_validator("job_id")
    @classmethod
    def _check_job_id(cls, job_id: str) -> str:
        try:
            return parse_job_id(job_id, field="job_id")
        except UserError as error:
            raise ValueError(error.message) from error

    @field_validator("source_eval_set_ids")
    @classmethod
    def _check_sources(cls, ids: list[str]) -> list[str]:
        # They become part of a policy, where '*' and '?' mean more than themselves.
        for eval_set_id in ids:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", eval_set_id):
                raise ValueError(f"{eval_set_id!r} is not the id of an eval set")
        return list(dict.fromkeys(ids))


class CredentialsResponse(_Answer):
    """AWS credentials, in the form and with the names of `credential_process`."""

    Version: Literal[1] = 1
    AccessKeyId: str
    SecretAccessKey: str
    SessionToken: str
    Expiration: datetime


class WhyResponse(_Answer):
    """What the caller may do with a thing, and why; groups are named only where he may know of the thing."""

    thing: str
    kind: Literal["eval_set", "sample", "model", "unknown"]
    may_view: bool = False
    may_use: bool = Field(default=False, description="A model: run it. An eval set: stop, retry, change, delete it.")
    reasons: list[str]
    required_groups: list[str] = Field(default_factory=list)
    missing_groups: list[str] = Field(default_factory=list)
    held_groups: list[str] = Field(default_factory=list, description="The caller's own.")
    hint: str = ""


class SetBenchmarkGroupRequest(_Contract):
    """Whoever runs the benchmark must hold this group besides those of the models."""

    model_group: str = Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


class BenchmarkResponse(_Answer):
    benchmark: str
    model_group: str


class BenchmarkListResponse(_Answer):
    benchmarks: list[BenchmarkResponse]


class AuditResponse(_Answer):
    """One act or denial."""

    audit_id: int
    occurred_at: datetime
    subject: str | None
    email: str | None
    action: str
    outcome: Literal["allowed", "denied"]
    door: str
    object_kind: str = ""
    object_id: str = ""
    eval_set_name: str | None = None
    eval_set_owner: str | None = None
    client_address: str = ""
    request_id: str = ""
    detail: dict[str, Any] = Field(default_factory=dict)


class AuditListResponse(_Answer):
    entries: list[AuditResponse]
    next_before: int | None = Field(default=None, description="Give it as `before` for the next page; none: the end.")


class DependencyResponse(_Answer):
    """One thing that the API leans on; `is_required` ones must answer for the API to be ready."""

    is_ok: bool
    is_required: bool
    detail: str = ""


class ReadinessResponse(_Answer):
    is_ready: bool
    dependencies: dict[str, DependencyResponse]


class VersionResponse(_Answer):
    version: str


class LogToImport(_Contract):
    """What the caller read in a log; believed until the log itself is there to be read."""

    file_name: str = Field(max_length=1000)
    size_bytes: int
    content_hash: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="SHA-256 over the SHA-256 of its parts, which have `part_bytes` each."
    )
    eval_id: str = Field(max_length=200)
    task_name: str = Field(default="", max_length=1000)
    model_names: list[str] = Field(max_length=1000)


class BeginImportRequest(_Contract):
    """Bring logs, into a set of imported logs of one's own or into a new one."""

    logs: list[LogToImport] = Field(min_length=1, max_length=500)
    name: str = Field(default="", max_length=200, description="Of the new set; empty: the first log's file name.")
    eval_set_id: str | None = None
    dry_run: bool = Field(default=False, description="Only say what would be done.")


class LogToImportResponse(_Answer):
    """What is to be done with one log; of a `known` one `eval_set_id` is the set that has it."""

    content_hash: str
    state: Literal["wanted", "known", "refused"]
    reason: str = ""
    eval_set_id: str | None = None
    upload_id: str | None = None
    received_parts: list[int] = Field(default_factory=list, description="Parts that need not be sent again.")


class BeginImportResponse(_Answer):
    eval_set_id: str | None = Field(description="Where wanted logs go; none where there is none, or in a dry run.")
    part_bytes: int
    viewer_url: str | None = None
    logs: list[LogToImportResponse]


class FinishUploadResponse(_Answer):
    """The log is part of the set, and waits for its import into the warehouse."""

    eval_set_id: str
    eval_id: str
    log: str


class LogImportResponse(_Answer):
    """The newest version of one log, and how far it has come; `reason` says why, and what to do."""

    log: str
    state: ImportState
    reason: str = ""
    attempts: int = 0
    size_bytes: int = 0
    sample_count: int | None = None
    is_in_marts: bool = False
    damage: str | None = Field(default=None, description="What is missing of a damaged log that was imported in part.")
    last_modified: datetime
    state_changed_at: datetime


class LogImportListResponse(_Answer):
    eval_set_id: str
    logs: list[LogImportResponse]


class RetryImportsRequest(_Contract):
    """Which of the set's logs to import again: those that are named, or else those that are quarantined."""

    logs: list[str] = Field(default_factory=list, max_length=10_000)
    force: bool = Field(default=False, description="All logs, also those that are imported as they are.")


class RetryImportsResponse(_Answer):
    eval_set_id: str
    reopened: int
