"""The janitor on a real cluster: it removes what nobody needs, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest

from hawk.ids import JobId
from hawk.naming import runner_namespace, sandbox_namespace
from orchestration.janitor import remove_leftovers
from orchestration.launchers.leftovers import JobFacts, find, leftovers, remove
from tests.cluster import Cluster
from tests.fakes.orchestrator import Orchestrator
from tests.kubernetes.conftest import MakeLauncher
from tests.orchestration.launchers.launcher_under_test import job_spec


@pytest.fixture
def two_jobs(make_launcher: MakeLauncher) -> tuple[JobId, JobId]:
    jobs = make_launcher()
    for job_id in ("ended", "running"):
        jobs.launcher.submit(job_spec("hang", job_id=job_id), {})
    return JobId("ended"), JobId("running")


def test_namespaces_of_an_ended_job_go_and_those_of_another_stay(
    cluster: Cluster, prefix: str, two_jobs: tuple[JobId, JobId]
) -> None:
    ended, running = two_jobs
    later = datetime.now(UTC) + timedelta(hours=2)
    facts = {ended: JobFacts(True, later - timedelta(hours=1)), running: JobFacts(False, later)}

    items = leftovers(find(cluster.api, prefix), facts, now=later, after=timedelta(hours=1))
    for item in items:
        remove(cluster.api, item)

    assert {item.namespace for item in items} == {runner_namespace(prefix, ended), sandbox_namespace(prefix, ended)}
    assert {thing.job_id for thing in find(cluster.api, prefix)} == {running}


def test_sandbox_of_an_earlier_attempt_goes_with_its_record(
    cluster: Cluster, prefix: str, two_jobs: tuple[JobId, JobId]
) -> None:
    namespace = sandbox_namespace(prefix, two_jobs[1])
    labels = {"app.kubernetes.io/instance": "agent-env-1"}
    cluster.api.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": namespace, "labels": labels}}
    )
    record = {"name": "sh.helm.release.v1.agent-env-1.v1", "namespace": namespace}
    cluster.api.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": record | {"labels": {"owner": "helm", "name": "agent-env-1"}},
        }
    )
    later = datetime.now(UTC) + timedelta(hours=2)

    found = find(cluster.api, prefix)
    facts = {job_id: JobFacts(False, later - timedelta(hours=1)) for job_id in two_jobs}
    [item] = leftovers(found, facts, now=later, after=timedelta(hours=1))
    remove(cluster.api, item)

    assert (item.kind, item.name) == ("release", "agent-env-1")
    assert not [thing for thing in find(cluster.api, prefix) if thing.kind == "release"]
    assert not cluster.api.list("ConfigMap", namespace, labels=labels)
    assert not cluster.api.list("Secret", namespace, labels={"owner": "helm"})


def test_dry_run_tells_of_leftovers_and_leaves_them_and_a_sweep_removes_them(
    cluster: Cluster, prefix: str, two_jobs: tuple[JobId, JobId], hawk: Orchestrator
) -> None:
    settings = hawk.settings.model_copy(
        update={"launcher": "kubernetes", "namespace_prefix": prefix, "janitor_minutes": 0}
    )

    def sweep(*, dry_run: bool) -> dict[str, object]:
        result = remove_leftovers.execute_in_process(
            resources={"settings": settings},
            run_config={"ops": {"sweep": {"config": {"dry_run": dry_run}}}},
            instance=hawk.instance,
        )
        [event] = result.get_asset_observation_events()
        return {name: value.value for name, value in event.asset_observation_data.asset_observation.metadata.items()}

    shown = sweep(dry_run=True)
    assert (shown["found"], shown["removed"]) == (4, 0)  # no eval set has these ids
    assert isinstance(shown["oldest_leftover_seconds"], float)
    assert "No eval set has this id." in str(shown["leftovers"])
    assert len(find(cluster.api, prefix)) == 4

    swept = sweep(dry_run=False)
    assert (swept["found"], swept["removed"], swept["oldest_leftover_seconds"]) == (4, 4, 0.0)
    assert find(cluster.api, prefix) == []
