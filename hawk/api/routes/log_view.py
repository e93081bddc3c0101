"""Inspect's own log viewer: its page, the sign-in of a browser that shows it, and the server that the page asks.

The page asks at `/api`; programs find the same server at `/view/logs`.
"""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from hawk.api.browser_sessions import begin_session, end_session, exchange_code
from hawk.api.byte_range import part_of
from hawk.api.inspect_viewer import VIEWER_PATHS, PassedOn, page_folder, page_policy
from hawk.api.log_contracts import (
    BeginBrowserSessionRequest,
    BeginBrowserSessionResponse,
    ExchangeCodeRequest,
    ExchangeCodeResponse,
)
from hawk.api.log_gateway import SESSION_COOKIE, Gateway, Looking
from hawk.api.request_audit import Audit
from hawk.api.services import ServicesHere, User
from hawk.errors import NotAllowed, NotFound
from hawk.log_gateway.paths import viewer_log
from hawk.log_gateway.streaming import file_pieces

router = APIRouter(tags=["log viewer"])

PAGES = Path(__file__).parents[1] / "pages"
OWN_PAGE_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
MAX_WHOLE_LOG_MB = "64"  # of a log in JSON, which the page reads whole; of a larger one it gets the header
MAX_HEADERS_AT_ONCE = 1000

_LOG_TOKEN = re.compile(r'(W/)?"?\d{1,20}(\.\d{1,20})?-\d{1,9}"?')
_ASSET = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


@router.post("/view/sessions", status_code=201)
def begin_browser_session(
    request: BeginBrowserSessionRequest, services: ServicesHere, gateway: Gateway, user: User
) -> BeginBrowserSessionResponse:
    """Return a page to open in a browser, which signs it in to look at the caller's logs and to do nothing else."""
    gateway.downloads.take(user.subject)
    wanted = {}
    with services.database.connection() as connection:
        if request.eval_set_id is not None:
            wanted["set"] = gateway.visible_set(connection, user, request.eval_set_id).eval_set_id
        code = begin_session(connection, user, most_seconds=services.settings.browser_session_seconds)
    gateway.viewer.warm_up()
    return BeginBrowserSessionResponse(path=f"/view/open#{urlencode({'code': code, **wanted}, quote_via=quote)}")


@router.post("/view/session")
def exchange(
    request: Request, response: Response, body: ExchangeCodeRequest, services: ServicesHere
) -> ExchangeCodeResponse:
    """Take a code and set the browser's cookie. 401 for one that was used already, or is over a minute old."""
    services.failed_sign_ins.take(request.client.host if request.client else "")
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise NotAllowed("A page of another site sent this.", hint="Open logs with hawk web ID.")
    with services.database.connection() as connection:
        session = exchange_code(connection, body.code)
    response.set_cookie(
        SESSION_COOKIE,
        session.token,
        expires=session.until,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.hostname not in LOOPBACK_HOSTS,
    )
    return ExchangeCodeResponse(until=session.until)


@router.delete("/view/session", status_code=204)
def sign_out(request: Request, response: Response, services: ServicesHere, looking: Looking) -> None:
    """End the browser's session."""
    with services.database.connection() as connection:
        end_session(connection, request.cookies.get(SESSION_COOKIE, ""))
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="strict")


@router.get("/view/open", include_in_schema=False)
def open_page() -> FileResponse:
    return _page(PAGES / "open.html", OWN_PAGE_POLICY)


@router.get("/view/open.js", include_in_schema=False)
def open_script() -> FileResponse:
    return _page(PAGES / "open.js", OWN_PAGE_POLICY)


@router.get("/view/logs/", include_in_schema=False)
def viewer_page() -> FileResponse:
    """Return the viewer's page, which is the same for everybody."""
    folder = page_folder()
    return _page(folder / "index.html", page_policy(folder))


@router.get("/view/logs/assets/{name}", include_in_schema=False)
def viewer_asset(name: str) -> FileResponse:
    folder = page_folder()
    path = folder / "assets" / name
    if not _ASSET.fullmatch(name) or not path.is_file():
        raise NotFound("There is no such file.")
    return _page(path, page_policy(folder))


