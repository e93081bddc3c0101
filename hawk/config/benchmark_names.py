"""Benchmarks that a config runs: the task packages, by every name that groups may be attached to."""

from typing import Any

from packaging.utils import canonicalize_name

from hawk.config.eval_set import EvalSetConfig
from hawk.config.installation import required_packages
from hawk.config.package import PackageConfig
from hawk.config.requirement import INSPECT_AI, package_names


def benchmark_names(config: EvalSetConfig) -> tuple[str, ...]:
    """Return the names, canonical as of distributions and sorted, of all that the config installs or uses.

    A task of a package that is only installed (`packages`) can be named `package/task` among the built-in ones, so
    such prefixes count as well.
    """
    names = {name for spec in required_packages(config) for name in package_names(spec)}
    packages: list[PackageConfig[Any]] = [*config.tasks, *(config.solvers or ()), *(config.agents or ())]
    for package in packages:
        prefixes = (item.name.partition("/")[0] for item in package.items if "/" in item.name)
        names.update(map(benchmark_name, prefixes if package.is_builtin else [package.name or ""]))
    return tuple(sorted(names - {"", INSPECT_AI}))


def benchmark_name(name: str) -> str:
    """Return the name as it is compared: `Inspect_Evals` and `inspect-evals` are one."""
    return str(canonicalize_name(name))
