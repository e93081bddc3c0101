"""The Job of a runner: shaped by `dagster-k8s/config`, valid by the newest schema, never above the floor."""

from typing import Any

import kubernetes_validate
import pytest

from hawk.errors import UserError
from hawk.job_manifest.floor import enforce_floor
from hawk.job_manifest.identity import JobIdentity, Manifest
from hawk.settings import KubernetesSettings
from orchestration.launchers.kubernetes_job import runner_job
from tests.orchestration.launchers.launcher_under_test import job_spec

IMAGE = "registry.example.org/hawk/runner:1.4"


def identity(wishes: dict[str, Any] | None = None, **runner: Any) -> JobIdentity:
    spec = job_spec("succeed")
    config = spec.config.model_copy(update={"runner": spec.config.runner.model_copy(update=runner)})
    infra = spec.infra.model_copy(update={"kubernetes": wishes or {}})
    return JobIdentity(spec.model_copy(update={"config": config, "infra": infra}), "inspect")


def made(job: JobIdentity, **settings: Any) -> Manifest:
    return runner_job(
        job,
        KubernetesSettings(**{"runner_image": IMAGE, **settings}),
        submitted_at="2026-01-01T00:00:00+00:00",
        attempt=1,
        spec_hash="abc",
    )


def pod_of(manifest: Manifest) -> dict[str, Any]:
    pod: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return pod


def container_of(manifest: Manifest) -> dict[str, Any]:
    [container] = pod_of(manifest)["containers"]
    found: dict[str, Any] = container
    return found


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"runner_architecture": "arm64", "job_deadline_seconds": 3600},
        {"kueue_queue": "hawk-runners"},
    ],
    ids=["defaults", "arm64", "kueue"],
)
def test_job_is_valid_by_the_newest_schema(settings: dict[str, Any]) -> None:
    kubernetes_validate.validate(made(identity(), **settings), "1.37", strict=True)


def test_job_is_tried_again_but_after_codes_that_are_final() -> None:
    spec = made(identity())["spec"]

    assert spec["backoffLimit"] == 1  # max_attempts of the job is 2
    assert spec["podFailurePolicy"]["rules"] == [
        {"action": "FailJob", "onExitCodes": {"containerName": "runner", "operator": "In", "values": [78, 130]}}
    ]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 120
    assert spec["ttlSecondsAfterFinished"] == 3600


def test_pod_is_locked_down() -> None:
    manifest = made(identity())

    pod, container = pod_of(manifest), container_of(manifest)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
    }


def test_tag_of_the_run_wins_over_the_setting_which_wins_over_the_platform() -> None:
    setting = {
        "container_config": {"resources": {"limits": {"cpu": "8"}, "requests": {"cpu": "8"}}},
        "pod_spec_config": {"nodeSelector": {"pool": "runners"}, "priorityClassName": "batch"},
    }
    tag = {"pod_spec_config": {"priority_class_name": "urgent", "tolerations": [{"key": "gpu", "operator": "Exists"}]}}

    manifest = made(identity(tag), runner_k8s_config=setting)

    pod = pod_of(manifest)
    assert pod["priorityClassName"] == "urgent"
    assert pod["nodeSelector"] == {"pool": "runners"}
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert container_of(manifest)["resources"]["limits"] == {"cpu": "8", "memory": "16Gi"}


def test_size_that_the_config_names_is_requested_in_full() -> None:
    resources = container_of(made(identity(memory="32Gi")))["resources"]

    assert resources == {"limits": {"cpu": "4", "memory": "32Gi"}, "requests": {"cpu": "2", "memory": "32Gi"}}


@pytest.mark.parametrize(
    ("runner", "image"),
    [
        ({}, IMAGE),
        ({"image_tag": "2.0"}, "registry.example.org/hawk/runner:2.0"),
        ({"image": "other.example.org/mine:3"}, "other.example.org/mine:3"),
    ],
)
def test_image_is_the_deployments_unless_the_config_names_another(runner: dict[str, str], image: str) -> None:
    assert container_of(made(identity(**runner)))["image"] == image


