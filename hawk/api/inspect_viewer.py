"""Inspect's own viewer server over our bucket: it may list and read what the gateway says, and change nothing.

inspect_ai is imported when the first log is looked at; it takes seconds, and most of the API never needs it.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hawk.api.contracts import ProblemResponse
from hawk.api.problems import install_problem_handlers, problem_response
from hawk.api.services import Services
from hawk.auth import Principal
from hawk.errors import NotFound, Upstream
from hawk.log_gateway.paths import no_such_file, viewer_folder, viewer_log
from hawk.naming import EVALS_ROOT
from hawk.settings import ObjectStoreSettings

if TYPE_CHECKING:
    from inspect_ai._util.asyncfiles import AsyncFilesystem

# Raise a HawkError unless the caller may read the log, or list the set.
MayRead = Callable[[Request, Principal, str], None]

# What the page asks for and only reads. Not among them: who runs this server, Scout's searches, edits, deletes.
VIEWER_PATHS = frozenset(
    {
        "app-config",
        "eval-set",
        "events",
        "flow",
        "log-dir",
        "log-files",
        "log-headers",
        "log-info",
        "log-size",
        "logs",
        "pending-sample-data",
        "pending-sample-data-urls",
        "pending-samples",
    }
)

LISTS = frozenset({"/logs", "/log-files"})

_importing = threading.Lock()


class AccessRules:
    """Inspect's AccessPolicy: the gateway's answers, and never a change."""

    def __init__(self, may_read: MayRead, may_list: MayRead) -> None:
        self._may_read = may_read
        self._may_list = may_list

    async def can_read(self, request: Request, file: str) -> bool:
        try:
            await asyncio.to_thread(self._may_read, request, request.scope["hawk.principal"], file)
        except NotFound:
            # A list asks of some of its logs what they say of others, and goes on without one that may not be read.
            if request.scope["path"] in LISTS:
                return False
            raise
        return True

    async def can_list(self, request: Request, dir: str) -> bool:
        await asyncio.to_thread(self._may_list, request, request.scope["hawk.principal"], dir)
        return True

    async def can_write(self, request: Request, file: str) -> bool:
        return False

    async def can_delete(self, request: Request, file: str) -> bool:
        return False


class BucketMapping:
    """Inspect's FileMappingPolicy: `{eval set}/{log}` for the page, a key of the bucket for Inspect."""

    def __init__(self, bucket: str) -> None:
        self._root = f"s3://{bucket}/{EVALS_ROOT}/"

    async def map(self, request: Request, file: str) -> str:
        # Checked once more: whatever is mapped is read.
        if "/" not in file.rstrip("/"):
            return self._root + viewer_folder(file)
        log = viewer_log(file)
        return f"{self._root}{log.eval_set_id}/{log.name}"

    async def unmap(self, request: Request, file: str) -> str:
        if not file.startswith(self._root):
            raise no_such_file(file)
        return file.removeprefix(self._root)


def page_folder() -> Path:
    """Return the folder of the viewer's page. Raises Upstream where Inspect is not installed; does not import it."""
    found = find_spec("inspect_ai")
    folder = Path(found.origin).parent / "_view" / "dist" if found and found.origin else None
    if folder is None or not (folder / "index.html").is_file():
        raise Upstream("This server has no log viewer.", hint="Install hawk-dagster[api], which brings Inspect.")
    return folder


def page_policy(folder: Path) -> str:
    """Return the Content-Security-Policy that the page was built with; nobody may put it into a frame."""
    directives = json.loads((folder / "content-security-policy.json").read_text())["directives"]
    return "; ".join([*(" ".join([name, *sources]) for name, sources in directives.items()), "frame-ancestors 'none'"])


async def build_viewer(settings: ObjectStoreSettings, services: Services, rules: AccessRules) -> ASGIApp:
    """Return Inspect's server; it reads the bucket with the API's own credentials."""
    await asyncio.to_thread(_import_inspect)
    from inspect_ai._view.fastapi_server import AsyncFilesystemMiddleware, view_server_app

    _configure_s3fs(settings)
    app = view_server_app(
        mapping_policy=BucketMapping(settings.bucket),
        access_policy=rules,
        recursive=False,
        generate_direct_urls=False,
        allow_direct_urls=False,
        trust_content=False,
    )
    app.state.services = services  # for the audit of denials
    install_problem_handlers(app)
    app.add_exception_handler(FileNotFoundError, _on_missing)
    return AsyncFilesystemMiddleware(app, fs=_filesystem(settings))


class PassedOn(Response):
    """The viewer server's answer to the request, in place of one of our own."""

    def __init__(self, viewer: ASGIApp, path: str, query: bytes, *, keeps_token: bool) -> None:
        super().__init__()
        self._passed = frozenset({b"accept", b"if-none-match"} if keeps_token else {b"accept"})
        self._viewer = viewer
        self._path = path
        self._query = query

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner = {
            "type": "http",
            "asgi": scope.get("asgi", {"version": "3.0"}),
            "http_version": scope.get("http_version", "1.1"),
            "method": "GET",
            "scheme": scope.get("scheme", "http"),
            "path": f"/{self._path}",
            "raw_path": None,
            "root_path": "",
            "query_string": self._query,
            "headers": [(name, value) for name, value in scope["headers"] if name in self._passed],
            "client": scope.get("client"),
            "server": scope.get("server"),
            "hawk.request_id": scope.get("hawk.request_id"),
            "hawk.principal": scope["hawk.principal"],
        }
        await self._viewer(inner, receive, send)


async def _on_missing(_request: Request, _error: Exception) -> Response:
    return problem_response(ProblemResponse(title="Not Found", status=404, detail="There is no such log."))


def _import_inspect() -> None:
    with _importing:
        import inspect_ai._view.fastapi_server  # noqa: F401  # for what it takes


def _configure_s3fs(settings: ObjectStoreSettings) -> None:
    """Tell s3fs, which Inspect asks for some of its reads, where the bucket is; it knows no other way than this."""
    import fsspec.config
    from inspect_ai._view import common

    options: dict[str, Any] = {"client_kwargs": {"region_name": settings.s3_region}}
    if settings.s3_endpoint_url:
        options["endpoint_url"] = settings.s3_endpoint_url
    if settings.s3_access_key_id and settings.s3_secret_access_key:
        options["key"] = settings.s3_access_key_id
        options["secret"] = settings.s3_secret_access_key.get_secret_value()
    fsspec.config.conf["s3"] = options
    # One that was made on another loop, of an app that has ended, would wait for ever.
    common._async_connections.pop("s3", None)


def _filesystem(settings: ObjectStoreSettings) -> "AsyncFilesystem":
    """Return Inspect's own file system with a client of our settings in place of one of the environment."""
    from inspect_ai._util.asyncfiles import AsyncFilesystem

    class _Bucket(AsyncFilesystem):
        async def s3_client_async(self) -> Any:
            if self._s3_client_async is None:
                async with self._s3_lock:
                    if self._s3_client_async is None:
                        self._s3_client_async = await _client(settings)
            return self._s3_client_async

    return _Bucket()


async def _client(settings: ObjectStoreSettings) -> Any:
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    secret = settings.s3_secret_access_key
    config = AioConfig(
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=50,
        retries={"max_attempts": 3, "mode": "standard"},
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if settings.s3_endpoint_url else "auto"},
    )
    client = get_session().create_client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        config=config,
    )
    return await client.__aenter__()
