"""Names and tags of what is made: `{name}-{what}`, and tags by which costs and leftovers are found."""

from collections.abc import Mapping

NAMESPACE = "hawk"  # of the platform's pods; infra/kubernetes names it too
LAUNCHER_ACCOUNT = "hawk-launcher"  # infra/kubernetes/launcher.yaml
RUNNER_POOL, SANDBOX_POOL, SYSTEM_POOL = "runner", "sandbox", "system"
POOL_LABEL = "hawk.dagster.io/pool"
DISCOVERY_TAG = "karpenter.sh/discovery"
JOB_NAMESPACE_PREFIX = "inspect"  # infra/kubernetes/admission.yaml
HAWK_DATABASE, DAGSTER_DATABASE = "hawk", "dagster"


class Naming:
    """Names of one deployment."""

    def __init__(self, deployment: str) -> None:
        self.deployment = deployment

    def of(self, what: str) -> str:
        return f"{self.deployment}-{what}"

    def tags(self, what: str, **more: str) -> dict[str, str]:
        """Return the tags of one thing; the provider adds `default_tags` to everything by itself."""
        return {"Name": self.of(what), **more}

    @property
    def default_tags(self) -> Mapping[str, str]:
        return {"hawk:deployment": self.deployment, "hawk:managed-by": "pulumi"}
