"""The few things that the API asks of Dagster's webserver, over its GraphQL."""

import logging
from collections.abc import Mapping
from typing import Any

import httpx

from hawk.errors import Bug, Upstream
from hawk.naming import CODE_LOCATION, EVAL_SET_PARTITIONS

REPOSITORY = "__repository__"  # what Dagster calls the one repository of a Definitions object
TIMEOUT_SECONDS = 15.0

_ADD_PARTITION = """
mutation AddPartition($repository: RepositorySelector!, $definition: String!, $key: String!) {
  addDynamicPartition(repositorySelector: $repository, partitionsDefName: $definition, partitionKey: $key) {
    __typename
    ... on PythonError { message }
    ... on UnauthorizedError { message }
  }
}
"""

_LAUNCH_RUN = """
mutation LaunchRun($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on PipelineNotFoundError { message }
    ... on RunConflict { message }
    ... on ConflictingExecutionParamsError { message }
    ... on InvalidSubsetError { message }
    ... on UnauthorizedError { message }
    ... on PythonError { message }
  }
}
"""

_RUN_STATUS = """
query RunStatus($runId: ID!) {
  runOrError(runId: $runId) {
    __typename
    ... on Run { status }
    ... on PythonError { message }
  }
}
"""

_VERSION = "query Version { version }"

logger = logging.getLogger(__name__)


class DagsterClient:
    """Safe to share between threads. Every method raises Upstream where Dagster does not answer or refuses."""

    def __init__(
        self, base_url: str, *, page_url: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._client = httpx.Client(base_url=base_url.rstrip("/"), timeout=TIMEOUT_SECONDS, transport=transport)
        self._page_url = (page_url or base_url).rstrip("/")

    def close(self) -> None:
        self._client.close()

    def run_url(self, run_id: str) -> str:
        return f"{self._page_url}/runs/{run_id}"

    def add_partition(self, eval_set_id: str) -> None:
        """Let Dagster know the set as a partition; does nothing if it does already."""
        variables = {"repository": _repository(), "definition": EVAL_SET_PARTITIONS, "key": eval_set_id}
        answer = self._ask(_ADD_PARTITION, variables, "addDynamicPartition")
        if answer["__typename"] not in {"AddDynamicPartitionSuccess", "DuplicateDynamicPartitionError"}:
            raise _refused(answer)

    def launch(self, job_name: str, *, run_config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """Launch a run of a job and return the run's id."""
        params = {
            "selector": {**_repository(), "jobName": job_name},
            "runConfigData": dict(run_config),
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        answer = self._ask(_LAUNCH_RUN, {"params": params}, "launchRun")
        if answer["__typename"] == "RunConfigValidationInvalid":
            messages = "; ".join(str(error.get("message", "")) for error in answer.get("errors", []))
            raise Bug(f"Dagster's job {job_name} does not take the run config it is given: {messages}")
        if answer["__typename"] != "LaunchRunSuccess":
            raise _refused(answer)
        return str(answer["run"]["runId"])

    def run_status(self, run_id: str) -> str | None:
        """Return the run's status as Dagster spells it, such as STARTED, or None if there is no such run."""
        answer = self._ask(_RUN_STATUS, {"runId": run_id}, "runOrError")
        if answer["__typename"] == "RunNotFoundError":
            return None
        if answer["__typename"] != "Run":
            raise _refused(answer)
        return str(answer["status"])

    def version(self) -> str:
        return str(self._post(_VERSION, {})["version"])

    def _ask(self, query: str, variables: Mapping[str, Any], field: str) -> dict[str, Any]:
        answer = self._post(query, variables).get(field)
        if not isinstance(answer, dict) or "__typename" not in answer:
            raise Upstream("Dagster's answer was not understood.", value=field)
        return answer

    def _post(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        try:
            response = self._client.post("/graphql", json={"query": query, "variables": dict(variables)})
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Upstream("Dagster does not answer.", hint="Try again in a moment.") from error
        data = body.get("data") if isinstance(body, dict) else None
        if response.is_error or not isinstance(data, dict):
            logger.error("dagster refused a query", extra={"status": response.status_code, "answer": str(body)[:2000]})
            raise Upstream("Dagster refused the request.", hint="Try again in a moment.", value=response.status_code)
        return data


def _repository() -> dict[str, str]:
    return {"repositoryName": REPOSITORY, "repositoryLocationName": CODE_LOCATION}


def _refused(answer: Mapping[str, Any]) -> Upstream:
    # The message of a PythonError has a server's paths in it: for the log, not for the caller.
    kind = str(answer["__typename"])
    logger.error("dagster refused", extra={"kind": kind, "answer": str(answer.get("message", ""))[:2000]})
    return Upstream(
        f"Dagster refused ({kind}).", hint="Is its code location loaded? See its Deployment page.", value=kind
    )