@router.get("/view/logs/log-bytes/{log:path}", response_class=StreamingResponse, responses={416: {}})
@router.get("/api/log-bytes/{log:path}", include_in_schema=False)
def log_bytes(
    log: str,
    services: ServicesHere,
    gateway: Gateway,
    looking: Looking,
    request: Request,
    start: Annotated[int, Query(ge=0, le=2**62)],
    end: Annotated[int, Query(ge=0, le=2**62, description="The last byte that is wanted.")],
) -> StreamingResponse:
    """Return a range of a log, `{eval set}/{log}`, as it comes from S3."""
    file = viewer_log(log)
    with services.database.connection() as connection:
        stored = gateway.visible_file(connection, looking, file)
        gateway.record_view(connection, request, looking, file.eval_set_id)
    wanted = part_of(start, end, stored.size_bytes)
    pieces = file_pieces(services.s3, services.settings.bucket, stored, wanted.first, wanted.last)
    headers = {"content-length": str(wanted.length), "etag": f'"{stored.etag}"'}
    return StreamingResponse(pieces, headers=headers, media_type="application/octet-stream")


@router.get("/view/logs/log-download/{log:path}", response_class=StreamingResponse)
@router.get("/api/log-download/{log:path}", include_in_schema=False)
def log_download(
    log: str, services: ServicesHere, gateway: Gateway, looking: Looking, audit: Audit
) -> StreamingResponse:
    """Return a whole log, for the viewer's download button."""
    file = viewer_log(log)
    gateway.downloads.take(looking.subject)
    with services.database.connection() as connection:
        stored = gateway.visible_file(connection, looking, file)
        audit.record(connection, looking, "log.download", object_id=file.eval_set_id, file=file.name, way="viewer")
    pieces = file_pieces(services.s3, services.settings.bucket, stored, 0, stored.size_bytes - 1)
    headers = {
        "content-length": str(stored.size_bytes),
        "content-disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
    }
    return StreamingResponse(pieces, headers=headers, media_type="application/octet-stream")


@router.get("/view/logs/user-info", include_in_schema=False)
@router.get("/api/user-info", include_in_schema=False)
def user_info(looking: Looking) -> dict[str, str]:
    """Return who looks; Inspect's own answer would be who runs this server."""
    return {"name": looking.subject} | ({"email": looking.email} if looking.email else {})


@router.get("/view/logs/{path:path}", include_in_schema=False)
@router.get("/api/{path:path}", include_in_schema=False)
def ask_viewer(path: str, request: Request, gateway: Gateway, looking: Looking) -> Response:
    """Return what Inspect's viewer server answers; each log and folder it is asked for is judged first."""
    noun = path.partition("/")[0]
    if noun not in VIEWER_PATHS:
        raise NotFound("The log viewer has no such page.")
    query = _query_of(request)
    if len(query.get("file", [])) > MAX_HEADERS_AT_ONCE:
        raise NotFound(f"At most {MAX_HEADERS_AT_ONCE} logs can be asked for at once.")
    if noun == "logs" and path != "logs":
        # Read whole, a log would be held in memory, packed and unpacked: the page reads it in ranges.
        query["header-only"] = ["0" if path.endswith(".eval") else MAX_WHOLE_LOG_MB]
    token = request.headers.get("if-none-match", "")
    keeps_token = noun != "log-files" or _LOG_TOKEN.fullmatch(token) is not None
    return PassedOn(gateway.viewer, path, urlencode(query, doseq=True).encode(), keeps_token=keeps_token)


@router.api_route("/view/logs/{path:path}", methods=["POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
@router.api_route("/api/{path:path}", methods=["POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
def refuse_changes(path: str, looking: Looking) -> None:
    """Refuse: logs are only looked at here."""
    raise NotAllowed("Logs cannot be changed, commented or deleted through the viewer.", value=path[:100])


def _query_of(request: Request) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return found


def _page(path: Path, policy: str) -> FileResponse:
    headers = {
        "content-security-policy": policy,
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }
    return FileResponse(path, headers=headers)
