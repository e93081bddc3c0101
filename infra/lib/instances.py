"""What is left for pods on a node of an EC2 type, after what the system keeps."""

from dataclasses import dataclass

from hawk.errors import UserError

# Of a node's nominal memory, what its firmware and kernel take: Karpenter's own default estimate.
FRACTION_TAKEN_BY_MACHINE = 0.075
# `kubeReserved` and the eviction threshold of EKS's images: github.com/awslabs/amazon-eks-ami, nodeadm.
RESERVED_MIB = 255
RESERVED_MIB_A_POD = 11
EVICTION_MIB = 100
# Share of each CPU that is reserved: of the first, the second, the next two, and all after them.
_RESERVED_OF_CPU = (0.06, 0.01, 0.005, 0.005)
_RESERVED_OF_LATER_CPUS = 0.0025
# With prefixes of addresses a node holds as many pods as Kubernetes recommends.
PODS_WITH_PREFIXES = 110


@dataclass(frozen=True)
class InstanceType:
    """An EC2 type, as its maker describes it."""

    name: str
    cpus: int
    memory_mib: int
    interfaces: int
    addresses_each: int

    @property
    def pods_without_prefixes(self) -> int:
        """Return the most pods whose addresses are of the interfaces, as EKS's images compute it."""
        return self.interfaces * (self.addresses_each - 1) + 2


@dataclass(frozen=True)
class Allocatable:
    """What the scheduler may give to pods."""

    cpu_millis: int
    memory_mib: int
    pods: int


# Of EC2's DescribeInstanceTypes; only types that the program names or that a node pool may well choose.
_TYPES = (
    InstanceType("m7i-flex.large", 2, 8 * 1024, 3, 10),
    InstanceType("m7i-flex.xlarge", 4, 16 * 1024, 4, 15),
    InstanceType("m7i.large", 2, 8 * 1024, 3, 10),
    InstanceType("m7i.xlarge", 4, 16 * 1024, 4, 15),
    InstanceType("m7i.2xlarge", 8, 32 * 1024, 4, 15),
    InstanceType("m7i.4xlarge", 16, 64 * 1024, 8, 30),
    InstanceType("r7i.xlarge", 4, 32 * 1024, 4, 15),
    InstanceType("r7i.2xlarge", 8, 64 * 1024, 4, 15),
)


def instance(name: str) -> InstanceType:
    """Return a type by its name. Raises UserError for one that is not in the table."""
    for each in _TYPES:
        if each.name == name:
            return each
    known = ", ".join(each.name for each in _TYPES)
    raise UserError(f"The size of {name!r} is not known.", hint=f"Known are {known}; add it to infra/lib/instances.py.")


def allocatable(kind: InstanceType, *, most_pods: int) -> Allocatable:
    """Return what pods get on such a node, daemons' pods included."""
    reserved = [
        _RESERVED_OF_CPU[index] if index < len(_RESERVED_OF_CPU) else _RESERVED_OF_LATER_CPUS
        for index in range(kind.cpus)
    ]
    memory = kind.memory_mib * (1 - FRACTION_TAKEN_BY_MACHINE)
    memory -= RESERVED_MIB + RESERVED_MIB_A_POD * most_pods + EVICTION_MIB
    return Allocatable(int(kind.cpus * 1000 - 1000 * sum(reserved)), int(memory), most_pods)
