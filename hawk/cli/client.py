"""The CLI's client of the API: requests with a token, and every failure as one of hawk.errors."""

import hashlib
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from pydantic import BaseModel, ValidationError

from hawk.api.contracts import (
    AuditListResponse,
    AuthConfigResponse,
    BeginImportRequest,
    BeginImportResponse,
    BenchmarkListResponse,
    BenchmarkResponse,
    CreateEvalSetRequest,
    CreateEvalSetResponse,
    EvalSetActionResponse,
    EvalSetConfigResponse,
    EvalSetStatusResponse,
    FinishUploadResponse,
    LogImportListResponse,
    LogsResponse,
    ModelListResponse,
    PlanResponse,
    ProblemResponse,
    ResumeEvalSetRequest,
    RetryImportsRequest,
    RetryImportsResponse,
    VersionResponse,
    WhyResponse,
)
from hawk.errors import (
    Bug,
    ConfigError,
    ConfigProblem,
    Conflict,
    HawkError,
    NotAllowed,
    NotFound,
    NotSignedIn,
    TooManyRequests,
    Upstream,
    UserError,
)
from hawk.naming import CLIENT_VERSION_HEADER, CONTENT_HASH_HEADER
from hawk.version import hawk_version

TIMEOUT_SECONDS = 60.0
STREAM_SILENCE_SECONDS = 45.0  # a stream says something every 15 s
FINISH_SECONDS = 600.0  # a large log is copied within S3 meanwhile

_ERROR_OF_STATUS: dict[int, type[HawkError]] = {
    400: UserError,
    401: NotSignedIn,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: UserError,
    422: UserError,
    429: TooManyRequests,
    500: Bug,
    502: Upstream,
    503: Upstream,
    504: Upstream,
}


