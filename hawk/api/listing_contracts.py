"""Answers of the lists of evals, samples and jobs, shared with the CLI; nothing here knows about FastAPI."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from hawk.api.contracts import EvalSetStatusWord, PageResponse, Priority
from hawk.job_launcher import JobPhase


class _Answer(BaseModel):
    # A newer server may say more than this client knows.
    model_config = ConfigDict(extra="ignore", defer_build=True)


class EvalResponse(_Answer):
    """One eval: a task run by a model. `log` is its file in the set's folder."""

    eval_id: str
    eval_set_id: str
    task_name: str
    model: str
    solver: str | None = None
    status: str
    created_by: str | None = None
    sample_count: int = 0
    total_samples: int | None = None
    error_count: int = 0
    limit_count: int = 0
    headline_scorer: str | None = None
    mean_score: float | None = None
    standard_error: float | None = None
    total_tokens: int | None = None
    total_cost_usd: float | None = None
    total_seconds: float | None = None
    error_message: str | None = None
    log: str
    created_at: datetime | None = None
    completed_at: datetime | None = None
    viewer_url: str | None = None


class EvalListResponse(PageResponse):
    evals: list[EvalResponse]


class SampleResponse(_Answer):
    """One sample in one epoch, as one eval has it."""

    sample_uuid: str
    eval_id: str
    eval_set_id: str
    task_name: str
    model: str
    sample_id: str
    epoch: int
    status: str
    is_canonical: bool
    is_invalidated: bool
    attempt_number: int
    attempt_count: int
    headline_scorer: str | None = None
    score: float | None = None
    score_label: str | None = None
    error_message: str | None = None
    message_count: int = 0
    total_tokens: int | None = None
    total_cost_usd: float | None = None
    total_seconds: float | None = None
    completed_at: datetime | None = None
    viewer_url: str | None = None


class SampleListResponse(PageResponse):
    samples: list[SampleResponse]


class SampleLinkResponse(SampleResponse):
    """Where a sample is: `log` is the file in the set's folder that has it."""

    log: str | None = None


class JobResponse(_Answer):
    """The job of an eval set: how it stands, and its newest attempt."""

    eval_set_id: str
    name: str
    status: EvalSetStatusWord
    status_reason: str = ""
    priority: Priority
    created_by: str | None = None
    created_at: datetime
    attempts: int = 0
    phase: JobPhase | None = None
    exit_code: int | None = None
    message: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    dagster_run_url: str | None = None


class JobListResponse(PageResponse):
    jobs: list[JobResponse]
