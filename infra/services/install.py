"""Puts Hawk on the cluster: tables first, then Dagster and the servers, then the load balancer's targets."""

import hashlib
from collections.abc import Mapping

import pulumi

from hawk.naming import APP_NAME
from infra.core.load_balancer import LoadBalancer
from infra.k8s.objects import Kubernetes, Manifest
from infra.k8s.platform import platform_manifests
from infra.k8s.shipped import QUEUES, RIGHTS, shipped, with_quotas
from infra.lib.policies import Text
from infra.services.dagster import SETTINGS, dagster_manifests, instance_map
from infra.services.facts import Facts
from infra.services.migration import MIGRATION, migration_job
from infra.services.network_policies import network_policies
from infra.services.roles import API_ACCOUNT, PLAIN_ACCOUNT, PROXY_ACCOUNT
from infra.services.settings import Environment, dagster_settings, migration_settings
from infra.services.table import PROGRAMS, Program
from infra.services.workload import AUTHORITIES_MAP, Workload, metadata


class Services(pulumi.ComponentResource):
    """Everything in the platform's namespace."""

    def __init__(
        self,
        facts: Facts,
        kubernetes: Kubernetes,
        *,
        opts: pulumi.ResourceOptions,
        vpc_cidr: str,
        load_balancer_cidrs: list[str],
        authorities: str,
        after: list[pulumi.Resource],
    ) -> None:
        super().__init__("hawk:services:Services", facts.config.name, opts=opts)
        self._facts = facts
        self._kubernetes = kubernetes
        self._after = [kubernetes.apply(each, after=after) for each in platform_manifests()]
        self._apply(*self._rights())
        self._apply(
            *network_policies(
                vpc_cidr=vpc_cidr,
                load_balancer_cidrs=load_balancer_cidrs,
                collector=facts.config.observability.collector,
            )
        )
        self._apply(config_map(AUTHORITIES_MAP, {"authorities.pem": authorities}))
        dagster_sum = self._tell(SETTINGS, dagster_settings(facts))
        self._apply(instance_map(facts.config.sizes))
        self._tell(MIGRATION, migration_settings(facts))
        job = migration_job(facts.config, image=facts.images["dagster"], settings=MIGRATION)
        self._after = [*self._after, kubernetes.apply(job, after=self._after)]
        self._apply(
            *dagster_manifests(facts.config.sizes, image=facts.images["dagster"], settings_checksum=dagster_sum)
        )
        for program in PROGRAMS:
            self._run(program)
        self.register_outputs({})

    def publish(self, load_balancer: LoadBalancer) -> None:
        """Let the load balancer have the pods of the programs that people reach."""
        for program in PROGRAMS:
            if program.published is None:
                continue
            spec = {
                "serviceRef": {"name": f"{APP_NAME}-{program.component}", "port": program.port},
                "targetGroupARN": load_balancer.target_groups[program.published].arn,
                "targetType": "ip",
            }
            self._apply(
                {
                    "apiVersion": "elbv2.k8s.aws/v1beta1",
                    "kind": "TargetGroupBinding",
                    "metadata": metadata(f"{APP_NAME}-{program.component}", program.component),
                    "spec": spec,
                }
            )

    def _rights(self) -> list[Manifest]:
        manifests = [each for name in RIGHTS for each in shipped(name)]
        cluster, sizes = self._facts.config.cluster, self._facts.config.sizes
        if cluster.kueue:
            runners = sizes.most_cpus // 4
            manifests += with_quotas(shipped(QUEUES), runner_cpus=runners, sandbox_cpus=sizes.most_cpus - runners)
        accounts = [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(name, "account")}
            for name in (API_ACCOUNT, PROXY_ACCOUNT, PLAIN_ACCOUNT)
        ]
        return [*manifests, *accounts]

    def _run(self, program: Program) -> None:
        name = f"{APP_NAME}-{program.component}"
        checksum = self._tell(name, program.settings(self._facts))
        workload = Workload(
            component=program.component,
            image=self._facts.images[program.image],
            command=program.command,
            port=program.port,
            ask=self._facts.config.sizes.programs[program.size],
            live_path=program.live_path,
            ready_path=program.ready_path,
            settings_checksum=checksum,
            account=program.account,
            drain_seconds=program.drain_seconds,
            kept_folders=program.kept_folders,
        )
        self._apply(*workload.manifests())

    def _tell(self, name: str, environment: Environment) -> pulumi.Output[str]:
        """Write a program's settings, and return what changes with them, so that its pods start anew then."""
        self._apply(config_map(name, environment.plain), secret(name, environment.secret))
        checksum = pulumi.Output.json_dumps({**environment.plain, **environment.secret}).apply(
            lambda text: hashlib.sha256(text.encode()).hexdigest()[:16]
        )
        # Sixteen letters of a digest over random keys give none of them away.
        return pulumi.Output.unsecret(checksum)

    def _apply(self, *manifests: Manifest) -> None:
        for manifest in manifests:
            self._kubernetes.apply(manifest, after=self._after)


def config_map(name: str, values: Mapping[str, Text]) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name, "settings"), "data": dict(values)}


def secret(name: str, values: Mapping[str, Text]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(name, "settings"),
        "type": "Opaque",
        "stringData": {key: pulumi.Output.secret(value) for key, value in values.items()},
    }