class HawkClient:
    """One API, and whoever is signed in there; every method raises a HawkError with the API's own words."""

    def __init__(self, api_url: str, token: Callable[[], str]) -> None:
        self._api_url = api_url.rstrip("/")
        self._token = token
        headers = {CLIENT_VERSION_HEADER: hawk_version()}
        # Without TLS no certificates are loaded, which takes as long as all else here; nothing is trusted then.
        tls = True if self._api_url.lower().startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            self._http = httpx.Client(base_url=self._api_url, timeout=TIMEOUT_SECONDS, headers=headers, verify=tls)
        except httpx.InvalidURL as error:
            raise UserError(f"HAWK_API_URL is no address: {api_url!r}.", hint="Write http://HOST:PORT.") from error

    def close(self) -> None:
        self._http.close()

    def auth_config(self) -> AuthConfigResponse:
        return self.ask(AuthConfigResponse, "GET", "/auth/config", is_public=True)

    def version(self) -> VersionResponse:
        return self.ask(VersionResponse, "GET", "/version", is_public=True)

    def create_eval_set(self, request: CreateEvalSetRequest) -> CreateEvalSetResponse:
        body = request.model_dump(mode="json", exclude={"secrets"})
        # pydantic writes secrets as asterisks.
        body["secrets"] = {name: value.get_secret_value() for name, value in request.secrets.items()}
        return self.ask(CreateEvalSetResponse, "POST", "/eval_sets", body=body)

    def plan(self, config: dict[str, Any]) -> PlanResponse:
        return self.ask(PlanResponse, "POST", "/plan", body={"config": config})

    def resume_eval_set(self, eval_set_id: str, request: ResumeEvalSetRequest) -> CreateEvalSetResponse:
        body = request.model_dump(mode="json", exclude={"secrets"})
        body["secrets"] = {name: value.get_secret_value() for name, value in request.secrets.items()}
        return self.ask(CreateEvalSetResponse, "POST", f"{_path(eval_set_id)}/resume", body=body)

    def eval_set_status(self, eval_set_id: str, *, samples: int) -> EvalSetStatusResponse:
        return self.ask(EvalSetStatusResponse, "GET", f"{_path(eval_set_id)}/status", query={"samples": samples})

    def eval_set_config(self, eval_set_id: str) -> EvalSetConfigResponse:
        return self.ask(EvalSetConfigResponse, "GET", f"{_path(eval_set_id)}/config")

    def eval_set_logs(self, eval_set_id: str, *, lines: int) -> LogsResponse:
        return self.ask(LogsResponse, "GET", f"{_path(eval_set_id)}/logs", query={"lines": lines})

    @contextmanager
    def log_events(self, eval_set_id: str, *, lines: int, last_event_id: str) -> Iterator[Iterator[str]]:
        """Give the lines of a stream of events; whoever reads on raises Upstream where the connection ends early."""
        signed = {"authorization": f"Bearer {self._token()}", "accept": "text/event-stream"}
        headers = {**signed, **({"last-event-id": last_event_id} if last_event_id else {})}
        path = f"{_path(eval_set_id)}/logs"
        timeout = httpx.Timeout(TIMEOUT_SECONDS, read=STREAM_SILENCE_SECONDS)
        try:
            with self._http.stream("GET", path, params={"lines": lines}, headers=headers, timeout=timeout) as response:
                if not response.is_success:
                    response.read()
                    raise error_of(response)
                yield response.iter_lines()
        except httpx.HTTPError as error:
            raise Upstream(
                f"The API at {self._api_url} failed: {type(error).__name__}.", hint="Try again in a moment."
            ) from error

    def stop_eval_set(self, eval_set_id: str, *, action: str, sample_uuid: str | None = None) -> EvalSetActionResponse:
        body = {"action": action, "sample_uuid": sample_uuid}
        return self.ask(EvalSetActionResponse, "POST", f"{_path(eval_set_id)}/stop", body=body)

    def retry_eval_set(self, eval_set_id: str) -> EvalSetActionResponse:
        return self.ask(EvalSetActionResponse, "POST", f"{_path(eval_set_id)}/retry")

    def delete_eval_set(self, eval_set_id: str) -> EvalSetActionResponse:
        return self.ask(EvalSetActionResponse, "DELETE", _path(eval_set_id))

    def list_models(self) -> ModelListResponse:
        return self.ask(ModelListResponse, "GET", "/models")

    def why(self, thing: str) -> WhyResponse:
        return self.ask(WhyResponse, "GET", "/why", query={"thing": thing})

    def list_benchmarks(self) -> BenchmarkListResponse:
        return self.ask(BenchmarkListResponse, "GET", "/benchmarks")

    def set_benchmark_group(self, benchmark: str, group: str) -> BenchmarkResponse:
        return self.ask(BenchmarkResponse, "PUT", f"/benchmarks/{quoted(benchmark)}", body={"model_group": group})

    def open_benchmark(self, benchmark: str) -> BenchmarkResponse:
        return self.ask(BenchmarkResponse, "DELETE", f"/benchmarks/{quoted(benchmark)}")

    def list_audit(self, **filters: str | int | None) -> AuditListResponse:
        query = {name: value for name, value in filters.items() if value is not None}
        return self.ask(AuditListResponse, "GET", "/audit", query=query)

    def begin_import(self, request: BeginImportRequest) -> BeginImportResponse:
        return self.ask(BeginImportResponse, "POST", "/imports", body=request.model_dump(mode="json"))

    def put_part(self, upload_id: str, number: int, data: bytes) -> None:
        """Send one part of a log that is being brought."""
        headers = {
            CONTENT_HASH_HEADER: hashlib.sha256(data).hexdigest(),
            "content-type": "application/octet-stream",
        }
        self._send("PUT", f"/imports/uploads/{upload_id}/parts/{number}", content=data, headers=headers)

    def finish_upload(self, upload_id: str) -> FinishUploadResponse:
        path = f"/imports/uploads/{upload_id}/finish"
        return self.ask(FinishUploadResponse, "POST", path, timeout_seconds=FINISH_SECONDS)

    def list_imports(self, eval_set_id: str) -> LogImportListResponse:
        return self.ask(LogImportListResponse, "GET", f"{_path(eval_set_id)}/imports")

    def retry_imports(self, eval_set_id: str, request: RetryImportsRequest) -> RetryImportsResponse:
        body = request.model_dump(mode="json")
        return self.ask(RetryImportsResponse, "POST", f"{_path(eval_set_id)}/imports/retry", body=body)

    def ask[AnswerT: BaseModel](
        self,
        answer: type[AnswerT],
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        is_public: bool = False,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> AnswerT:
        """Return the API's answer; for nouns whose commands keep their own paths."""
        response = self._send(method, path, json=body, params=query, is_public=is_public, timeout=timeout_seconds)
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise Upstream(
                f"What answers at {self._api_url} is not the API of this version.",
                hint="Compare with `hawk version`, and check HAWK_API_URL.",
            ) from error

    @contextmanager
    def stream(
        self, path: str, *, query: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """Give an answer whose body is read as it comes; whatever breaks off on the way raises Upstream."""
        signed = {"authorization": f"Bearer {self._token()}", **(headers or {})}
        try:
            with self._http.stream("GET", path, params=query, headers=signed) as response:
                if not response.is_success:
                    response.read()
                    raise error_of(response)
                yield response
        except httpx.HTTPError as error:
            raise Upstream(
                f"The API at {self._api_url} failed: {type(error).__name__}.", hint="Try again in a moment."
            ) from error

    def _send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        is_public: bool = False,
        **options: Any,
    ) -> httpx.Response:
        signed = {} if is_public else {"authorization": f"Bearer {self._token()}"}
        try:
            response = self._http.request(method, path, headers={**signed, **(headers or {})}, **options)
        except httpx.ConnectError as error:
            raise Upstream(
                f"Nothing answers at {self._api_url}.",
                hint="Is the API running? Start everything on this machine with `hawk dev up`, or set HAWK_API_URL.",
                value=self._api_url,
            ) from error
        except httpx.HTTPError as error:
            raise Upstream(
                f"The API at {self._api_url} failed: {type(error).__name__}.", hint="Try again in a moment."
            ) from error
        if not response.is_success:
            raise error_of(response)
        return response


def error_of(response: httpx.Response) -> HawkError:
    """Return the error that a problem answer stands for."""
    kind = _ERROR_OF_STATUS.get(response.status_code, Upstream if response.status_code >= 500 else UserError)
    try:
        problem = ProblemResponse.model_validate_json(response.content)
    except ValidationError:
        return Upstream(
            f"The API answered {response.status_code} without saying why.",
            hint="Check HAWK_API_URL: is it Hawk that answers there?",
            value=response.status_code,
        )
    if problem.problems and all("line" in entry for entry in problem.problems):
        return ConfigError([_config_problem(entry) for entry in problem.problems])
    return kind(problem.detail or problem.title, hint=problem.hint, field=problem.field)


def _config_problem(entry: Mapping[str, Any]) -> ConfigProblem:
    line, column = entry.get("line"), entry.get("column")
    return ConfigProblem(
        message=str(entry.get("message", "")),
        line=line if isinstance(line, int) else 0,
        column=column if isinstance(column, int) else 0,
        path=tuple(str(entry.get("path", "")).split(".")),
        hint=str(entry.get("hint", "")),
    )


def _path(eval_set_id: str) -> str:
    return f"/eval_sets/{quoted(eval_set_id)}"


def quoted(name: str) -> str:
    """Return a name as one part of a path."""
    from urllib.parse import quote

    return quote(name, safe="")
