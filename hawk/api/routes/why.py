"""Why one may, or may not, see and use something; tells the denied what he may know, and nothing more."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from hawk.api.contracts import WhyResponse
from hawk.api.explanation import explain
from hawk.api.services import ServicesHere, User

router = APIRouter(tags=["permissions"])


@router.get("/why")
def why(
    request: Request,
    services: ServicesHere,
    user: User,
    thing: Annotated[
        str, Query(min_length=1, max_length=300, description="Id of an eval set, uuid of a sample, or provider/model.")
    ],
) -> WhyResponse:
    """Explain what the caller may do with a thing. What is hidden and what does not exist are answered alike."""
    with services.database.connection() as connection:
        return explain(connection, user, thing, request_id=str(request.scope.get("hawk.request_id", "")))
