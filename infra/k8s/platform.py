"""The namespace of the platform's own pods, and the disks that pods ask for."""

from hawk.naming import APP_NAME, NAME_LABEL
from infra.k8s.objects import Manifest
from infra.lib.naming import NAMESPACE

STORAGE_CLASS = "hawk"
_POD_SECURITY = "pod-security.kubernetes.io"
# More than a deployment ever has; a program gone wild stops here, not at the end of the cluster.
MOST_PODS, MOST_JOBS, MOST_DISKS = 200, 500, 50


def platform_manifests() -> list[Manifest]:
    """Return the namespace, which takes only pods without rights on their node, with its quota and disks."""
    levels = {f"{_POD_SECURITY}/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    labels = {NAME_LABEL: APP_NAME, **levels}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}},
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "platform", "namespace": NAMESPACE},
            "spec": {
                "hard": {
                    "pods": str(MOST_PODS),
                    "count/jobs.batch": str(MOST_JOBS),
                    "persistentvolumeclaims": str(MOST_DISKS),
                    "services.loadbalancers": "0",  # the one load balancer is made outside the cluster
                    "services.nodeports": "0",
                }
            },
        },
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": STORAGE_CLASS,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "ebs.csi.aws.com",
            "parameters": {"type": "gp3", "encrypted": "true"},
            "volumeBindingMode": "WaitForFirstConsumer",
            "allowVolumeExpansion": True,
            "reclaimPolicy": "Delete",
        },
    ]
