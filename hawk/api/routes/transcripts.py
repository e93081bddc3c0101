"""Transcripts of samples: which there are in a set, what was said in one, and one as Inspect wrote it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from psycopg import Connection
from psycopg.rows import DictRow

from hawk.api.log_contracts import TranscriptListResponse, TranscriptResponse
from hawk.api.log_gateway import Gateway, LogGateway
from hawk.api.request_audit import Audit, RequestAudit, Withheld
from hawk.api.services import ServicesHere, User
from hawk.api.transcripts import find_sample, no_such_sample, samples_of_set, transcript
from hawk.auth import Principal
from hawk.errors import HawkError, NotFound
from hawk.log_gateway.paths import set_file
from hawk.log_gateway.streaming import sample_pieces

router = APIRouter(tags=["transcripts"])

Uuid = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[^\x00]+$")]


@router.get("/eval_sets/{eval_set_id}/transcripts")
def list_transcripts(
    eval_set_id: str,
    services: ServicesHere,
    gateway: Gateway,
    user: User,
    after: Annotated[str, Query(max_length=600, pattern=r"^[^\x00]*$", description="`next_after` of a page.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> TranscriptListResponse:
    """Return the set's samples that are imported."""
    eval_id, _, sample_uuid = after.encode("utf-8", "replace").decode().partition(" ")
    with services.database.connection() as connection:
        gateway.visible_set(connection, user, eval_set_id)
    with services.database.reading_as(user) as connection:
        found = samples_of_set(connection, eval_set_id, after=(eval_id, sample_uuid), limit=limit + 1)
    shown = found[:limit]
    more = f"{shown[-1].eval_id} {shown[-1].sample_uuid}" if len(found) > limit else None
    return TranscriptListResponse(eval_set_id=eval_set_id, samples=shown, next_after=more)


@router.get("/samples/{sample_uuid}/transcript")
def sample_transcript(
    sample_uuid: Uuid, services: ServicesHere, gateway: Gateway, user: User, audit: Audit
) -> TranscriptResponse:
    """Return what was said in a sample, and its scores."""
    with services.database.connection() as connection:
        sample = _visible_sample(connection, gateway, user, audit, sample_uuid)
    with services.database.reading_as(user) as connection:
        return transcript(connection, sample)


@router.get("/samples/{sample_uuid}/raw", response_class=StreamingResponse)
def raw_sample(
    sample_uuid: Uuid, services: ServicesHere, gateway: Gateway, user: User, audit: Audit
) -> StreamingResponse:
    """Return a sample out of its log, in Inspect's own JSON. 422 where its log is of the older format."""
    with services.database.connection() as connection:
        sample = _visible_sample(connection, gateway, user, audit, sample_uuid)
        stored = gateway.visible_file(connection, user, set_file(sample["eval_set_id"], sample["log"]))
    pieces = sample_pieces(services.s3, services.settings.bucket, stored, sample["sample_id"], sample["epoch"])
    return StreamingResponse(pieces, media_type="application/json")


def _visible_sample(
    connection: Connection[DictRow], gateway: LogGateway, user: Principal, audit: RequestAudit, sample_uuid: str
) -> DictRow:
    gateway.downloads.take(user.subject)
    withheld: list[HawkError] = []

    def is_visible(row: DictRow) -> bool:
        try:
            gateway.visible_set(connection, user, row["eval_set_id"])
        except NotFound as error:
            withheld.append(error)
            return False
        return True

    try:
        sample = find_sample(connection, sample_uuid.encode("utf-8", "replace").decode(), is_visible)
    except NotFound as error:
        # The audit knows of the set that was withheld; the caller reads of no set.
        for reason in withheld:
            if isinstance(reason, Withheld):
                raise Withheld(
                    no_such_sample(sample_uuid),
                    object_kind=reason.object_kind,
                    object_id=reason.object_id,
                    missing_groups=reason.missing_groups,
                ) from error
        raise
    audit.record(
        connection, user, "transcript.view", object_id=sample["eval_set_id"], sample_uuid=sample["sample_uuid"]
    )
    return sample
