"""Whom a runner reaches and whom not: its policies, worked out over the places there are."""

from collections.abc import Callable
from typing import Any

import pytest

from hawk.job_manifest.identity import JobIdentity, Manifest
from hawk.job_manifest.network import Address, Surroundings, network_policies
from hawk.naming import APP_NAME, COMPONENT_LABEL, JOB_ID_LABEL, NAME_LABEL, SANDBOX_COMPONENT
from hawk.settings import KubernetesSettings
from tests.job_manifest.policy_evaluation import Destination, reaches

PLATFORM = "hawk"
S3 = Address("10.20.0.9", 9000)
POSTGRES_PORT = 5432


def platform_pod(component: str, port: int, *, namespace: str = PLATFORM) -> Destination:
    labels = {NAME_LABEL: APP_NAME, COMPONENT_LABEL: component}
    return Destination(port, namespace=namespace, labels=labels, address="10.244.0.7")


def sandbox(job_id: str, namespace: str) -> Destination:
    labels = {JOB_ID_LABEL: job_id, COMPONENT_LABEL: SANDBOX_COMPONENT}
    return Destination(8000, namespace=namespace, namespace_labels=labels, address="10.244.0.8")


DNS = Destination(53, "UDP", namespace="kube-system", labels={"k8s-app": "kube-dns"}, address="10.244.0.2")
NEEDED = {
    "DNS": DNS,
    "proxy": platform_pod("proxy", 8081),
    "API": platform_pod("api", 8080),
    "S3": Destination(S3.port, address=S3.host),
    "own sandbox": sandbox("gpqa-0123456789abcdef", "inspect-gpqa-0123456789abcdef-s"),
}
FORBIDDEN = {
    "Postgres in the platform's namespace": platform_pod("postgres", POSTGRES_PORT),
    "Postgres's port on the proxy's pod": platform_pod("proxy", POSTGRES_PORT),
    "Postgres in the VPC": Destination(POSTGRES_PORT, address="10.20.0.5"),
    "Postgres where S3 is": Destination(POSTGRES_PORT, address=S3.host),
    "Dagster's webserver": platform_pod("dagster-web", 3000),
    "Dagster's code server": platform_pod("dagster-code", 4000),
    "a pod that only calls itself the proxy": platform_pod("proxy", 8081, namespace="somebody"),
    "sandbox of another set": sandbox("other-0123456789abcdef", "inspect-other-0123456789abcdef-s"),
    "runner of another set": Destination(8000, namespace="inspect-other", address="10.244.0.9"),
    "metadata": Destination(80, address="169.254.169.254"),
    "metadata over IPv6": Destination(80, address="fd00:ec2::254"),
    "ECS credentials": Destination(80, address="169.254.170.2"),
    "pod identity agent": Destination(80, address="169.254.170.23"),
    "kubelet of a node": Destination(10250, address="10.20.0.11", entity="remote-node"),
    "a machine in the VPC": Destination(22, address="10.20.0.30"),
    "DNS over another port": Destination(54, "UDP", namespace="kube-system", labels={"k8s-app": "kube-dns"}),
}


@pytest.fixture(params=["Cilium", "standard policies alone"])
def policies(
    request: pytest.FixtureRequest, make_job: Callable[..., JobIdentity], settings: KubernetesSettings
) -> Callable[..., list[Manifest]]:
    """Return a function that composes the policies of a runner with the settings that it is given."""
    has_cilium = request.param == "Cilium"

    def make(**changes: Any) -> list[Manifest]:
        around = Surroundings(
            services=(S3,), api_servers=(Address("10.0.0.1", 6443),), database_ports=(POSTGRES_PORT,),
            has_cilium=has_cilium,
        )  # fmt: skip
        given = settings.model_copy(update={"platform_namespace": PLATFORM, **changes})
        return [item for item in network_policies(make_job(), given, around) if item["metadata"]["name"] == "runner"]

    return make


@pytest.mark.parametrize("egress", ["world", "listed"])
@pytest.mark.parametrize("name", NEEDED)
def test_runner_reaches_what_it_needs(policies: Callable[..., list[Manifest]], egress: str, name: str) -> None:
    assert reaches(policies(runner_egress=egress), NEEDED[name])


@pytest.mark.parametrize("egress", ["world", "listed"])
@pytest.mark.parametrize("name", FORBIDDEN)
def test_runner_reaches_nothing_else_within(policies: Callable[..., list[Manifest]], egress: str, name: str) -> None:
    assert not reaches(policies(runner_egress=egress), FORBIDDEN[name])


def test_api_server_is_reached(policies: Callable[..., list[Manifest]]) -> None:
    made = policies()
    as_entity = Destination(6443, entity="kube-apiserver", address="10.0.0.1")
    as_address = Destination(6443, address="10.0.0.1")

    assert reaches(made, as_entity if len(made) > 1 else as_address)


def test_world_is_public_addresses_and_listed_is_domains(policies: Callable[..., list[Manifest]]) -> None:
    index = Destination(443, address="151.101.0.223", domain="pypi.org")
    stranger = Destination(443, address="151.101.0.224", domain="example.com")

    assert reaches(policies(runner_egress="world"), stranger)
    listed = policies(runner_egress="listed")
    assert not reaches(listed, stranger)
    assert reaches(listed, index) is (len(listed) > 1)  # standard policies know no domains, so they stay closed


def test_postgres_is_denied_by_cilium_in_a_network_that_a_setting_opens(
    policies: Callable[..., list[Manifest]],
) -> None:
    made = policies(runner_allowed_networks=("10.20.0.0/16",))

    assert reaches(made, Destination(443, address="10.20.0.77"))
    assert reaches(made, Destination(POSTGRES_PORT, address="10.20.0.5")) is (len(made) == 1)


def test_pod_identity_agent_is_reached_where_that_setting_is_on_and_no_other_metadata(
    policies: Callable[..., list[Manifest]],
) -> None:
    made = policies(runner_pod_identity=True)

    assert reaches(made, FORBIDDEN["pod identity agent"])
    assert not reaches(made, FORBIDDEN["metadata"])
    assert not reaches(made, FORBIDDEN["ECS credentials"])


def test_evaluation_itself_tells_open_from_closed() -> None:
    everything = {"kind": "CiliumNetworkPolicy", "spec": {"egress": [{"toCIDR": ["0.0.0.0/0"]}]}}

    assert reaches([everything], FORBIDDEN["Postgres in the VPC"])
    with pytest.raises(AssertionError, match="toServices"):
        reaches([{"kind": "CiliumNetworkPolicy", "spec": {"egress": [{"toServices": []}]}}], DNS)
