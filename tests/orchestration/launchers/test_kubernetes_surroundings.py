"""Where S3, proxy and API are, as policies are told."""

from hawk.job_manifest.network import Address
from hawk.settings import OrchestrationSettings
from orchestration.launchers.kubernetes_surroundings import service_addresses


def settings(**changes: object) -> OrchestrationSettings:
    given = {"database_url": "postgresql://db/hawk", "secret_key": "key", "proxy_url": "https://proxy.example.org"}
    return OrchestrationSettings(**given | changes)


def test_aws_is_reached_by_its_names() -> None:
    hosts = [address.host for address in service_addresses(settings(s3_region="eu-west-1", bucket="logs"))]

    assert hosts == [
        "s3.eu-west-1.amazonaws.com",
        "sts.eu-west-1.amazonaws.com",
        "secretsmanager.eu-west-1.amazonaws.com",
        "logs.s3.eu-west-1.amazonaws.com",
        "proxy.example.org",
    ]


def test_another_s3_is_reached_where_it_is() -> None:
    found = list(service_addresses(settings(s3_endpoint_url="http://10.0.0.7:9000", api_url="http://api.example.org")))

    assert found == [
        Address("10.0.0.7", 9000),
        Address("proxy.example.org", 443),
        Address("api.example.org", 80),
    ]
    assert [address.network for address in found] == ["10.0.0.7/32", None, None]
