"""The OpenTelemetry collector, and Datadog's agent: either, both, or none."""

from typing import Any

import pulumi
import yaml

from hawk.naming import APP_NAME, COMPONENT_LABEL, NAME_LABEL
from infra.core.cluster import Cluster
from infra.k8s.objects import Kubernetes, Manifest
from infra.lib.deployment import Deployment
from infra.lib.naming import NAMESPACE, POOL_LABEL, SYSTEM_POOL
from infra.lib.policies import Statement, document
from infra.lib.sizes import Ask
from infra.services.workload import CONTAINER_SECURITY, POD_SECURITY, metadata

COMPONENT, PORT = "collector", 4317
IMAGE = "public.ecr.aws/aws-observability/aws-otel-collector:v0.43.3"
ACCOUNT = "hawk-collector"
ASK = Ask(cpu_millis=100, memory_mib=256)
DATADOG_VERSION = "3.74.0"  # of the chart
DATADOG_NODE = Ask(cpu_millis=200, memory_mib=256)
COLLECTOR_URL = f"http://{APP_NAME}-{COMPONENT}.{NAMESPACE}.svc.cluster.local:{PORT}"


def collector_manifests(region: str) -> list[Manifest]:
    """Return the collector, which takes traces of the proxy and gives them to X-Ray."""
    config = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"0.0.0.0:{PORT}"}}}},
        "processors": {"batch": {}, "memory_limiter": {"check_interval": "1s", "limit_percentage": 80}},
        "exporters": {"awsxray": {"region": region}},
        "extensions": {"health_check": {"endpoint": "0.0.0.0:13133"}},
        "service": {
            "extensions": ["health_check"],
            "pipelines": {
                "traces": {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter", "batch"],
                    "exporters": ["awsxray"],
                }
            },
        },
    }
    name = f"{APP_NAME}-{COMPONENT}"
    labels = {NAME_LABEL: APP_NAME, COMPONENT_LABEL: COMPONENT}
    ports = [{"name": "otlp", "port": PORT, "targetPort": PORT, "protocol": "TCP"}]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(ACCOUNT, COMPONENT)},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(name, COMPONENT),
            "data": {"config.yaml": yaml.safe_dump(config, sort_keys=False)},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(name, COMPONENT),
            "spec": {"selector": labels, "ports": ports},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(name, COMPONENT),
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": _pod(name)},
            },
        },
    ]


def install_collector(
    deployment: Deployment, cluster: Cluster, kubernetes: Kubernetes, *, after: list[pulumi.Resource]
) -> None:
    """Install what the configuration asks for."""
    config = deployment.config.observability
    if config.collector:
        traces = Statement(
            ["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
            ["*"],
            wildcard_reason="X-Ray's segments are no resources; there is no narrower right.",
        )
        cluster.pod_role(COMPONENT, namespace=NAMESPACE, service_account=ACCOUNT, policy=document(traces))
        for manifest in collector_manifests(deployment.region):
            kubernetes.apply(manifest, after=after)
    if config.datadog_site:
        kubernetes.chart(
            "datadog",
            chart="datadog",
            repository="https://helm.datadoghq.com",
            version=DATADOG_VERSION,
            namespace="datadog",
            values=datadog_values(deployment, config.datadog_site),
            after=after,
        )


def datadog_values(deployment: Deployment, site: str) -> dict[str, Any]:
    """Return the chart's values; nothing that pods print is sent, since prompts may be among it."""
    return {
        "datadog": {
            "apiKey": pulumi.Output.secret(deployment.config.observability.datadog_api_key or ""),
            "site": site,
            "clusterName": deployment.config.name,
            "logs": {"enabled": False},
            "apm": {"portEnabled": False, "socketEnabled": False},
            "kubeStateMetricsCore": {"enabled": True},
        },
        "agents": {"containers": {"agent": {"resources": DATADOG_NODE.resources}}},
        "clusterAgent": {"nodeSelector": {POOL_LABEL: SYSTEM_POOL}},
    }


def _pod(name: str) -> dict[str, Any]:
    health = {"httpGet": {"path": "/", "port": 13133}}
    container = {
        "name": COMPONENT,
        "image": IMAGE,
        "args": ["--config=/etc/otel/config.yaml"],
        "ports": [{"name": "otlp", "containerPort": PORT, "protocol": "TCP"}],
        "livenessProbe": health,
        "readinessProbe": health,
        "resources": ASK.resources,
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/otel", "readOnly": True}],
    }
    return {
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "securityContext": POD_SECURITY,
        "nodeSelector": {POOL_LABEL: SYSTEM_POOL},
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": name}}],
    }
