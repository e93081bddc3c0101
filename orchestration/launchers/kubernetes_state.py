"""What is written down of a job beside its Job: attempts outlive their pods, and a submission its Job."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from hawk.ids import JobId
from hawk.job_launcher import AttemptStatus, JobPhase
from hawk.job_manifest.identity import STATE_CONFIG_MAP
from hawk.naming import APP_NAME, COMPONENT_LABEL, JOB_ID_LABEL, NAME_LABEL, RUNNER_COMPONENT, runner_namespace
from orchestration.launchers.kubernetes_api import KubernetesApi, Manifest

LOGS_KEPT = 6  # attempts whose last lines are kept; a ConfigMap takes 1 MiB
MAX_LOG = 64 * 1024


class RecordedAttempt(BaseModel):
    """An attempt, and the pod that it is."""

    model_config = ConfigDict(frozen=True)

    pod_uid: str
    pod_name: str
    submission: int
    status: AttemptStatus


class JobState(BaseModel):
    """The newest submission of a job, and all attempts at any."""

    model_config = ConfigDict(frozen=True)

    submission: int
    spec_digest: str
    submitted_at: datetime
    job_uid: str = ""  # empty until the Job is there
    stop_requested_at: datetime | None = None
    phase: JobPhase = JobPhase.PENDING
    attempts: tuple[RecordedAttempt, ...] = ()

    @property
    def next_attempt(self) -> int:
        return max((attempt.status.attempt_number for attempt in self.attempts), default=0) + 1

    def of_this_submission(self) -> tuple[RecordedAttempt, ...]:
        return tuple(attempt for attempt in self.attempts if attempt.submission == self.submission)

    def storable(self) -> "JobState":
        """Return the state with no more of logs than a ConfigMap holds."""
        kept = []
        for age, attempt in enumerate(reversed(self.attempts)):
            lines = attempt.status.last_log_lines[-MAX_LOG:] if age < LOGS_KEPT else ""
            status = attempt.status.model_copy(update={"last_log_lines": lines})
            kept.append(attempt.model_copy(update={"status": status}))
        return self.model_copy(update={"attempts": tuple(reversed(kept))})


class StateStore:
    """Keeps states in ConfigMaps; a state that another wrote meanwhile is never overwritten."""

    def __init__(self, api: KubernetesApi, namespace_prefix: str) -> None:
        self._api = api
        self._prefix = namespace_prefix

    def read(self, job_id: JobId) -> tuple[JobState, str] | None:
        """Return the job's state and its version, or None if nothing is known of it."""
        found = self._api.get("ConfigMap", STATE_CONFIG_MAP, runner_namespace(self._prefix, job_id))
        if found is None:
            return None
        return JobState.model_validate_json(found["data"]["state"]), str(found["metadata"]["resourceVersion"])

    def write(self, job_id: JobId, state: JobState, *, version: str | None) -> str:
        """Write the state and return its version. Raises Conflict if it is not of the given version any more."""
        manifest: Manifest = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": STATE_CONFIG_MAP,
                "namespace": runner_namespace(self._prefix, job_id),
                "labels": {NAME_LABEL: APP_NAME, COMPONENT_LABEL: RUNNER_COMPONENT, JOB_ID_LABEL: job_id},
            },
            "data": {"state": state.storable().model_dump_json()},
        }
        if version is None:
            written = self._api.create(manifest)
        else:
            manifest["metadata"]["resourceVersion"] = version
            written = self._api.replace(manifest)
        return str(written["metadata"]["resourceVersion"])
