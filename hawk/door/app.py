"""The door, put together: everything but its own signing in and out takes a sign-in and a right."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from hawk.api.database import Database
from hawk.auth import Principal, TokenVerifier, bearer_token
from hawk.door import audit_page
from hawk.door.forward import Forwarder
from hawk.door.gatekeeper import Gatekeeper
from hawk.door.rules import Right
from hawk.door.sessions import SESSION_COOKIE, Cookies
from hawk.door.sign_in import CALLBACK_PATH, SignIn
from hawk.errors import HawkError, NotAllowed, NotFound, NotSignedIn, UserError
from hawk.settings import DoorSettings

GRAPHQL = "/graphql"
MAX_BODY_BYTES = 4 * 1024 * 1024
# They show files and runs whole, or report what has not happened.
FOR_ADMINISTRATORS = ("/notebook", "/dagit/notebook", "/download_debug", "/report_asset")


class Door:
    """The door's endpoints."""

    def __init__(self, settings: DoorSettings, *, verifier: TokenVerifier, database: Database) -> None:
        self._settings = settings
        self._verifier = verifier
        self._database = database
        self._cookies = Cookies(settings.secret_key)
        self._sign_in = SignIn(settings, self._cookies, verifier)
        self._keeper = Gatekeeper(settings, database)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._database.open()
        # Answers of Dagster may take minutes, and live as long as somebody looks.
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=10)) as client:
            self._client = client
            self._forwarder = Forwarder(self._settings.dagster_webserver_url, client)
            yield
        self._database.close()

    async def live(self, request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def callback(self, request: Request) -> Response:
        return await self._sign_in.finish(request, self._client)

    async def sign_out(self, request: Request) -> Response:
        _refuse_other_sites(request, self._settings.public_url)
        response = PlainTextResponse("Signed out.")
        response.delete_cookie(SESSION_COOKIE)
        return response

    async def audit(self, request: Request) -> Response:
        """Show the audit to an administrator."""
        principal = await self._caller(request)
        if principal is None:
            return await self._sign_in.begin(request, self._client)
        await run_in_threadpool(self._keeper.require_admin, principal, address=_address(request), what=audit_page.PATH)
        return await run_in_threadpool(audit_page.audit_page, self._database, request.query_params)

    async def page(self, request: Request) -> Response:
        """Answer anything else: the UI's files, logs of runs, GraphQL."""
        _refuse_crooked_paths(request.scope["path"])
        principal = await self._caller(request)
        if principal is None:
            if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
                return await self._sign_in.begin(request, self._client)
            raise NotSignedIn("You are not signed in.", hint="Open Dagster's page in a browser.")
        path, address = request.scope["path"], _address(request)
        if path == GRAPHQL:
            return await self._graphql(request, principal, address)
        right = Right.VIEW if request.method in ("GET", "HEAD") else Right.CHANGE
        if path.startswith(FOR_ADMINISTRATORS):
            right = Right.CHANGE
        await run_in_threadpool(self._keeper.require, principal, right, address=address, what=path)
        if request.method in ("GET", "HEAD"):
            return await self._forwarder.forward(request)
        _refuse_other_sites(request, self._settings.public_url)
        return await self._forwarder.forward(request, body=await _body(request))

    async def websocket(self, socket: WebSocket) -> None:
        """Serve subscriptions; a page of another site cannot open one, though the browser sends its cookies along."""
        try:
            _refuse_other_sites(socket, self._settings.public_url)
            principal = await self._caller(socket)
            if principal is None:
                raise NotSignedIn("You are not signed in.")
            address = _address(socket)
            await run_in_threadpool(self._keeper.require, principal, Right.VIEW, address=address, what="websocket")
        except HawkError:
            await socket.close(code=4403)
            return
        await self._forwarder.websocket(socket, principal, self._keeper)

    async def _graphql(self, request: Request, principal: Principal, address: str) -> Response:
        if request.method == "GET" and "query" not in request.query_params:
            await run_in_threadpool(self._keeper.require, principal, Right.VIEW, address=address, what=GRAPHQL)
            return await self._forwarder.forward(request)
        _refuse_other_sites(request, self._settings.public_url)
        if request.method != "POST" or "application/json" not in request.headers.get("content-type", ""):
            raise UserError("GraphQL is taken by POST, as application/json.", field="content-type")
        asked = _json_object(await _body(request))
        admitted = await run_in_threadpool(self._keeper.admit, principal, asked, address=address)
        request.scope["query_string"] = b""
        return await self._forwarder.forward(request, body=json.dumps(admitted).encode())

    async def _caller(self, connection: HTTPConnection) -> Principal | None:
        """Return who is signed in, by cookie or bearer token. Raises NotSignedIn for a token that does not hold."""
        authorization = connection.headers.get("authorization")
        if authorization:
            principal = await run_in_threadpool(self._verifier.verify, bearer_token(authorization))
            if principal.kind != "user":
                raise NotAllowed("A job has no business in Dagster.")
            return principal
        return self._cookies.principal(connection.cookies.get(SESSION_COOKIE))


def create_app(settings: DoorSettings, *, verifier: TokenVerifier | None = None) -> Starlette:
    """Return the door; nothing connects before it is started."""
    door = Door(settings, verifier=verifier or TokenVerifier(settings), database=Database(settings, most=5))
    methods = ["GET", "HEAD", "POST"]
    return Starlette(
        routes=[
            Route("/door/live", door.live),
            Route(audit_page.PATH, door.audit),
            Route(CALLBACK_PATH, door.callback),
            Route("/door/sign-out", door.sign_out, methods=["POST"]),
            WebSocketRoute(GRAPHQL, door.websocket),
            Route("/{path:path}", door.page, methods=methods),
        ],
        exception_handlers={HawkError: _on_error},
        lifespan=door.lifespan,
    )


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HawkError)
    if error.http_status == 500:
        raise error
    if "text/html" in request.headers.get("accept", ""):
        return PlainTextResponse(str(error), status_code=error.http_status)
    # As GraphQL has it, so that Dagster's pages show the message.
    return JSONResponse({"errors": [{"message": str(error)}]}, status_code=error.http_status)


def _refuse_crooked_paths(path: str) -> None:
    # Somebody on the way might tidy them up, and then another page is asked for than was judged.
    if "//" in path or "\\" in path or any(part in (".", "..") for part in path.split("/")) or not path.isprintable():
        raise NotFound("There is no such page.")


def _refuse_other_sites(connection: HTTPConnection, public_url: str) -> None:
    origin = connection.headers.get("origin")
    if origin is None:  # programs, and pages of old
        return
    if urlsplit(origin)[:2] != urlsplit(public_url)[:2]:
        raise NotAllowed(f"A page of {origin[:100]} sent this.", hint="Use Dagster's own page.")


def _address(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise UserError(f"The request is larger than {MAX_BODY_BYTES} bytes.")
    return body


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UserError("The request is no JSON.", field="body") from error
    if not isinstance(asked, dict):
        raise UserError("The request is no JSON object.", field="body")
    return asked
