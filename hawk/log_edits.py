"""Edits of samples in logs: what may be asked for, what an edit job is told, and what it answers.

Who may edit what is decided in hawk.api; the logs themselves are rewritten by a runner, in the set's own venv.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StrictBool, StrictInt, StrictStr, model_validator

MAX_EDITS = 1000
MAX_TEXT = 20_000  # of a note, an answer or an explanation
MAX_REQUEST_CHARACTERS = 500_000  # of all edits as JSON; a job's file has a megabyte on Kubernetes

UNCHANGED: Literal["UNCHANGED"] = "UNCHANGED"  # inspect_ai's own word

EditRequestState = Literal[
    "waiting_for_approval", "accepted", "rejected", "running", "applied", "partly_applied", "failed"
]

_Scalar = StrictBool | StrictInt | FiniteFloat | StrictStr
# What inspect_ai takes for the value of a score.
ScoreValue = _Scalar | list[_Scalar] | dict[str, _Scalar | None]

Text = Annotated[str, Field(max_length=MAX_TEXT, pattern=r"^[^\x00]*$")]
Reason = Annotated[
    str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$", description="Why; kept in the log.")
]


class _Details(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScoreEditDetails(_Details):
    """Another value, answer, explanation or metadata of one scorer's score, or a score that was not there."""

    type: Literal["score_edit"]
    scorer: str = Field(min_length=1, max_length=300, description="Name of the score, as the sample has it.")
    reason: Reason
    value: ScoreValue = Field(default=UNCHANGED, description="`UNCHANGED` leaves it as it is, here and below.")
    answer: Text | None = UNCHANGED
    explanation: Text | None = UNCHANGED
    metadata: dict[str, Any] | Literal["UNCHANGED"] = Field(
        default=UNCHANGED, description="Replaces all of the score's metadata."
    )

    @model_validator(mode="after")
    def _check_change(self) -> "ScoreEditDetails":
        if all(given == UNCHANGED for given in (self.value, self.answer, self.explanation, self.metadata)):
            raise ValueError("a score_edit changes value, answer, explanation or metadata; this one changes nothing")
        return self


class InvalidateSampleDetails(_Details):
    """Takes a sample out of what counts; a retry of its set runs it again."""

    type: Literal["invalidate_sample"]
    reason: Reason


class UninvalidateSampleDetails(_Details):
    """Lets a sample count again."""

    type: Literal["uninvalidate_sample"]
    reason: Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")] = ""


class NoteDetails(_Details):
    """Adds a note to a sample's events; changes nothing else."""

    type: Literal["note"]
    text: Annotated[Text, Field(min_length=1)]


Details = Annotated[
    ScoreEditDetails | InvalidateSampleDetails | UninvalidateSampleDetails | NoteDetails, Field(discriminator="type")
]


class SampleEdit(BaseModel):
    """One edit of one sample, as somebody asks for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_uuid: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$")
    details: Details


class PlacedEdit(BaseModel):
    """An edit whose sample was looked up; `position` is its place in the request, counted from 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    position: int = Field(ge=0)
    sample_uuid: str
    sample_id: str
    epoch: int
    details: Details


class LogEdits(BaseModel):
    """All edits of one log, in order; either all of them come to be in it or none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log: str = Field(description="Name of the log within its set's folder.")
    edits: tuple[PlacedEdit, ...] = Field(min_length=1)


class EditOrder(BaseModel):
    """What an edit job is told beside its set's config."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    edit_request_id: str
    author: str = Field(description="Who asked for the edits, as the logs say it: the email, else the subject.")
    approved_by: str | None = None
    memory_bytes: int = Field(ge=1, description="Most memory that the job takes of its own.")
    logs: tuple[LogEdits, ...] = Field(min_length=1)


class LogEditResult(BaseModel):
    """What came of the edits of one log."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    log: str
    state: Literal["applied", "failed"]
    reason: str = Field(default="", description="Why it failed; the log is then byte for byte as it was.")
    etag_before: str | None = None
    etag_after: str | None = None
    metrics: Literal["untouched", "recomputed", "kept"] = Field(
        default="untouched", description="`kept`: scores changed, and the metrics could not be computed anew."
    )
    metrics_reason: str = ""
    tries: int = Field(default=1, description="Writes, of which all but the last met another's.")


class EditResults(BaseModel):
    """The file that an edit job leaves beside the logs; written anew after each log."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    edit_request_id: str
    results: tuple[LogEditResult, ...] = ()


def edit_results_name(job_id: str) -> str:
    """Return the name, within the set's folder, of the file that says what an edit job did."""
    return f".edits/{job_id}.json"
