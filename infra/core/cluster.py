"""EKS: the control plane, the nodes of the platform, and the add-ons that AWS keeps."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.core.keys import Keys
from infra.core.network import Network
from infra.lib.deployment import Deployment
from infra.lib.naming import DISCOVERY_TAG, POOL_LABEL, SYSTEM_POOL
from infra.lib.policies import Text, pod_identity_trust, service_trust

NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
NODE_DISK_GIB = 60
POD_IDENTITY_AGENT = "eks-pod-identity-agent"  # from which Cilium's operator has its rights, so it comes first
EBS_ACCOUNT = "ebs-csi-controller-sa"
_AGENT_DISK = "/dev/xvda"
# IMDSv2 only, and one hop: what runs in a pod does not reach the node's role.
METADATA = {"http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 1}


class Cluster(pulumi.ComponentResource):
    """The cluster, and roles for what runs in it."""

    def __init__(self, deployment: Deployment, keys: Keys, network: Network) -> None:
        super().__init__("hawk:core:Cluster", deployment.naming.of("cluster"), opts=deployment.inside)
        self._deployment = deployment
        self._options = pulumi.ResourceOptions(parent=self)
        name = deployment.naming
        self.logs = aws.cloudwatch.LogGroup(
            name.of("cluster"),
            name=f"/aws/eks/{deployment.config.name}/cluster",
            retention_in_days=deployment.config.observability.log_days,
            tags=name.tags("cluster"),
            opts=self._options,
        )
        self.eks = self._make_control_plane(keys, network)
        self.name: pulumi.Output[str] = self.eks.name
        self.security_group_id: pulumi.Output[str] = self.eks.vpc_config.cluster_security_group_id
        self.issuer: pulumi.Output[str] = self.eks.identities[0].oidcs[0].issuer
        self.node_role = self._make_node_role()
        self._let_people_in()
        self.identity_agent = self.add_on(POD_IDENTITY_AGENT, after=[self.eks])
        self.register_outputs({"name": self.name, "endpoint": self.eks.endpoint})

    @property
    def kubeconfig(self) -> pulumi.Output[str]:
        """Return a kubeconfig whose tokens AWS's command line gives to who deploys."""
        return pulumi.Output.json_dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {
                        "name": "hawk",
                        "cluster": {
                            "server": self.eks.endpoint,
                            "certificate-authority-data": self.eks.certificate_authority.data,
                        },
                    }
                ],
                "contexts": [{"name": "hawk", "context": {"cluster": "hawk", "user": "deployer"}}],
                "current-context": "hawk",
                "users": [
                    {
                        "name": "deployer",
                        "user": {
                            "exec": {
                                "apiVersion": "client.authentication.k8s.io/v1beta1",
                                "command": "aws",
                                "args": ["eks", "get-token", "--cluster-name", self.name],
                            }
                        },
                    }
                ],
            }
        )

    def pod_role(
        self, what: str, *, namespace: str, service_account: str, policy: pulumi.Output[str] | None = None
    ) -> aws.iam.Role:
        """Return a role for the pods of one service account, with one policy."""
        name = self._deployment.naming
        trust = pod_identity_trust(
            cluster_arn=self.eks.arn,
            account=self._deployment.account,
            namespace=namespace,
            service_account=service_account,
        )
        role = aws.iam.Role(
            name.of(what), name=name.of(what), assume_role_policy=trust, tags=name.tags(what), opts=self._options
        )
        if policy is not None:
            aws.iam.RolePolicy(name.of(what), role=role.id, policy=policy, opts=self._options)
        aws.eks.PodIdentityAssociation(
            name.of(what),
            cluster_name=self.name,
            namespace=namespace,
            service_account=service_account,
            role_arn=role.arn,
            tags=name.tags(what),
            opts=self._options,
        )
        return role

    def add_on(
        self, what: str, *, after: Sequence[pulumi.Resource], values: Mapping[str, Any] | None = None
    ) -> aws.eks.Addon:
        """Install one of AWS's add-ons, in the version that AWS has for the cluster's."""
        name = self._deployment.naming
        return aws.eks.Addon(
            name.of(what),
            cluster_name=self.name,
            addon_name=what,
            configuration_values=json.dumps(values) if values else None,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            tags=name.tags(what),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )

    def start_nodes(self, network: Network, *, after: Sequence[pulumi.Resource]) -> aws.eks.NodeGroup:
        """Start the nodes of the platform, which are ready only once there is a network of pods to join."""
        deployment, name, sizes = self._deployment, self._deployment.naming, self._deployment.config.sizes
        disk = {
            "volume_size": NODE_DISK_GIB,
            "volume_type": "gp3",
            "encrypted": "true",
            "delete_on_termination": "true",
        }
        template = aws.ec2.LaunchTemplate(
            name.of("system-nodes"),
            name=name.of("system-nodes"),
            metadata_options=METADATA,
            block_device_mappings=[{"device_name": _AGENT_DISK, "ebs": disk}],
            tag_specifications=[
                {"resource_type": kind, "tags": {**name.default_tags, **name.tags("system-node")}}
                for kind in ("instance", "volume")
            ],
            tags=name.tags("system-nodes"),
            opts=self._options,
        )
        aws.ec2.Tag(
            name.of("node-group-discovery"),
            resource_id=self.security_group_id,
            key=DISCOVERY_TAG,
            value=deployment.config.name,
            opts=self._options,
        )
        return aws.eks.NodeGroup(
            name.of("system-nodes"),
            cluster_name=self.name,
            node_group_name="system",
            node_role_arn=self.node_role.arn,
            subnet_ids=[subnet.id for subnet in network.private],
            ami_type="AL2023_x86_64_STANDARD",
            instance_types=[sizes.system_instance],
            labels={POOL_LABEL: SYSTEM_POOL},
            scaling_config={
                "desired_size": sizes.system_nodes,
                "min_size": sizes.system_nodes,
                "max_size": sizes.system_nodes + 1,
            },
            update_config={"max_unavailable": 1},
            launch_template={"id": template.id, "version": template.latest_version},
            tags=name.tags("system-nodes"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )

    def _make_control_plane(self, keys: Keys, network: Network) -> aws.eks.Cluster:
        deployment, name = self._deployment, self._deployment.naming
        role = self._service_role("control-plane", "eks.amazonaws.com", ("AmazonEKSClusterPolicy",))
        outside = [str(each) for each in deployment.config.cluster.endpoint_networks]
        return aws.eks.Cluster(
            name.of("cluster"),
            name=deployment.config.name,
            version=deployment.config.cluster.version,
            role_arn=role.arn,
            access_config={"authentication_mode": "API", "bootstrap_cluster_creator_admin_permissions": True},
            bootstrap_self_managed_addons=False,  # Cilium is network and kube-proxy in one
            vpc_config={
                "subnet_ids": [subnet.id for subnet in network.private],
                "endpoint_private_access": True,
                "endpoint_public_access": bool(outside),
                **({"public_access_cidrs": outside} if outside else {}),
            },
            encryption_config={"provider": {"key_arn": keys.cluster.arn}, "resources": ["secrets"]},
            enabled_cluster_log_types=["api", "audit", "authenticator"],
            tags=name.tags("cluster"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.logs, role]),
        )

    def _make_node_role(self) -> aws.iam.Role:
        role = self._service_role("node", "ec2.amazonaws.com", NODE_POLICIES)
        aws.eks.AccessEntry(
            self._deployment.naming.of("karpenter-nodes"),
            cluster_name=self.name,
            principal_arn=role.arn,
            type="EC2_LINUX",
            opts=self._options,
        )
        return role

    def _let_people_in(self) -> None:
        name = self._deployment.naming
        policy = pulumi.Output.concat(
            "arn:", self._deployment.partition, ":eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
        )
        for number, arn in enumerate(self._deployment.config.cluster.administrators, start=1):
            what = name.of(f"administrator-{number}")
            entry = aws.eks.AccessEntry(what, cluster_name=self.name, principal_arn=arn, opts=self._options)
            aws.eks.AccessPolicyAssociation(
                what,
                cluster_name=self.name,
                principal_arn=arn,
                policy_arn=policy,
                access_scope={"type": "cluster"},
                opts=pulumi.ResourceOptions(parent=self, depends_on=[entry]),
            )

    def _service_role(self, what: str, service: str, policies: tuple[str, ...]) -> aws.iam.Role:
        name = self._deployment.naming
        role = aws.iam.Role(
            name.of(what),
            name=name.of(what),
            assume_role_policy=service_trust(service),
            tags=name.tags(what),
            opts=self._options,
        )
        for policy in policies:
            aws.iam.RolePolicyAttachment(
                name.of(policy), role=role.name, policy_arn=aws_policy(self._deployment, policy), opts=self._options
            )
        return role


def aws_policy(deployment: Deployment, path: str) -> Text:
    """Return the ARN of a policy that AWS keeps."""
    return pulumi.Output.concat("arn:", deployment.partition, f":iam::aws:policy/{path}")
