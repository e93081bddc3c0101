"""What the routes work with: made once by the app, handed to each request, closed with the app."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from hawk.api.dagster_client import DagsterClient
from hawk.api.database import Database
from hawk.api.rate_limit import OpenLimit, RateLimit
from hawk.api.token_broker import TokenBroker, token_broker
from hawk.auth import Principal, TokenVerifier, bearer_token
from hawk.errors import NotAllowed, NotSignedIn
from hawk.eval_set_claim import EvalSetStores
from hawk.naming import viewer_eval_set_url
from hawk.object_store import s3_client
from hawk.settings import ApiSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


MAX_LOG_STREAMS = 20  # of one person; each asks the database once a second


@dataclass(frozen=True)
class Services:
    """Clients of everything that the API needs; each is safe to use from several threads."""

    settings: ApiSettings
    database: Database
    s3: "S3Client"
    verifier: TokenVerifier
    dagster: DagsterClient
    broker: TokenBroker
    broker_limit: RateLimit
    failed_sign_ins: RateLimit
    log_streams: OpenLimit = field(default_factory=lambda: OpenLimit(MAX_LOG_STREAMS))

    @property
    def stores(self) -> EvalSetStores:
        return EvalSetStores(self.s3, self.settings.bucket, self.settings.secret_key)

    def viewer_url(self, eval_set_id: str) -> str | None:
        """Return the viewer's page of a set, or None where there is no viewer."""
        base = self.settings.viewer_url
        return viewer_eval_set_url(base, eval_set_id) if base else None

    def close(self) -> None:
        self.database.close()
        self.dagster.close()


def build_services(settings: ApiSettings) -> Services:
    """Return clients made of the settings; none of them has connected yet."""
    s3 = s3_client(settings)
    return Services(
        settings=settings,
        database=Database(settings),
        s3=s3,
        verifier=TokenVerifier(settings),
        dagster=DagsterClient(settings.dagster_webserver_url or settings.dagster_url, page_url=settings.dagster_url),
        broker=token_broker(settings, s3),
        broker_limit=RateLimit(settings.broker_per_minute),
        failed_sign_ins=RateLimit(settings.failed_sign_ins_per_minute),
    )


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


_BEARER = HTTPBearer(auto_error=False, bearerFormat="JWT", description="An access token of the configured issuer.")


# Plain functions, so that FastAPI runs them on its threads: the verifier may wait for the issuer.
def _caller(request: Request, _: Annotated[object, Security(_BEARER)]) -> Principal:
    services = services_of(request)
    try:
        principal = services.verifier.verify(bearer_token(request.headers.get("authorization")))
    except NotSignedIn:
        services.failed_sign_ins.take(request.client.host if request.client else "")
        raise
    request.scope["hawk.subject"] = principal.subject  # for the access log
    request.scope["hawk.principal"] = principal  # for the audit
    return principal


def _user(principal: Annotated[Principal, Depends(_caller)]) -> Principal:
    if principal.kind != "user":
        raise NotAllowed("A job's token cannot do this.", hint="Sign in as a person: hawk login.")
    return principal


def _admin(user: Annotated[Principal, Depends(_user)]) -> Principal:
    if not user.is_admin:
        raise NotAllowed("This is for administrators.", hint="Ask one of them.")
    return user


ServicesHere = Annotated[Services, Depends(services_of)]
Caller = Annotated[Principal, Depends(_caller)]  # a person or a job
User = Annotated[Principal, Depends(_user)]  # a person: whatever changes something
Admin = Annotated[Principal, Depends(_admin)]
