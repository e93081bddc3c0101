"""Runs jobs as Jobs of a Kubernetes cluster, each in namespaces of its own; nothing of a job is kept elsewhere."""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from kubernetes.client import ApiClient

from hawk.errors import Conflict, NotFound, Upstream
from hawk.ids import JobId, parse_job_id
from hawk.job_launcher import AttemptStatus, JobPhase, JobStatus, SubmitOutcome
from hawk.job_manifest.identity import JobIdentity
from hawk.job_manifest.namespaces import namespaces
from hawk.job_manifest.network import Surroundings
from hawk.job_manifest.objects import job_objects
from hawk.job_spec import JobSpec
from hawk.naming import (
    APP_NAME,
    COMPONENT_LABEL,
    JOB_ID_LABEL,
    NAME_LABEL,
    NAMESPACE_PREFIX_LABEL,
    RUNNER_COMPONENT,
    SPEC_HASH_ANNOTATION,
    STACKTRACE_ANNOTATION,
    STOP_ANNOTATION,
    runner_namespace,
    sandbox_namespace,
)
from hawk.settings import KubernetesSettings
from orchestration.launchers.kubernetes_api import KubernetesApi, Manifest
from orchestration.launchers.kubernetes_job import runner_job
from orchestration.launchers.kubernetes_observation import Seen, is_over, observe
from orchestration.launchers.kubernetes_pods import JobPods
from orchestration.launchers.kubernetes_state import JobState, RecordedAttempt, StateStore

TERMINATION_SECONDS = 150.0  # how long a namespace of that name may still be ending
DELETE_GRACE_SECONDS = 2
STOP_SLACK_SECONDS = 30.0  # for a keeper that does not do what it was asked
_POLL_SECONDS = 0.5

logger = logging.getLogger(__name__)


