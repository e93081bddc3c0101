"""CloudFront before the load balancer: nearer to people, and the load balancer takes nobody who did not come by it."""

import pulumi
import pulumi_aws as aws

from infra.core.load_balancer import PUBLISHED, LoadBalancer
from infra.lib.deployment import Deployment

# AWS's own policies, the same in every account: nothing is cached, everything of a request goes on.
NO_CACHE = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_OF_THE_REQUEST = "216adef6-5c7f-47e4-b989-5492eafa07d3"
_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
# Where CloudFront looks for certificates.
_CERTIFICATES_REGION = "us-east-1"


class Distribution(pulumi.ComponentResource):
    """One distribution for all hosts; the load balancer tells them apart."""

    def __init__(self, deployment: Deployment, load_balancer: LoadBalancer) -> None:
        super().__init__("hawk:core:Distribution", deployment.naming.of("distribution"), opts=deployment.inside)
        options = pulumi.ResourceOptions(parent=self)
        name, config = deployment.naming, deployment.config
        there = aws.Provider(
            name.of("certificates"),
            region=_CERTIFICATES_REGION,
            default_tags={"tags": dict(name.default_tags)},
            opts=options,
        )
        origin = "load-balancer"
        behavior = {
            "target_origin_id": origin,
            "viewer_protocol_policy": "redirect-to-https",
            "allowed_methods": _METHODS,
            "cached_methods": ["GET", "HEAD"],
            "cache_policy_id": NO_CACHE,
            "origin_request_policy_id": ALL_OF_THE_REQUEST,
            "compress": True,
        }
        self.distribution = aws.cloudfront.Distribution(
            name.of("public"),
            enabled=True,
            comment=f"Hawk {config.name}",
            aliases=[config.host(each.name) for each in PUBLISHED],
            http_version="http2and3",
            is_ipv6_enabled=True,
            origins=[
                {
                    "origin_id": origin,
                    "domain_name": load_balancer.balancer.dns_name,
                    "custom_origin_config": {
                        "http_port": 80,
                        "https_port": 443,
                        "origin_protocol_policy": "https-only",
                        "origin_ssl_protocols": ["TLSv1.2"],
                        "origin_read_timeout": 60,
                        "origin_keepalive_timeout": 60,
                    },
                }
            ],
            default_cache_behavior=behavior,
            restrictions={"geo_restriction": {"restriction_type": "none"}},
            viewer_certificate={
                "acm_certificate_arn": load_balancer.certificate_in("distribution-certificate", there),
                "ssl_support_method": "sni-only",
                "minimum_protocol_version": "TLSv1.2_2021",
            },
            tags=name.tags("public"),
            opts=options,
        )
        for each in PUBLISHED:
            load_balancer.name_host(each.name, self.distribution.domain_name, self.distribution.hosted_zone_id)
        self.register_outputs({"domain_name": self.distribution.domain_name})
