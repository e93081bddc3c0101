"""What a client needs to know before it can sign in."""

from fastapi import APIRouter, Request

from hawk.api.contracts import AuthConfigResponse
from hawk.api.services import ServicesHere

router = APIRouter(prefix="/auth", tags=["sign-in"])


@router.get("/config")
def auth_config(request: Request, services: ServicesHere) -> AuthConfigResponse:
    """Return the issuer and the client id; needs no token."""
    settings = services.settings
    return AuthConfigResponse(
        issuer=settings.issuer,
        client_id=settings.cli_client_id,
        scopes=list(settings.cli_scopes),
        callback_port=settings.cli_callback_port,
        viewer_url=settings.viewer_url,
        dagster_url=settings.dagster_url,
        proxy_url=settings.proxy_url,
        version=request.app.version,
    )
