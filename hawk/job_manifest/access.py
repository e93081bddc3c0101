"""The account a runner acts under, and its only rights: those on its own sandbox namespace."""

from hawk.job_manifest.identity import JobIdentity, Manifest
from hawk.naming import SANDBOX_CLUSTER_ROLE
from hawk.settings import KubernetesSettings

IRSA_ANNOTATION = "eks.amazonaws.com/role-arn"


def access(job: JobIdentity, settings: KubernetesSettings) -> list[Manifest]:
    """Return the service account and, where the job has sandboxes, the binding to the role that makes them."""
    account = job.manifest("v1", "ServiceAccount", job.service_account, automountServiceAccountToken=False)
    if settings.runner_role_arn:
        account["metadata"]["annotations"] = {IRSA_ANNOTATION: settings.runner_role_arn}
    if job.sandbox_namespace is None:
        return [account]
    subject = {"kind": "ServiceAccount", "name": job.service_account, "namespace": job.runner_namespace}
    binding = job.manifest(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        "runner",
        sandbox=True,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": SANDBOX_CLUSTER_ROLE},
        subjects=[subject],
    )
    return [account, binding]
