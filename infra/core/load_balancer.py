"""The one thing that the internet reaches: a load balancer with TLS, which knows each program by its host name."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.core.cluster import Cluster
from infra.core.identity import SCOPES, Identity
from infra.core.network import Network
from infra.lib.deployment import Deployment
from infra.lib.policies import Text

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
# The longest silence on a connection: Streamlit's and Dagster's pages hold websockets open.
IDLE_SECONDS = 3600
DRAIN_SECONDS = 60


@dataclass(frozen=True)
class Published:
    """A program that people reach."""

    name: str
    port: int
    health_path: str
    signs_in: bool = False  # the load balancer asks who comes, since the program does not
    keeps_to_one_pod: bool = False  # a visitor's requests go to one pod


PUBLISHED = (
    Published("api", 8080, "/health/live"),
    Published("dagster", 3000, "/door/live"),
    Published("viewer", 8501, "/_stcore/health", signs_in=True, keeps_to_one_pod=True),
)


class LoadBalancer(pulumi.ComponentResource):
    """Load balancer, certificate, names."""

    def __init__(self, deployment: Deployment, network: Network, cluster: Cluster, who: Identity) -> None:
        super().__init__("hawk:core:LoadBalancer", deployment.naming.of("load-balancer"), opts=deployment.inside)
        self._deployment = deployment
        self._options = pulumi.ResourceOptions(parent=self)
        self._zone_id = self._make_zone()
        self._certificate = self._make_certificate()
        self.security_group = self._make_security_group(network, cluster)
        name = deployment.naming
        self.balancer = aws.lb.LoadBalancer(
            name.of("public"),
            name=name.of("public"),
            load_balancer_type="application",
            internal=False,
            subnets=[subnet.id for subnet in network.public],
            security_groups=[self.security_group.id],
            drop_invalid_header_fields=True,
            idle_timeout=IDLE_SECONDS,
            enable_deletion_protection=False,
            tags=name.tags("public"),
            opts=self._options,
        )
        self._listener = self._make_listeners()
        self.target_groups = {
            each.name: self._publish(each, number, network, who) for number, each in enumerate(PUBLISHED, start=1)
        }
        if not deployment.config.cloudfront:
            for each in PUBLISHED:
                self.name_host(each.name, self.balancer.dns_name, self.balancer.zone_id)
        self.register_outputs({"dns_name": self.balancer.dns_name})

    def name_host(self, name: str, target: Text, target_zone: Text) -> None:
        """Let a host of the deployment's domain lead to a load balancer or distribution."""
        aws.route53.Record(
            self._deployment.naming.of(f"host-{name}"),
            zone_id=self._zone_id,
            name=self._deployment.config.host(name),
            type="A",
            aliases=[{"name": target, "zone_id": target_zone, "evaluate_target_health": False}],
            opts=self._options,
        )

    def certificate_in(self, what: str, provider: aws.Provider | None = None) -> pulumi.Output[str]:
        """Return a certificate for all hosts, proven by DNS; another provider makes it in another region."""
        config, name = self._deployment.config, self._deployment.naming
        options = pulumi.ResourceOptions(parent=self, provider=provider) if provider else self._options
        certificate = aws.acm.Certificate(
            name.of(what), domain_name=f"*.{config.domain}", validation_method="DNS", tags=name.tags(what), opts=options
        )
        proof = certificate.domain_validation_options[0]
        record = aws.route53.Record(
            name.of(f"{what}-proof"),
            zone_id=self._zone_id,
            name=proof.resource_record_name,
            type=proof.resource_record_type,
            records=[proof.resource_record_value],
            ttl=300,
            allow_overwrite=True,  # a certificate in another region has the same proof
            opts=self._options,
        )
        valid = aws.acm.CertificateValidation(
            name.of(what), certificate_arn=certificate.arn, validation_record_fqdns=[record.fqdn], opts=options
        )
        arn: pulumi.Output[str] = valid.certificate_arn
        return arn

    def _make_zone(self) -> Text:
        config, name = self._deployment.config, self._deployment.naming
        if config.hosted_zone_id:
            return config.hosted_zone_id
        zone = aws.route53.Zone(
            name.of("zone"), name=config.domain, tags=name.tags("zone"), opts=self._deployment.keeping(self._options)
        )
        pulumi.export("name_servers", zone.name_servers)
        zone_id: pulumi.Output[str] = zone.zone_id
        return zone_id

    def _make_certificate(self) -> pulumi.Output[str]:
        return self.certificate_in("certificate")

    def _make_security_group(self, network: Network, cluster: Cluster) -> aws.ec2.SecurityGroup:
        config, name = self._deployment.config, self._deployment.naming
        group = aws.ec2.SecurityGroup(
            name.of("load-balancer"),
            description="HTTPS from visitors, to pods",
            vpc_id=network.vpc.id,
            tags=name.tags("load-balancer"),
            opts=self._options,
        )
        sources: list[tuple[str, dict[str, Text]]] = [
            (f"visitors-{number}", {"cidr_ipv4": str(each)})
            for number, each in enumerate(config.network.visitors, start=1)
        ]
        if config.cloudfront:
            prefixes = aws.ec2.get_managed_prefix_list_output(name="com.amazonaws.global.cloudfront.origin-facing")
            sources = [("cloudfront", {"prefix_list_id": prefixes.id})]
        for what, source in sources:
            # Port 80 only answers that there is HTTPS.
            for port in (443,) if config.cloudfront else (443, 80):
                aws.vpc.SecurityGroupIngressRule(
                    name.of(f"{what}-{port}"),
                    security_group_id=group.id,
                    description=f"Port {port} from {what}",
                    ip_protocol="tcp",
                    from_port=port,
                    to_port=port,
                    opts=self._options,
                    **source,
                )
        self._let_through_to_pods(group, cluster)
        return group

    def _let_through_to_pods(self, group: aws.ec2.SecurityGroup, cluster: Cluster) -> None:
        name = self._deployment.naming
        for each in PUBLISHED:
            ports = {"ip_protocol": "tcp", "from_port": each.port, "to_port": each.port, "opts": self._options}
            aws.vpc.SecurityGroupEgressRule(
                name.of(f"to-{each.name}"),
                security_group_id=group.id,
                description=f"To pods of {each.name}",
                referenced_security_group_id=cluster.security_group_id,
                **ports,
            )
            aws.vpc.SecurityGroupIngressRule(
                name.of(f"{each.name}-from-load-balancer"),
                security_group_id=cluster.security_group_id,
                description=f"{each.name}, from the load balancer",
                referenced_security_group_id=group.id,
                **ports,
            )
        if any(each.signs_in for each in PUBLISHED):
            aws.vpc.SecurityGroupEgressRule(
                name.of("to-issuer"),
                security_group_id=group.id,
                description="HTTPS to the issuer that signs people in",
                cidr_ipv4="0.0.0.0/0",
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                opts=self._options,
            )

    def _make_listeners(self) -> aws.lb.Listener:
        name = self._deployment.naming
        if not self._deployment.config.cloudfront:
            to_https = {"port": "443", "protocol": "HTTPS", "status_code": "HTTP_301"}
            aws.lb.Listener(
                name.of("http"),
                load_balancer_arn=self.balancer.arn,
                port=80,
                protocol="HTTP",
                default_actions=[{"type": "redirect", "redirect": to_https}],
                opts=self._options,
            )
        nothing = {"content_type": "text/plain", "message_body": "There is nothing here.", "status_code": "404"}
        return aws.lb.Listener(
            name.of("https"),
            load_balancer_arn=self.balancer.arn,
            port=443,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=self._certificate,
            default_actions=[{"type": "fixed-response", "fixed_response": nothing}],
            routing_http_response_server_enabled=False,
            routing_http_response_strict_transport_security_header_value="max-age=31536000",
            opts=self._options,
        )

    def _publish(self, program: Published, number: int, network: Network, who: Identity) -> aws.lb.TargetGroup:
        name = self._deployment.naming
        group = aws.lb.TargetGroup(
            name.of(program.name),
            name=name.of(program.name),
            vpc_id=network.vpc.id,
            target_type="ip",  # pods have addresses of the VPC
            port=program.port,
            protocol="HTTP",
            deregistration_delay=DRAIN_SECONDS,
            health_check={"path": program.health_path, "matcher": "200", "interval": 15, "unhealthy_threshold": 4},
            stickiness={"type": "lb_cookie", "enabled": program.keeps_to_one_pod},
            tags=name.tags(program.name),
            opts=self._options,
        )
        forward = {"type": "forward", "target_group_arn": group.arn}
        aws.lb.ListenerRule(
            name.of(program.name),
            listener_arn=self._listener.arn,
            priority=number,
            conditions=[{"host_header": {"values": [self._deployment.config.host(program.name)]}}],
            actions=[self._sign_in(who) | {"order": 1}, forward | {"order": 2}] if program.signs_in else [forward],
            opts=self._options,
        )
        return group

    def _sign_in(self, who: Identity) -> dict[str, object]:
        return {
            "type": "authenticate-oidc",
            "authenticate_oidc": {
                "issuer": who.issuer,
                "authorization_endpoint": who.endpoints.authorization,
                "token_endpoint": who.endpoints.token,
                "user_info_endpoint": who.endpoints.user_info,
                "client_id": who.web_client_id,
                "client_secret": who.web_client_secret,
                "scope": " ".join(SCOPES),
                "session_timeout": 12 * 3600,
                "on_unauthenticated_request": "authenticate",
            },
        }
