"""Bodies of the log gateway's requests and answers, shared with the CLI; nothing here knows about FastAPI."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    # A newer server may say more than this client knows.
    model_config = ConfigDict(extra="ignore", defer_build=True)


class SetFileResponse(_Answer):
    """A file in a set's folder; `name` is its path there. The etag changes whenever the file does."""

    name: str
    kind: Literal["log", "artifact"]
    size_bytes: int
    etag: str
    last_modified: datetime


class SetFileListResponse(_Answer):
    eval_set_id: str
    files: list[SetFileResponse]
    next_after: str | None = Field(default=None, description="Give it as `after` for the next page; none: the end.")


class FileUrlResponse(_Answer):
    """Where one version of a file can be downloaded from, for some minutes and by whoever has the address."""

    name: str
    url: str
    etag: str
    size_bytes: int
    expires_at: datetime


class BeginBrowserSessionRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    eval_set_id: str | None = Field(default=None, max_length=255, description="Whose logs to open.")


class BeginBrowserSessionResponse(_Answer):
    """A path of the API to open in a browser within a minute, once; what follows its `#` no server gets to see."""

    path: str


class ExchangeCodeRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=200)


class ExchangeCodeResponse(_Answer):
    """The session is in a cookie that pages cannot read."""

    until: datetime


class TranscriptMessage(_Answer):
    role: str
    text: str = ""
    reasoning: str = ""
    tool_calls: list[Any] = Field(default_factory=list)
    tool_name: str | None = None
    tool_error: Any = None
    model: str | None = None


class TranscriptScore(_Answer):
    scorer: str
    value: Any = None
    answer: str | None = None
    explanation: str | None = None
    is_intermediate: bool = False


class TranscriptSummary(_Answer):
    """One sample's newest import, as a list shows it; `log` is its file in the set's folder."""

    sample_uuid: str
    eval_set_id: str
    eval_id: str
    log: str
    task_name: str
    model: str
    sample_id: str
    epoch: int
    is_complete: bool = True
    error: str | None = None
    limit: str | None = None
    message_count: int = 0


class TranscriptListResponse(_Answer):
    eval_set_id: str
    samples: list[TranscriptSummary]
    next_after: str | None = Field(default=None, description="Give it as `after` for the next page; none: the end.")


class TranscriptResponse(TranscriptSummary):
    """What was said in a sample, and how it was scored. Texts are strangers': never print them as they are."""

    target: Any = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    total_tokens: int | None = None
    messages: list[TranscriptMessage] = Field(default_factory=list)
    scores: list[TranscriptScore] = Field(default_factory=list)
    left_out_characters: int = Field(default=0, description="Of texts that were cut: `--raw` has them whole.")
