"""What a tier costs a month before anything runs on it: `python -m infra.lib.costs` prints the table of docs/deploy.md.

On-demand prices in us-east-1, in USD. Those of EKS, NAT gateways, interface endpoints, public addresses and Aurora's
capacity are as published in April 2026 (computingforgeeks.com/aws-costs-explained, which names AWS's own pages);
those of instances, disks, load balancer and the rest are AWS's list of 2025, not read again since.
"""

from dataclasses import dataclass

from infra.lib.sizes import Tier

HOURS = 730
CLUSTER_HOUR = 0.10
NAT_HOUR = 0.045
ADDRESS_HOUR = 0.005
ENDPOINT_HOUR = 0.01
BALANCER_HOUR = 0.0225
CAPACITY_HOUR = 0.12
INSTANCE_HOUR = {"m7i-flex.large": 0.09576, "m7i.xlarge": 0.2016}
DISK_GIB = 0.08
KEY = 1.00
SECRET = 0.40
ZONE = 0.50
INTERFACE_ENDPOINTS = 8
_NODE_DISK_GIB, _LEDGER_GIB, _KEYS, _SECRETS = 60, 20, 2, 3


@dataclass(frozen=True)
class Cost:
    what: str
    usd: float


def monthly(sizes: Tier) -> list[Cost]:
    """Return what is paid whether or not anything runs; traffic, storage and runners' nodes come on top."""
    nats = sizes.zones if sizes.nat == "each-zone" else 1
    addresses = nats + sizes.zones  # the load balancer has one in each zone
    endpoints = INTERFACE_ENDPOINTS * sizes.zones if sizes.interface_endpoints else 0
    nodes = sizes.system_nodes
    disks = nodes * _NODE_DISK_GIB + sizes.programs["proxy"].replicas * _LEDGER_GIB
    minimum = sizes.database_minimum * sizes.database_instances
    return [
        Cost("EKS control plane", CLUSTER_HOUR * HOURS),
        Cost(f"{nodes} nodes {sizes.system_instance}", nodes * INSTANCE_HOUR[sizes.system_instance] * HOURS),
        Cost(f"Aurora at its least, {minimum:g} units", minimum * CAPACITY_HOUR * HOURS),
        Cost(f"{nats} NAT gateway{'s' if nats > 1 else ''}", nats * NAT_HOUR * HOURS),
        Cost(f"{endpoints} interface endpoints", endpoints * ENDPOINT_HOUR * HOURS),
        Cost("Load balancer", BALANCER_HOUR * HOURS),
        Cost(f"{addresses} public addresses", addresses * ADDRESS_HOUR * HOURS),
        Cost(f"{disks} GiB of disks", disks * DISK_GIB),
        Cost("Keys, secrets, DNS zone", _KEYS * KEY + _SECRETS * SECRET + ZONE),
    ]


def table(tiers: dict[str, Tier]) -> str:
    """Return the tiers side by side, as Markdown."""
    columns = {name: monthly(sizes) for name, sizes in tiers.items()}
    lines = [f"| {' | '.join(f'{name} | USD' for name in columns)} |", "|" + "---|---:|" * len(columns)]
    for row in zip(*columns.values(), strict=True):
        lines.append(f"| {' | '.join(f'{cost.what} | {cost.usd:.0f}' for cost in row)} |")
    sums = [f"**a month** | **{sum(cost.usd for cost in costs):.0f}**" for costs in columns.values()]
    return "\n".join([*lines, f"| {' | '.join(sums)} |"])


if __name__ == "__main__":
    import sys

    from infra.lib.sizes import TIERS

    sys.stdout.write(table(TIERS) + "\n")
