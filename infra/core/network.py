"""The VPC: nodes and database in private subnets, the load balancer alone in public ones."""

from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from infra.lib.deployment import Deployment
from infra.lib.naming import DISCOVERY_TAG

INTERFACE_ENDPOINTS = ("sts", "ecr.api", "ecr.dkr", "secretsmanager", "sqs", "logs", "ec2", "eks-auth")
_POD_BITS = 3  # an eighth of the VPC for pods and nodes of a zone
_SMALL_BITS = 8  # a 256th for load balancers, and for databases


class Network(pulumi.ComponentResource):
    """A VPC over several zones."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__("hawk:core:Network", deployment.naming.of("network"), opts=deployment.inside)
        self._deployment = deployment
        self._sizes = deployment.config.sizes
        self._options = pulumi.ResourceOptions(parent=self)
        name = deployment.naming
        self.cidr = str(deployment.config.network.cidr)
        self.vpc = aws.ec2.Vpc(
            name.of("vpc"),
            cidr_block=self.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=name.tags("vpc"),
            opts=self._options,
        )
        # Whatever forgets to name a security group gets the default one, which lets nothing pass.
        aws.ec2.DefaultSecurityGroup(
            name.of("default"), vpc_id=self.vpc.id, ingress=[], egress=[], tags=name.tags("default"), opts=self._options
        )
        self._make_subnets()
        self._make_routes()
        self._make_endpoints()
        self.register_outputs({"vpc_id": self.vpc.id})

    def _make_subnets(self) -> None:
        cidr = self._deployment.config.network.cidr
        pods = list(cidr.subnets(prefixlen_diff=_POD_BITS))
        small = list(cidr.subnets(prefixlen_diff=_SMALL_BITS))
        zones = range(self._sizes.zones)
        cluster = self._deployment.config.name
        self.private = [
            self._subnet(
                "private", zone, pods[zone], **{DISCOVERY_TAG: cluster, "kubernetes.io/role/internal-elb": "1"}
            )
            for zone in zones
        ]
        # From the last eighth, which no zone's pods have.
        self.public_cidrs = [str(small[-1 - zone]) for zone in zones]
        self.public = [self._subnet("public", zone, small[-1 - zone]) for zone in zones]
        self.database = [self._subnet("database", zone, small[-11 - zone]) for zone in zones]

    def _subnet(self, kind: str, zone: int, cidr: IPv4Network, **tags: str) -> aws.ec2.Subnet:
        what = f"{kind}-{zone + 1}"
        return aws.ec2.Subnet(
            self._deployment.naming.of(what),
            vpc_id=self.vpc.id,
            cidr_block=str(cidr),
            availability_zone=self._deployment.zones.apply(lambda zones: zones[zone]),
            map_public_ip_on_launch=False,
            tags=self._deployment.naming.tags(what, **tags),
            opts=self._options,
        )

    def _make_routes(self) -> None:
        name = self._deployment.naming
        gateway = aws.ec2.InternetGateway(
            name.of("internet"), vpc_id=self.vpc.id, tags=name.tags("internet"), opts=self._options
        )
        table = self._route_table("public", self.public)
        self._route("public", table, gateway_id=gateway.id)
        nat_zones = self._sizes.zones if self._sizes.nat == "each-zone" else 1
        nats = [self._nat(zone, gateway) for zone in range(nat_zones)]
        self._private_tables = []
        for zone, subnet in enumerate(self.private):
            table = self._route_table(f"private-{zone + 1}", [subnet])
            self._route(f"private-{zone + 1}", table, nat_gateway_id=nats[min(zone, nat_zones - 1)].id)
            self._private_tables.append(table)
        self._route_table("database", self.database)  # no way out

    def _nat(self, zone: int, gateway: aws.ec2.InternetGateway) -> aws.ec2.NatGateway:
        what = f"nat-{zone + 1}"
        options = pulumi.ResourceOptions(parent=self, depends_on=[gateway])
        name = self._deployment.naming
        address = aws.ec2.Eip(name.of(what), domain="vpc", tags=name.tags(what), opts=options)
        return aws.ec2.NatGateway(
            name.of(what),
            allocation_id=address.id,
            subnet_id=self.public[zone].id,
            tags=name.tags(what),
            opts=options,
        )

    def _route_table(self, what: str, subnets: list[aws.ec2.Subnet]) -> aws.ec2.RouteTable:
        name = self._deployment.naming
        table = aws.ec2.RouteTable(name.of(what), vpc_id=self.vpc.id, tags=name.tags(what), opts=self._options)
        for number, subnet in enumerate(subnets, start=1):
            aws.ec2.RouteTableAssociation(
                name.of(f"{what}-{number}"), route_table_id=table.id, subnet_id=subnet.id, opts=self._options
            )
        return table

    def _route(self, what: str, table: aws.ec2.RouteTable, **target: pulumi.Output[str]) -> None:
        aws.ec2.Route(
            self._deployment.naming.of(what),
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            opts=self._options,
            **target,
        )

    def _make_endpoints(self) -> None:
        name = self._deployment.naming
        region = self._deployment.region
        aws.ec2.VpcEndpoint(
            name.of("s3"),
            vpc_id=self.vpc.id,
            service_name=f"com.amazonaws.{region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[table.id for table in self._private_tables],
            tags=name.tags("s3"),
            opts=self._options,
        )
        if not self._sizes.interface_endpoints:
            return
        group = aws.ec2.SecurityGroup(
            name.of("endpoints"),
            description="AWS services, by endpoints in the VPC",
            vpc_id=self.vpc.id,
            tags=name.tags("endpoints"),
            opts=self._options,
        )
        aws.vpc.SecurityGroupIngressRule(
            name.of("endpoints-from-vpc"),
            security_group_id=group.id,
            description="HTTPS from the VPC",
            cidr_ipv4=self.cidr,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=self._options,
        )
        for service in INTERFACE_ENDPOINTS:
            what = service.replace(".", "-")
            aws.ec2.VpcEndpoint(
                name.of(what),
                vpc_id=self.vpc.id,
                service_name=f"com.amazonaws.{region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=[subnet.id for subnet in self.private],
                security_group_ids=[group.id],
                tags=name.tags(what),
                opts=self._options,
            )
