"""What every component is handed: the configuration, names, and where in AWS it is."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.lib.config import DeploymentConfig
from infra.lib.naming import Naming


@dataclass(frozen=True)
class Deployment:
    """One deployment in one region of one account."""

    config: DeploymentConfig
    naming: Naming
    account: pulumi.Output[str]
    region: str
    partition: pulumi.Output[str]
    zones: pulumi.Output[list[str]]
    inside: pulumi.ResourceOptions  # of every component: whatever is made in it bears the deployment's tags

    def arn(self, service: str, rest: str, *, region: bool = True) -> pulumi.Output[str]:
        """Return an ARN of this account, of this region unless the service has none."""
        place = self.region if region else ""
        return pulumi.Output.concat("arn:", self.partition, f":{service}:{place}:", self.account, f":{rest}")

    def keeping(self, options: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
        """Return the options of what holds data: it outlives the deployment unless the configuration says otherwise."""
        return pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(retain_on_delete=self.config.keep_data))


def this_deployment(config: DeploymentConfig, *, region: str) -> Deployment:
    """Return the deployment, with what AWS says of the account."""
    naming = Naming(config.name)
    provider = aws.Provider(naming.of("aws"), region=region, default_tags={"tags": dict(naming.default_tags)})
    here = pulumi.InvokeOptions(provider=provider)
    return Deployment(
        config=config,
        naming=naming,
        account=aws.get_caller_identity_output(opts=here).account_id,
        region=region,
        partition=aws.get_partition_output(opts=here).partition,
        zones=aws.get_availability_zones_output(
            state="available",
            filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
            opts=here,
        ).names,
        inside=pulumi.ResourceOptions(providers=[provider]),
    )
