"""The API, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from hawk.api.log_gateway import LogGateway
from hawk.api.openapi import describe
from hawk.api.problems import install_problem_handlers
from hawk.api.request_context import RequestContext
from hawk.api.routes import (
    audit,
    auth,
    benchmarks,
    edits,
    eval_set_actions,
    eval_sets,
    health,
    imports,
    log_files,
    log_view,
    logs,
    models,
    registered_models,
    results,
    stacktrace,
    token,
    transcripts,
    usage,
    why,
)
from hawk.api.services import Services, build_services
from hawk.settings import ApiSettings
from hawk.version import hawk_version

NOUNS = (
    health,
    auth,
    models,
    registered_models,
    usage,
    eval_sets,
    eval_set_actions,
    stacktrace,
    logs,
    results,
    imports,
    edits,
    log_files,
    transcripts,
    log_view,
    token,
    why,
    benchmarks,
    audit,
)


def create_app(settings: ApiSettings, *, services: Services | None = None) -> FastAPI:
    """Return the API; nothing connects before it is started or called."""
    services = services or build_services(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services.database.open()
        yield
        app.state.log_gateway.close()
        services.close()

    version = hawk_version()
    app = FastAPI(title="Hawk", version=version, lifespan=lifespan, redirect_slashes=False)
    app.state.services = services
    app.state.log_gateway = LogGateway(services)
    install_problem_handlers(app)
    for noun in NOUNS:
        app.include_router(noun.router)
    app.openapi = describe(app)  # type: ignore[method-assign]  # FastAPI's own way to say it otherwise
    app.add_middleware(RequestContext, version=version)
    return app