class KubernetesJobLauncher:
    """Applies a job's objects, and reads from the cluster where it stands; any number of launchers may share one."""

    def __init__(
        self,
        client: ApiClient,
        settings: KubernetesSettings,
        *,
        around: Callable[[], Surroundings],
        region: str = "us-east-1",
    ) -> None:
        self._settings = settings
        self._around = around
        self._region = region
        self._api = KubernetesApi(client)
        self._pods = JobPods(client)
        self._states = StateStore(self._api, settings.namespace_prefix)

    def submit(self, spec: JobSpec, secrets: Mapping[str, str]) -> SubmitOutcome:
        """Start the job, or adopt it if the same spec runs. Raises Conflict if another spec runs under its id."""
        job = JobIdentity(spec, self._settings.namespace_prefix)
        parse_job_id(spec.job_id, field="job_id")
        submitted_at = datetime.now(UTC)
        self._job_manifest(job, submitted_at, attempt=1)  # what is wrong with it is said before anything is touched
        objects = job_objects(job, self._settings, self._around(), region=self._region, secrets=secrets)
        self._await_end_of_namespaces(job)
        known = self._look(spec.job_id)
        if known is not None and not known[0].phase.is_final:
            state, version = known
            if state.spec_digest != spec.digest:
                raise _runs_with_another_config(spec.job_id)
            self._bring_about(job, objects, state, version)
            return SubmitOutcome.ADOPTED
        for namespace in namespaces(job, self._settings):
            self._api.apply(namespace)
        return self._begin(job, objects, known, submitted_at)

    def status(self, job_id: JobId) -> JobStatus | None:
        """Return where the job stands, or None if this launcher knows no such job. Ends what is to end."""
        parse_job_id(job_id, field="job_id")
        known = self._look(job_id)
        if known is None:
            return None
        state, _ = known
        attempts = tuple(self._with_running_logs(job_id, attempt) for attempt in state.attempts)
        return JobStatus(job_id=job_id, phase=state.phase, attempts=attempts)

    def list_jobs(self) -> Sequence[JobId]:
        """Return every job that this launcher knows, ended ones included, until they are deleted."""
        found = self._api.list("Namespace", labels=self._labels() | {COMPONENT_LABEL: RUNNER_COMPONENT})
        return sorted(JobId(item["metadata"]["labels"][JOB_ID_LABEL]) for item in found if not _is_ending(item))

    def logs(self, job_id: JobId, *, last_lines: int) -> str:
        """Return the end of the newest attempt's output. Raises NotFound if there is no such job."""
        known = self._existing(job_id)
        attempts = known[0].attempts
        if not attempts:
            return ""
        newest = attempts[-1]
        text = self._pods.logs(newest.pod_name, self._namespace(job_id), last_lines) if newest.pod_name else None
        if text is None:
            text = newest.status.last_log_lines
        return "\n".join(text.splitlines()[-last_lines:])

    def stop(self, job_id: JobId) -> None:
        """Ask the job to end; it scores partial work first. Does nothing if it has ended. Raises NotFound."""
        state, version = self._existing(job_id)
        if state.phase.is_final or state.stop_requested_at is not None:
            return
        state = state.model_copy(update={"stop_requested_at": datetime.now(UTC)})
        try:
            self._states.write(job_id, state, version=version)
        except Conflict:  # somebody looked at it at the same moment
            self.stop(job_id)
            return
        self._look(job_id)

    def delete(self, job_id: JobId) -> None:
        """End the job at once and remove all that it has here; its logs on S3 stay. Idempotent."""
        parse_job_id(job_id, field="job_id")
        for name in (self._namespace(job_id), sandbox_namespace(self._settings.namespace_prefix, job_id)):
            found = self._api.get("Namespace", name)
            if found is None:
                continue
            self._check_is_ours(found, job_id)
            self._api.delete("Namespace", name)  # first, since no pod starts any more in one that is ending
            for pod in self._api.list("Pod", name):
                self._api.delete("Pod", pod["metadata"]["name"], name, grace_seconds=DELETE_GRACE_SECONDS)

    def stacktrace(self, job_id: JobId, *, wait_seconds: float = 20.0) -> str:
        """Return the stacks of the runner's threads, as it prints them when asked.

        Raises NotFound, Conflict where it does not run, and Upstream where it does not answer.
        """
        state, _ = self._existing(job_id)
        running = [attempt for attempt in state.attempts if attempt.status.phase is JobPhase.RUNNING]
        if not running:
            raise Conflict(f"The job {job_id} does not run: it is {state.phase.value}.", value=state.phase.value)
        request = f"{time.time_ns():x}"
        namespace, pod = self._namespace(job_id), running[-1].pod_name
        self._annotate(pod, namespace, STACKTRACE_ANNOTATION, request)
        begin, end = f"stack trace {request} begins", f"stack trace {request} ends"
        deadline = time.monotonic() + wait_seconds
        while time.monotonic() < deadline:
            text = self._pods.logs(pod, namespace, 5000) or ""
            if end in text:
                return text.partition(begin)[2].partition(end)[0].strip("\n")
            time.sleep(_POLL_SECONDS)
        raise Upstream(f"The runner of {job_id} did not show its stack within {wait_seconds:.0f} s.", hint="Try again.")

    def _begin(
        self, job: JobIdentity, objects: list[Manifest], before: tuple[JobState, str] | None, submitted_at: datetime
    ) -> SubmitOutcome:
        """Claim the job's name, then bring its objects about; the Job of an earlier submission goes first."""
        spec = job.spec
        state = JobState(
            submission=before[0].submission + 1 if before else 1,
            spec_digest=spec.digest,
            submitted_at=submitted_at,
            attempts=before[0].attempts if before else (),
        )
        try:
            version = self._states.write(spec.job_id, state, version=before[1] if before else None)
        except Conflict as error:  # another launcher was first, perhaps with the same
            known = self._look(spec.job_id)
            if known is None or known[0].spec_digest != spec.digest:
                raise _runs_with_another_config(spec.job_id) from error
            self._bring_about(job, objects, *known)
            return SubmitOutcome.ADOPTED
        self._pods.remove_job(job.name, job.runner_namespace)
        self._bring_about(job, objects, state, version)
        return SubmitOutcome.RESTARTED if before else SubmitOutcome.CREATED

    def _bring_about(self, job: JobIdentity, objects: list[Manifest], state: JobState, version: str) -> None:
        """Apply everything, the Job last; what is there already is made to be as it should."""
        for manifest in objects:
            self._api.apply(manifest)
        if state.job_uid:
            return
        manifest = self._job_manifest(job, state.submitted_at, attempt=state.next_attempt)
        with contextlib.suppress(Conflict):  # another launcher has created it meanwhile
            self._pods.create_job(manifest, job.runner_namespace)
        created = self._api.get("Job", job.name, job.runner_namespace)
        if created is None:
            raise Upstream(f"The Job of {job.name} was deleted as soon as it was created.", hint="Launch it again.")
        state = state.model_copy(update={"job_uid": created["metadata"]["uid"]})
        with contextlib.suppress(Conflict):  # who wrote it has seen the same Job
            self._states.write(job.spec.job_id, state, version=version)

    def _job_manifest(self, job: JobIdentity, submitted_at: datetime, *, attempt: int) -> Manifest:
        return runner_job(
            job,
            self._settings,
            submitted_at=submitted_at.isoformat(),
            attempt=attempt,
            spec_hash=job.spec.digest,
        )

    def _look(self, job_id: JobId) -> tuple[JobState, str] | None:
        """Return the state as it now is, written down, having done what is due; None if nothing is known."""
        namespace = self._namespace(job_id)
        found = self._api.get("Namespace", namespace)
        if found is None or _is_ending(found):
            return None
        self._check_is_ours(found, job_id)
        known = self._states.read(job_id)
        if known is None or known[0].phase.is_final:
            return known
        before, version = known
        job = self._api.get("Job", job_id, namespace)
        if job is not None and not before.job_uid and job["metadata"]["annotations"].get(SPEC_HASH_ANNOTATION):
            before = before.model_copy(update={"job_uid": job["metadata"]["uid"]})
        pods = self._pods.of_job(job_id, namespace, uid=before.job_uid)
        seen = Seen(job, pods, datetime.now(UTC), last_line=lambda pod: self._pods.last_line(pod, namespace))
        after = observe(before, seen, start_patience=timedelta(seconds=self._settings.start_patience_seconds))
        after = self._with_last_words(before, after, namespace)
        self._do_what_is_due(after, job, pods, namespace)
        if after == known[0]:
            return known
        try:
            return after, self._states.write(job_id, after, version=version)
        except Conflict:  # another launcher looked at the same moment
            return self._states.read(job_id) or (after, version)

    def _do_what_is_due(self, state: JobState, job: Manifest | None, pods: Sequence[Manifest], namespace: str) -> None:
        """Pass on a request to stop; end a Job that would go on though the job has ended."""
        if job is None or is_over(job):
            return
        name = str(job["metadata"]["name"])
        if state.phase.is_final:
            self._end(name, namespace)
            return
        if state.stop_requested_at is None:
            return
        patience = self._settings.stop_grace_seconds + self._settings.kill_grace_seconds + STOP_SLACK_SECONDS
        is_overdue = datetime.now(UTC) - state.stop_requested_at > timedelta(seconds=patience)
        running = [a for a in state.of_this_submission() if a.status.phase is JobPhase.RUNNING]
        if not running or is_overdue:
            self._end(name, namespace)  # nothing that could end gracefully
            return
        annotations = {pod["metadata"]["name"]: pod["metadata"].get("annotations") or {} for pod in pods}
        request = json.dumps(
            {
                "stop_grace_seconds": self._settings.stop_grace_seconds,
                "kill_grace_seconds": self._settings.kill_grace_seconds,
            }
        )
        for attempt in running:
            if STOP_ANNOTATION not in annotations.get(attempt.pod_name, {STOP_ANNOTATION: ""}):
                self._annotate(attempt.pod_name, namespace, STOP_ANNOTATION, request)

    def _end(self, name: str, namespace: str) -> None:
        """Have Kubernetes end the Job; its deadline is one of the few things that may be changed."""
        changes: Manifest = {"spec": {"activeDeadlineSeconds": 1}}
        self._api.patch("Job", name, namespace, changes)
        for pod in self._api.list("Pod", namespace, labels={"job-name": name}):
            if (pod.get("status") or {}).get("phase") in ("Pending", "Running"):
                self._api.delete("Pod", pod["metadata"]["name"], namespace, grace_seconds=DELETE_GRACE_SECONDS)

    def _annotate(self, pod: str, namespace: str, name: str, value: str) -> None:
        self._api.patch("Pod", pod, namespace, {"metadata": {"annotations": {name: value}}})

    def _with_last_words(self, before: JobState, after: JobState, namespace: str) -> JobState:
        """Return the state with output and events of attempts that have ended since, while their pods are there."""
        had_ended = {attempt.pod_uid for attempt in before.attempts if attempt.status.phase.is_final}
        attempts: list[RecordedAttempt] = []
        for attempt in after.attempts:
            if attempt.status.phase.is_final and attempt.pod_uid not in had_ended and attempt.pod_name:
                words = {
                    "last_log_lines": self._pods.logs(attempt.pod_name, namespace) or attempt.status.last_log_lines,
                    "pod_events": self._pods.events(attempt.pod_name, namespace),
                }
                attempts.append(attempt.model_copy(update={"status": attempt.status.model_copy(update=words)}))
            else:
                attempts.append(attempt)
        return after.model_copy(update={"attempts": tuple(attempts)}).storable()

    def _with_running_logs(self, job_id: JobId, attempt: RecordedAttempt) -> AttemptStatus:
        if attempt.status.phase is not JobPhase.RUNNING:
            return attempt.status
        text = self._pods.logs(attempt.pod_name, self._namespace(job_id)) or ""
        return attempt.status.model_copy(update={"last_log_lines": text})

    def _await_end_of_namespaces(self, job: JobIdentity) -> None:
        """Wait until namespaces of an earlier job of this id are gone. Raises Upstream if they stay."""
        deadline = time.monotonic() + TERMINATION_SECONDS
        for name in filter(None, (job.runner_namespace, job.sandbox_namespace)):
            while (found := self._api.get("Namespace", name)) is not None and _is_ending(found):
                if time.monotonic() > deadline:
                    raise Upstream(
                        f"The namespace {name} of an earlier job is still being removed.",
                        hint="Something in it does not end: see `kubectl get namespace -o yaml`. Try again later.",
                        value=name,
                    )
                time.sleep(_POLL_SECONDS)
            if found is not None:
                self._check_is_ours(found, job.spec.job_id)

    def _check_is_ours(self, namespace: Manifest, job_id: JobId) -> None:
        labels = namespace["metadata"].get("labels") or {}
        if labels.get(NAME_LABEL) != APP_NAME or labels.get(JOB_ID_LABEL) != job_id:
            name = namespace["metadata"]["name"]
            raise Conflict(
                f"The namespace {name} is there, and not of the job {job_id}.",
                hint="Give the set another id, or set another HAWK_NAMESPACE_PREFIX.",
                value=name,
            )

    def _existing(self, job_id: JobId) -> tuple[JobState, str]:
        parse_job_id(job_id, field="job_id")
        known = self._look(job_id)
        if known is None:
            raise NotFound(f"There is no job {job_id}.", value=job_id)
        return known

    def _labels(self) -> dict[str, str]:
        return {NAME_LABEL: APP_NAME, NAMESPACE_PREFIX_LABEL: self._settings.namespace_prefix}

    def _namespace(self, job_id: JobId) -> str:
        return runner_namespace(self._settings.namespace_prefix, job_id)


def _is_ending(namespace: Manifest) -> bool:
    return namespace["metadata"].get("deletionTimestamp") is not None


def _runs_with_another_config(job_id: JobId) -> Conflict:
    return Conflict(
        f"The job {job_id} runs already, with another configuration.",
        hint="Stop it or wait for its end before it is launched again.",
        value=job_id,
    )