def test_tag_replaces_that_of_an_image_at_a_port() -> None:
    job = identity(image_tag="2.0")

    assert (
        container_of(made(job, runner_image="localhost:5000/runner@sha256:0"))["image"] == "localhost:5000/runner:2.0"
    )


def test_deployment_without_an_image_says_so() -> None:
    with pytest.raises(UserError, match="HAWK_RUNNER_IMAGE"):
        made(identity(), runner_image=None)


@pytest.mark.parametrize(
    ("wishes", "place"),
    [
        ({"pod_spec_config": {"hostNetwork": True}}, "pod_spec_config.host_network"),
        ({"pod_spec_config": {"service_account_name": "admin"}}, "pod_spec_config.service_account_name"),
        ({"pod_spec_config": {"automount_service_account_token": True}}, "automount_service_account_token"),
        ({"pod_spec_config": {"security_context": {"run_as_user": 0}}}, "pod_spec_config.security_context"),
        ({"pod_spec_config": {"init_containers": [{"name": "a", "image": "b"}]}}, "pod_spec_config.init_containers"),
        ({"pod_spec_config": {"containers": [{"name": "a", "image": "b"}]}}, "pod_spec_config.containers"),
        ({"pod_spec_config": {"volumes": [{"name": "a", "host_path": {"path": "/"}}]}}, "pod_spec_config.volumes"),
        ({"pod_spec_config": {"volumes": [{"name": "a", "secret": {"secret_name": "b"}}]}}, "pod_spec_config.volumes"),
        ({"container_config": {"security_context": {"privileged": True}}}, "container_config.security_context"),
        ({"container_config": {"command": ["sh"]}}, "container_config.command"),
        ({"container_config": {"env_from": [{"secret_ref": {"name": "a"}}]}}, "container_config.env_from"),
        ({"container_config": {"env": [{"name": "HAWK_JOB_ID", "value": "b"}]}}, "HAWK_JOB_ID"),
        ({"container_config": {"env": [{"name": "OPENAI_BASE_URL", "value": "b"}]}}, "OPENAI_BASE_URL"),
        ({"job_spec_config": {"backoff_limit": 99}}, "job_spec_config.backoff_limit"),
        ({"job_metadata": {"namespace": "kube-system"}}, "job_metadata.namespace"),
        ({"job_metadata": {"labels": {"hawk.dagster.io/job-id": "other"}}}, "hawk.dagster.io/job-id"),
        ({"pod_template_spec_metadata": {"annotations": {"hawk.dagster.io/stop": "{}"}}}, "hawk.dagster.io/stop"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("origin", ["tag", "setting"])
def test_wishes_above_the_floor_are_refused_by_name(wishes: dict[str, Any], place: str, origin: str) -> None:
    job = identity(wishes if origin == "tag" else None)
    settings = {"runner_k8s_config": wishes} if origin == "setting" else {}

    with pytest.raises(UserError, match="may not set") as caught:
        made(job, **settings)

    assert place in str(caught.value)


@pytest.mark.parametrize("wishes", [{"pod_spec": {}}, {"pod_spec_config": {"no_such_field": 1}}])
def test_wishes_that_are_none_of_dagster_k8s_are_refused(wishes: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="cannot be used"):
        made(identity(wishes))


def test_floor_holds_whatever_a_manifest_brings() -> None:
    job = identity()
    manifest = made(job)
    pod = pod_of(manifest)
    pod |= {"hostNetwork": True, "hostPID": True, "securityContext": {}, "serviceAccountName": "admin"}
    pod["initContainers"] = [{"name": "first", "image": IMAGE, "securityContext": {"privileged": True}}]
    pod["containers"].append({"name": "second", "image": IMAGE})
    pod["containers"][0]["securityContext"] = {"privileged": True}
    manifest["spec"]["template"]["metadata"]["labels"]["hawk.dagster.io/job-id"] = "other"

    result = enforce_floor(manifest, job)

    assert result == made(job)
