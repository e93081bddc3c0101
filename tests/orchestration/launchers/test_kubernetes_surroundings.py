"""Where S3, proxy and API are, as policies are told."""

import pytest

from hawk.job_manifest.network import Address
from hawk.settings import OrchestrationSettings
from orchestration.launchers.kubernetes_surroundings import database_ports, service_addresses


def settings(**changes: object) -> OrchestrationSettings:
    given = {"database_url": "postgresql://db/hawk", "secret_key": "key", "proxy_url": "https://proxy.example.org"}
    return OrchestrationSettings(**given | changes)


@pytest.mark.parametrize(
    ("url", "ports"),
    [
        ("postgresql://hawk:secret@db.example.org/hawk", (5432,)),
        ("postgresql://hawk:secret@10.0.0.5:6432/hawk", (6432,)),
        ("postgresql://hawk:secret@one:6432,two:6433,three/hawk", (6432, 6433, 5432)),
    ],
)
def test_postgres_is_known_by_its_ports(url: str, ports: tuple[int, ...]) -> None:
    assert database_ports(settings(database_url=url)) == ports


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
