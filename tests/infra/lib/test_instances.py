"""What is left of a node, against figures of real nodes."""

import pytest

from hawk.errors import UserError
from infra.lib.instances import allocatable, instance


@pytest.mark.parametrize(
    ("name", "pods", "cpu_millis", "memory_mib"),
    [
        # 2 CPUs: 6 % and 1 % are kept. 8192 MiB less 7.5 %, less 255 + 11 x 29, less 100.
        ("m7i-flex.large", 29, 1930, 6903),
        # 4 CPUs: two times 0.5 % more.
        ("m7i.xlarge", 58, 3920, 14162),
        ("m7i.xlarge", 110, 3920, 13590),
    ],
)
def test_system_keeps_what_the_images_of_eks_keep(name: str, pods: int, cpu_millis: int, memory_mib: int):
    rest = allocatable(instance(name), most_pods=pods)

    assert (rest.cpu_millis, rest.memory_mib, rest.pods) == (cpu_millis, memory_mib, pods)


@pytest.mark.parametrize(("name", "pods"), [("m7i-flex.large", 29), ("m7i.xlarge", 58), ("m7i.4xlarge", 234)])
def test_pods_are_as_many_as_interfaces_have_addresses(name: str, pods: int):
    assert instance(name).pods_without_prefixes == pods


def test_type_that_nobody_measured_is_refused():
    with pytest.raises(UserError, match=r"x1\.huge"):
        instance("x1.huge")
