"""The embedded stack with its jobs on a cluster, and configs that its images have the packages of."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import SMALL, runner_image, scripted_image
from tests.e2e.person import OPENAI, Person

ROOT = Path(__file__).parents[2]
BIND = "TEST_BIND_ADDRESS"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
ENVIRONMENT = {"UV_FIND_LINKS": "/opt/hawk/wheels", "UV_NATIVE_TLS": "1", "SSL_CERT_FILE": CERTIFICATES}


def bind_address() -> str:
    """Return the address of this machine that pods reach, or skip the test."""
    address = os.environ.get(BIND)
    if not address:
        pytest.skip(f"{BIND} names no address of this machine that pods reach")
    return address


def config(
    *tasks: str, package: str = "hawk-example-tasks", name: str = "hawk_examples", **more: Any
) -> dict[str, Any]:
    items = [{"name": task} for task in tasks or ("arithmetic",)]
    return {
        "name": "pods",
        "tasks": [{"package": package, "name": name, "items": items}],
        "models": [OPENAI],
        "limit": 2,
        **more,
    }


def sandbox_values() -> dict[str, Any]:
    """Return chart values of small sandboxes whose resolver is one of the test's image."""
    small = {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}}
    return {
        "corednsImage": scripted_image(),
        "corednsCommand": ["python3", "/opt/hawk/runner/sandbox_resolver.py"],
        "corednsSecurityContext": {"runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": False},
        "services": {"*": {"imagePullPolicy": "IfNotPresent", "resources": small}},
    }


def launcher_settings(prefix: str) -> dict[str, str]:
    """Return Hawk's variables of jobs on the cluster, small ones, under a prefix."""
    settings = {name.upper(): str(value) for name, value in SMALL.items()} | {
        "LAUNCHER": "kubernetes",
        "NAMESPACE_PREFIX": prefix,
        "RUNNER_IMAGE": runner_image(),
        "RUNNER_MEMORY_LIMIT": "2Gi",
        "RUNNER_DEFAULT_ENVIRONMENT": json.dumps(ENVIRONMENT),
        "SANDBOX_VALUES": json.dumps(sandbox_values()),
        "STOP_GRACE_SECONDS": "30",
    }
    return {f"HAWK_{name}": value for name, value in settings.items()}


@contextmanager
def stack(folder: Path, settings: Mapping[str, str], *parts: str) -> Iterator[Person]:
    """Run the stack, or some parts of it, bound to where pods reach it; yield somebody who is signed in there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HAWK_")}
    environment |= {**settings, "HAWK_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    (folder / "configs").mkdir()
    somebody = Person(environment, folder=folder / "configs")
    named = [argument for part in parts for argument in ("--part", part)]
    try:
        somebody.hawk("dev", "up", "--bind", bind_address(), *named)
        somebody.hawk("login", "--device")
        yield somebody
    finally:
        subprocess.run([sys.executable, "-m", "hawk.cli.main", "dev", "down"], env=environment, check=True)
