"""The pools of nodes: which instances, how many CPUs in all, and what a node of them is.

Pods choose a pool by its label alone. There are no taints, which every pod of every chart would have to know.
"""

from collections.abc import Mapping
from typing import Any

from infra.k8s.objects import Manifest
from infra.lib.config import DeploymentConfig
from infra.lib.instances import PODS_WITH_PREFIXES
from infra.lib.naming import DISCOVERY_TAG, POOL_LABEL, RUNNER_POOL, SANDBOX_POOL
from infra.lib.policies import Text

GVISOR_LABEL = "hawk.dagster.io/gvisor"
FAMILIES = ("c", "m", "r")
CPUS_OF_A_NODE = ("2", "4", "8", "16", "32")
NODE_DISK_GIB = 100
# A runner's set may take weeks and is not moved; a node that nothing is left on goes after this long.
EMPTY_FOR = "5m"
RUNNERS_SHARE = 0.25  # of all CPUs: a set's runner waits for models, its sandboxes work
_NOT_READY = {"key": "node.cilium.io/agent-not-ready", "value": "true", "effect": "NoExecute"}


def node_pools(config: DeploymentConfig) -> list[Manifest]:
    """Return the pools; together they never have more CPUs than the configuration allows."""
    most = config.sizes.most_cpus
    for_runners = max(2, int(most * RUNNERS_SHARE))
    rest = most - for_runners
    spot = ["spot", "on-demand"] if config.cluster.spot_sandboxes else ["on-demand"]
    pools = [_pool("runners", RUNNER_POOL, cpus=for_runners, capacity=["on-demand"])]
    if config.cluster.gvisor_release:
        strict = rest // 2
        labels = {GVISOR_LABEL: "true"}
        pools.append(
            _pool("sandboxes-strict", SANDBOX_POOL, cpus=strict, capacity=spot, labels=labels, node_class_name="gvisor")
        )
        rest -= strict
    return [*pools, _pool("sandboxes", SANDBOX_POOL, cpus=rest, capacity=spot)]


def node_class(name: str, *, config: DeploymentConfig, profile: Text, metadata: Mapping[str, Any]) -> Manifest:
    """Return what a node is made of; `gvisor` installs the runtime of that name before it joins."""
    discovered = [{"tags": {DISCOVERY_TAG: config.name}}]
    spec: dict[str, Any] = {
        "amiSelectorTerms": [{"alias": "al2023@latest"}],
        "instanceProfile": profile,
        "subnetSelectorTerms": discovered,
        "securityGroupSelectorTerms": discovered,
        "metadataOptions": {
            "httpEndpoint": metadata["http_endpoint"],
            "httpTokens": metadata["http_tokens"],
            "httpPutResponseHopLimit": metadata["http_put_response_hop_limit"],
        },
        "blockDeviceMappings": [
            {
                "deviceName": "/dev/xvda",
                "ebs": {"volumeSize": f"{NODE_DISK_GIB}Gi", "volumeType": "gp3", "encrypted": True},
            }
        ],
        "kubelet": {"maxPods": PODS_WITH_PREFIXES},
        "tags": {"hawk:deployment": config.name},
    }
    if name == "gvisor":
        spec["userData"] = _gvisor_user_data(config.cluster.gvisor_release or "")
    return {
        "apiVersion": "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": {"name": name},
        "spec": spec,
    }


def gvisor_runtime_class() -> Manifest:
    """Return the RuntimeClass of strict sandboxes, which leads them to nodes that have it."""
    return {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "gvisor"},
        "handler": "runsc",
        "scheduling": {"nodeSelector": {GVISOR_LABEL: "true"}},
    }


def _pool(
    name: str,
    pool: str,
    *,
    cpus: int,
    capacity: list[str],
    labels: Mapping[str, str] | None = None,
    node_class_name: str = "default",
) -> Manifest:
    def one_of(key: str, values: list[str]) -> dict[str, Any]:
        return {"key": key, "operator": "In", "values": values}

    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {
            "limits": {"cpu": str(cpus)},
            "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": EMPTY_FOR},
            "template": {
                "metadata": {"labels": {POOL_LABEL: pool, **(labels or {})}},
                "spec": {
                    "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": node_class_name},
                    "expireAfter": "Never",
                    "startupTaints": [_NOT_READY],  # Cilium takes it off when the node has a network
                    "requirements": [
                        one_of("kubernetes.io/os", ["linux"]),
                        one_of("kubernetes.io/arch", ["amd64"]),
                        one_of("karpenter.sh/capacity-type", capacity),
                        one_of("karpenter.k8s.aws/instance-category", list(FAMILIES)),
                        {"key": "karpenter.k8s.aws/instance-generation", "operator": "Gt", "values": ["5"]},
                        one_of("karpenter.k8s.aws/instance-cpu", list(CPUS_OF_A_NODE)),
                    ],
                },
            },
        },
    }


def _gvisor_user_data(release: str) -> str:
    """Return a script that installs gVisor, refuses what its makers did not sign off, and tells containerd of it."""
    place = f"https://storage.googleapis.com/gvisor/releases/release/{release}/x86_64"
    return f"""\
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="HAWK"

--HAWK
Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/bash
set -euo pipefail
cd /usr/local/bin
for program in runsc containerd-shim-runsc-v1; do
  curl -fsSLO {place}/$program
  curl -fsSLO {place}/$program.sha512
  sha512sum -c $program.sha512
  rm $program.sha512
  chmod 0755 $program
done
--HAWK
Content-Type: application/node.eks.aws

apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  containerd:
    config: |
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc]
        runtime_type = "io.containerd.runsc.v1"
--HAWK--
"""
