"""Bodies of requests and answers about edits of logs, shared with the CLI."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from hawk.log_edits import MAX_EDITS, EditRequestState, SampleEdit


class _Contract(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)


class _Answer(BaseModel):
    # A newer server may say more than this client knows.
    model_config = ConfigDict(extra="ignore", defer_build=True)


class EditSamplesRequest(_Contract):
    """Edits of any samples; those of one log all come to be in it, in this order, or none."""

    edits: list[SampleEdit] = Field(min_length=1, max_length=MAX_EDITS)


class DecideEditRequest(_Contract):
    reason: str = Field(default="", max_length=2000, pattern=r"^[^\x00]*$")


class EditedLogResponse(_Answer):
    """One log of a request; `metrics` is `kept` where scores changed and metrics could not be computed anew."""

    eval_set_id: str
    eval_id: str
    log: str
    edit_count: int
    state: str
    reason: str = ""
    metrics: str = "untouched"
    metrics_reason: str = ""
    settled_at: datetime | None = None


class EditResponse(_Answer):
    """A request to edit, and how far each log has come where that is told."""

    edit_request_id: str
    state: EditRequestState
    created_by: str
    created_at: datetime
    edit_count: int
    log_count: int
    decided_by: str | None = None
    decision_reason: str = ""
    dagster_run_url: str | None = None
    logs: list[EditedLogResponse] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)


class EditListResponse(_Answer):
    edits: list[EditResponse]
