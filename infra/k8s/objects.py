"""Kubernetes objects and charts as Pulumi's resources; an object is the mapping that its YAML would be."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

Manifest = dict[str, Any]


class Kubernetes(pulumi.ComponentResource):
    """One cluster, and what is applied to it. Objects are applied by the server, which says who owns which field."""

    def __init__(self, name: str, kubeconfig: pulumi.Output[str], *, opts: pulumi.ResourceOptions) -> None:
        super().__init__("hawk:k8s:Kubernetes", name, opts=opts)
        self.provider = kubernetes.Provider(
            name,
            kubeconfig=kubeconfig,
            enable_server_side_apply=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})

    def apply(self, manifest: Manifest, *, after: Sequence[pulumi.Resource] = ()) -> pulumi.CustomResource:
        """Let the cluster have an object as it is written, and wait until it works."""
        metadata = manifest["metadata"]
        place = "/".join(filter(None, [metadata.get("namespace"), metadata["name"]]))
        return pulumi.CustomResource(
            resource_type(manifest),
            f"{manifest['kind'].lower()}:{place}",
            manifest,
            pulumi.ResourceOptions(parent=self, provider=self.provider, depends_on=list(after)),
        )

    def chart(
        self,
        name: str,
        *,
        chart: str,
        version: str,
        namespace: str,
        values: Mapping[str, Any],
        repository: str | None = None,
        after: Sequence[pulumi.Resource] = (),
        waits: bool = True,
    ) -> pulumi.Resource:
        """Install a chart in one version; `waits` until its pods are ready."""
        release: pulumi.Resource = kubernetes.helm.v3.Release(
            name,
            name=name,
            chart=chart,
            version=version,
            namespace=namespace,
            create_namespace=True,
            repository_opts={"repo": repository} if repository else None,
            values=dict(values),
            skip_await=not waits,
            timeout=900,
            opts=pulumi.ResourceOptions(parent=self, provider=self.provider, depends_on=list(after)),
        )
        return release


def resource_type(manifest: Manifest) -> str:
    """Return the token by which Pulumi's provider knows the kind of an object."""
    version = manifest["apiVersion"]
    return f"kubernetes:{version if '/' in version else f'core/{version}'}:{manifest['kind']}"
