"""The log gateway within the API: who asks, what he may see, and the record of it."""

import threading
import time
from collections import OrderedDict
from typing import Annotated

from fastapi import Depends, Request
from psycopg import Connection
from psycopg.rows import DictRow
from starlette.types import ASGIApp

from hawk.api.browser_sessions import session_principal
from hawk.api.eval_set_access import visible_row
from hawk.api.inspect_viewer import AccessRules, build_viewer
from hawk.api.own_loop import OwnLoop
from hawk.api.rate_limit import RateLimit
from hawk.api.request_audit import RequestAudit, Withheld
from hawk.api.services import Services, services_of
from hawk.auth import Principal, bearer_token
from hawk.errors import NotAllowed, NotSignedIn
from hawk.eval_sets import EvalSetRow, no_such_eval_set
from hawk.log_gateway.guard import LogGuard, StoredFile
from hawk.log_gateway.paths import SetFile, no_such_file, viewer_folder, viewer_log

SESSION_COOKIE = "hawk_logs"
SECONDS_BETWEEN_VIEWS = 600  # one row of the audit for a while of reading, not one for every range
MAX_REMEMBERED_VIEWS = 10_000


class LogGateway:
    """Made once by the app; its methods block."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.guard = LogGuard(services.s3, services.settings.bucket)
        self.downloads = RateLimit(services.settings.downloads_per_minute)
        self.viewer = OwnLoop(self._build_viewer, name="log-viewer")
        self._lock = threading.Lock()
        self._viewed: OrderedDict[tuple[str, str], float] = OrderedDict()

    def visible_set(self, connection: Connection[DictRow], caller: Principal, eval_set_id: str) -> EvalSetRow:
        """Return a set whose folder the caller may see. Raises one NotFound for all others."""
        row = visible_row(connection, caller, eval_set_id)
        judgement = self.guard.judge_set(connection, caller, row)
        if not judgement.may_see:
            raise _withheld_set(row, judgement.missing_groups)
        return row

    def visible_file(self, connection: Connection[DictRow], caller: Principal, file: SetFile) -> StoredFile:
        """Return a file that the caller may see, as it lies on S3 now. Raises NotFound and Upstream."""
        row = self.visible_set(connection, caller, file.eval_set_id)
        stored = self.guard.stored(file)
        if file.kind == "log":
            judgement = self.guard.judge_log(connection, caller, row, stored)
            if not judgement.may_see:
                raise Withheld(
                    no_such_file(file.name),
                    object_kind="eval_set",
                    object_id=row.eval_set_id,
                    missing_groups=list(judgement.missing_groups),
                )
        return stored

    def record_view(self, connection: Connection[DictRow], request: Request, user: Principal, eval_set_id: str) -> None:
        """Write down that somebody looks at a set's logs, once for some minutes of it."""
        key, now = (user.subject, eval_set_id), time.monotonic()
        with self._lock:
            last = self._viewed.get(key)
            if last is not None and now - last < SECONDS_BETWEEN_VIEWS:
                return
        RequestAudit(request).record(connection, user, "log.view", object_id=eval_set_id)
        with self._lock:
            self._viewed[key] = now
            self._viewed.move_to_end(key)
            while len(self._viewed) > MAX_REMEMBERED_VIEWS:
                self._viewed.popitem(last=False)

    def close(self) -> None:
        self.viewer.close()

    async def _build_viewer(self) -> ASGIApp:
        rules = AccessRules(self._require_log, self._require_set)
        return await build_viewer(self._services.settings, self._services, rules)

    def _require_log(self, request: Request, caller: Principal, path: str) -> None:
        log = viewer_log(path)
        with self._services.database.connection() as connection:
            self.visible_file(connection, caller, log)
            self.record_view(connection, request, caller, log.eval_set_id)

    def _require_set(self, request: Request, caller: Principal, path: str) -> None:
        eval_set_id = viewer_folder(path)
        with self._services.database.connection() as connection:
            self.visible_set(connection, caller, eval_set_id)
            self.record_view(connection, request, caller, eval_set_id)


def _withheld_set(row: EvalSetRow, missing: tuple[str, ...]) -> Withheld:
    return Withheld(
        no_such_eval_set(row.eval_set_id),
        object_kind="eval_set",
        object_id=row.eval_set_id,
        missing_groups=list(missing),
    )


def gateway_of(request: Request) -> LogGateway:
    gateway: LogGateway = request.app.state.log_gateway
    return gateway


# A plain function, so that FastAPI runs it on its threads.
def _looking(request: Request) -> Principal:
    """Return who looks at logs: by bearer token, or by the cookie of a browser that was signed in for just that."""
    services = services_of(request)
    authorization = request.headers.get("authorization")
    try:
        if authorization is not None:
            principal = services.verifier.verify(bearer_token(authorization))
        else:
            with services.database.connection() as connection:
                principal = session_principal(connection, request.cookies.get(SESSION_COOKIE, ""))
    except NotSignedIn:
        services.failed_sign_ins.take(request.client.host if request.client else "")
        raise
    request.scope["hawk.subject"] = principal.subject  # for the access log
    request.scope["hawk.principal"] = principal  # for the audit
    if principal.kind != "user":
        raise NotAllowed("A job's token cannot do this.", hint="Sign in as a person: hawk login.")
    return principal


Gateway = Annotated[LogGateway, Depends(gateway_of)]
Looking = Annotated[Principal, Depends(_looking)]  # a person, or a browser of one, which may only look
