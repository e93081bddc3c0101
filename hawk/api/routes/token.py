"""The token broker's door."""

from typing import Annotated

from fastapi import APIRouter, Header

from hawk.api.contracts import CredentialsRequest, CredentialsResponse
from hawk.api.request_audit import Audit
from hawk.api.services import Caller, ServicesHere
from hawk.naming import POD_TOKEN_HEADER, TOKEN_PATH

router = APIRouter(tags=["jobs"])


@router.post(TOKEN_PATH)
def give_credentials(
    request: CredentialsRequest,
    services: ServicesHere,
    caller: Caller,
    audit: Audit,
    pod_token: Annotated[str | None, Header(alias=POD_TOKEN_HEADER)] = None,
) -> CredentialsResponse:
    """Return AWS credentials for the job's own folder, as `credential_process` prints them.

    The bearer is the job's token; where jobs are pods, the pod's projected token must come along, and then the token
    of the person who launched it will do as well. 409 where the job has ended.
    """
    services.broker_limit.take(f"{caller.subject} {request.job_id}")
    with services.database.connection() as connection:
        credentials = services.broker.grant(connection, caller, request, pod_token)
        audit.record(
            connection,
            caller,
            "credentials.grant",
            object_id=request.job_id,
            sources=request.source_eval_set_ids,
            until=credentials.Expiration.isoformat(),
        )
    return credentials
