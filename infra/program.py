"""The whole deployment, in the order in which its parts need one another."""

from pathlib import Path

import pulumi
import pulumi_aws as aws

from hawk.errors import UserError
from infra.core.cluster import Cluster
from infra.core.database import Database
from infra.core.distribution import Distribution
from infra.core.identity import Identity, identity
from infra.core.keys import Keys
from infra.core.load_balancer import LoadBalancer
from infra.core.logs import Logs
from infra.core.network import Network
from infra.core.registry import IMAGES, Registry
from infra.k8s.add_ons import install_add_ons
from infra.k8s.cilium import install_cilium
from infra.k8s.karpenter import Karpenter
from infra.k8s.node_pools import gvisor_runtime_class
from infra.k8s.objects import Kubernetes
from infra.lib.config import DeploymentConfig
from infra.lib.deployment import Deployment, this_deployment
from infra.observability.alarms import Alarms
from infra.observability.collector import COLLECTOR_URL, install_collector
from infra.services.facts import Facts
from infra.services.install import Services
from infra.services.roles import Roles
from infra.services.secrets import KeptSecrets

AUTHORITIES = Path(__file__).parent / "rds-authorities.pem"
AUTHORITIES_SOURCE = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"


def deploy(config: DeploymentConfig, *, region: str, authorities: str) -> None:
    """Describe everything to Pulumi; `authorities` are the certificates that vouch for the database's."""
    deployment = this_deployment(config, region=region)
    keys = Keys(deployment)
    network = Network(deployment)
    registry = Registry(deployment)
    logs = Logs(deployment, keys)
    who = identity(deployment)
    cluster = Cluster(deployment, keys, network)
    database = Database(deployment, keys, network)
    database.let_in(cluster.security_group_id)
    load_balancer = LoadBalancer(deployment, network, cluster, who)
    if config.cloudfront:
        Distribution(deployment, load_balancer)
    kubernetes = Kubernetes(config.name, cluster.kubeconfig, opts=deployment.inside)
    ready = _cluster_parts(deployment, cluster, network, kubernetes)
    roles = Roles(deployment, cluster=cluster, logs=logs, keys=keys)
    facts = Facts(
        config=config,
        region=region,
        bucket=logs.bucket.bucket,
        events_queue_url=logs.events.url,
        log_role_arn=roles.jobs.arn,
        pod_token_issuer=cluster.issuer,
        identity=who,
        images={name: registry.image(name) for name in IMAGES},
        secrets=KeptSecrets(deployment, keys, database).secrets,
        data_key_arn=keys.data.arn,
        collector_url=COLLECTOR_URL if config.observability.collector else None,
    )
    services = Services(
        facts,
        kubernetes,
        opts=deployment.inside,
        vpc_cidr=network.cidr,
        load_balancer_cidrs=network.public_cidrs,
        authorities=authorities,
        after=[*ready, roles, database],
    )
    services.publish(load_balancer)
    install_collector(deployment, cluster, kubernetes, after=[services])
    if config.observability.alarms:
        Alarms(deployment, keys=keys, logs=logs, database=database, load_balancer=load_balancer)
    _export(deployment, registry=registry, logs=logs, who=who, cluster=cluster)


def read_authorities() -> str:
    """Return the certificates that vouch for Aurora's. Raises UserError that says where they are to be had."""
    try:
        return AUTHORITIES.read_text()
    except FileNotFoundError as error:
        raise UserError(
            f"{AUTHORITIES} is missing: programs would not know whether it is the database that answers.",
            hint=f"Fetch it from AWS: curl -fsSo {AUTHORITIES.name} {AUTHORITIES_SOURCE}",
            value=str(AUTHORITIES),
        ) from error


def _cluster_parts(
    deployment: Deployment, cluster: Cluster, network: Network, kubernetes: Kubernetes
) -> list[pulumi.Resource]:
    cilium = install_cilium(deployment, cluster, kubernetes)
    nodes = cluster.start_nodes(network, after=[cilium])
    ready = install_add_ons(deployment, cluster, kubernetes, vpc_id=network.vpc.id, nodes=nodes)
    karpenter = Karpenter(deployment, cluster, kubernetes, after=ready)
    if deployment.config.cluster.gvisor_release:
        kubernetes.apply(gvisor_runtime_class(), after=ready)
    return [*ready, karpenter]


def _export(deployment: Deployment, *, registry: Registry, logs: Logs, who: Identity, cluster: Cluster) -> None:
    config = deployment.config
    outputs = {
        "api_url": f"https://{config.host('api')}",
        "dagster_url": f"https://{config.host('dagster')}",
        "viewer_url": f"https://{config.host('viewer')}",
        "bucket": logs.bucket.bucket,
        "issuer": who.issuer,
        "cluster": cluster.name,
        "images": {name: registry.image(name) for name in IMAGES},
    }
    for name, value in outputs.items():
        pulumi.export(name, value)


def main() -> None:
    """Run as Pulumi's program: everything from the stack's configuration. Faults of it are said without a traceback."""
    try:
        _deploy_stack()
    except UserError as error:
        raise pulumi.RunError(str(error)) from error


def _deploy_stack() -> None:
    from pulumi.runtime.config import CONFIG  # the only way to every key, also to those that nobody knows

    from infra.lib.config_file import read_config

    config = read_config(CONFIG.get())
    region = aws.config.region
    if not region:
        raise UserError("The stack has no region.", hint="Set one: pulumi config set aws:region us-east-1.")
    deploy(config, region=region, authorities=read_authorities())
