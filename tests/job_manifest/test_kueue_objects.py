"""Queues and priorities of Kueue: what is shipped and what is made for a job are of Kueue's shape, and fit together."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from hawk.job_manifest.identity import JobIdentity
from hawk.job_manifest.namespaces import LOCAL_QUEUE, namespaces, quotas
from hawk.job_manifest.pod import pod_config
from hawk.job_spec import InfraConfig
from hawk.settings import KubernetesSettings
from tests.job_manifest.kueue_models import ClusterQueue, KueueObject, LocalQueue, WorkloadPriorityClass, parse

SHIPPED = Path(__file__).parents[2] / "infra" / "kubernetes" / "kueue.yaml"


@pytest.fixture
def queued(settings: KubernetesSettings) -> KubernetesSettings:
    return settings.model_copy(update={"kueue_queue": "hawk-runners", "kueue_sandbox_queue": "hawk-sandboxes"})


def shipped() -> list[KueueObject]:
    return [parse(document) for document in yaml.safe_load_all(SHIPPED.read_text())]


def test_shipped_objects_are_of_kueues_shape_and_refer_to_each_other() -> None:
    objects = shipped()

    flavors = {item.metadata.name for item in objects if item.kind == "ResourceFlavor"}
    queues = [item for item in objects if isinstance(item, ClusterQueue)]
    used = {flavor.name for queue in queues for group in queue.spec.resourceGroups for flavor in group.flavors}
    assert {queue.metadata.name for queue in queues} == {"hawk-runners", "hawk-sandboxes"}
    assert used == flavors


def test_queue_of_a_job_leads_to_a_queue_that_takes_its_namespaces(
    make_job: Callable[..., JobIdentity], queued: KubernetesSettings
) -> None:
    job = make_job()

    local = [parse(item) for item in quotas(job, queued) if item["kind"] == "LocalQueue"]

    labels = {item["metadata"]["name"]: item["metadata"]["labels"] for item in namespaces(job, queued)}
    clusters = {item.metadata.name: item for item in shipped() if isinstance(item, ClusterQueue)}
    assert len(local) == 2
    for queue in local:
        assert isinstance(queue, LocalQueue)
        assert queue.metadata.name == LOCAL_QUEUE
        wanted = clusters[queue.spec.clusterQueue].spec.namespaceSelector.matchLabels
        assert queue.metadata.namespace
        assert labels[queue.metadata.namespace].items() >= wanted.items()


@pytest.mark.parametrize("priority", ["low", "medium", "high"])
def test_job_is_suspended_with_a_priority_class_that_is_shipped(
    make_job: Callable[..., JobIdentity], queued: KubernetesSettings, priority: str
) -> None:
    job = make_job()
    infra = InfraConfig.model_validate({**job.spec.infra.model_dump(), "priority": priority})
    job = JobIdentity(job.spec.model_copy(update={"infra": infra}), job.namespace_prefix)

    config = pod_config(job, queued, submitted_at="2026-01-01T00:00:00+00:00", attempt=1)

    classes = {item.metadata.name for item in shipped() if isinstance(item, WorkloadPriorityClass)}
    assert config["job_spec_config"]["suspend"] is True
    assert config["job_metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == LOCAL_QUEUE
    assert config["job_metadata"]["labels"]["kueue.x-k8s.io/priority-class"] in classes


def test_priorities_are_in_order() -> None:
    values = {item.metadata.name: item.value for item in shipped() if isinstance(item, WorkloadPriorityClass)}

    assert values["hawk-low"] < values["hawk-medium"] < values["hawk-high"]


def test_without_the_setting_there_is_nothing_of_kueue(
    make_job: Callable[..., JobIdentity], settings: KubernetesSettings
) -> None:
    config = pod_config(make_job(), settings, submitted_at="2026-01-01T00:00:00+00:00", attempt=1)

    assert "suspend" not in config["job_spec_config"]
    assert not config["job_metadata"]["labels"]
    assert not [item for item in quotas(make_job(), settings) if item["kind"] == "LocalQueue"]


@pytest.mark.parametrize(
    "fault",
    [
        {"spec": {"clusterQueue": "Big_Queue"}},
        {"spec": {"queue": "a"}},
        {"apiVersion": "kueue.x-k8s.io/v1"},
        {"kind": "Queue"},
    ],
    ids=str,
)
def test_what_kueue_does_not_know_is_refused(fault: dict[str, object]) -> None:
    good = {
        "apiVersion": "kueue.x-k8s.io/v1beta1",
        "kind": "LocalQueue",
        "metadata": {"name": "default", "namespace": "a"},
        "spec": {"clusterQueue": "hawk-runners"},
    }
    assert parse(good)

    with pytest.raises(ValidationError):
        parse(good | fault)
