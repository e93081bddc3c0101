"""The Job of a runner, put together by dagster-k8s from `dagster-k8s/config`s, never above the security floor."""

import json
from collections.abc import Mapping
from typing import Any

from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import (
    USER_DEFINED_K8S_CONFIG_KEY,
    DagsterK8sJobConfig,
    UserDefinedDagsterK8sConfig,
    construct_dagster_k8s_job,
    get_user_defined_k8s_config,
)
from kubernetes.client import ApiClient

from hawk.errors import UserError
from hawk.job_manifest.floor import check_wishes, enforce_floor
from hawk.job_manifest.identity import JobIdentity, Manifest
from hawk.job_manifest.pod import pod_config
from hawk.naming import SPEC_HASH_ANNOTATION
from hawk.settings import KubernetesSettings


def runner_job(
    job: JobIdentity, settings: KubernetesSettings, *, submitted_at: str, attempt: int, spec_hash: str
) -> Manifest:
    """Return the Job as it is created. Raises UserError for wishes that are not allowed or not understood.

    Later ones win, by dagster-k8s's own rules of merging: the platform's, the deployment's setting, the run's tag.
    """
    ours = UserDefinedDagsterK8sConfig(**pod_config(job, settings, submitted_at=submitted_at, attempt=attempt))
    merged = K8sContainerContext(run_k8s_config=ours)
    for wishes in (settings.runner_k8s_config, job.spec.infra.kubernetes):
        merged = merged.merge(K8sContainerContext(run_k8s_config=parse_wishes(wishes)))
    constructed = construct_dagster_k8s_job(
        DagsterK8sJobConfig(
            job_image=_image(job, settings),
            image_pull_policy=settings.runner_image_pull_policy,
            labels=job.labels(),
        ),
        args=None,
        job_name=job.name,
        pod_name=job.name,
        component="runner",
        user_defined_k8s_config=merged.run_k8s_config,
    )
    manifest: Manifest = ApiClient().sanitize_for_serialization(constructed)
    manifest["metadata"].setdefault("annotations", {}).update({**job.annotations(), SPEC_HASH_ANNOTATION: spec_hash})
    return enforce_floor(manifest, job)


def parse_wishes(config: Mapping[str, Any]) -> UserDefinedDagsterK8sConfig:
    """Return a `dagster-k8s/config` as dagster-k8s reads it. Raises UserError for what it does not know or may not."""
    try:
        wishes: UserDefinedDagsterK8sConfig = get_user_defined_k8s_config(
            {USER_DEFINED_K8S_CONFIG_KEY: json.dumps(dict(config))}
        )
    except Exception as error:  # dagster-k8s raises bare ones where a key is none of Kubernetes's
        message = " ".join(str(error).split())
        raise UserError(
            f"`dagster-k8s/config` cannot be used: {message[:500]}",
            hint="See dagster-k8s's documentation of the tag.",
            field=USER_DEFINED_K8S_CONFIG_KEY,
        ) from error
    check_wishes(wishes._asdict())
    return wishes


def _image(job: JobIdentity, settings: KubernetesSettings) -> str:
    runner = job.spec.config.runner
    if runner.image:
        return runner.image
    if settings.runner_image is None:
        raise UserError(
            "There is no image for runners.",
            hint="Set HAWK_RUNNER_IMAGE, or `runner.image` in the config.",
            field="image",
        )
    if not runner.image_tag:
        return settings.runner_image
    repository = settings.runner_image.split("@", 1)[0]
    head, _, tail = repository.rpartition(":")
    return f"{head if head and '/' not in tail else repository}:{runner.image_tag}"
