"""The page on deploying is true where it can be known here: costs, keys, files, commands."""

import re
from pathlib import Path

import pytest
import yaml

from hawk.cli.main import COMMANDS
from infra.core.network import INTERFACE_ENDPOINTS
from infra.core.registry import IMAGES
from infra.lib import costs
from infra.lib.config import DeploymentConfig
from infra.lib.sizes import TIERS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text()


def test_costs_are_those_of_the_sizes():
    assert costs.table(TIERS) in PAGE, "put the output of `python -m infra.lib.costs` into docs/deploy.md"
    assert len(INTERFACE_ENDPOINTS) == costs.INTERFACE_ENDPOINTS


def test_keys_that_it_names_exist():
    named = set(re.findall(r"`(\w+)\.(\w+)`|hawk:(\w+)\.(\w+)", PAGE))
    pairs = {(first or third, second or fourth) for first, second, third, fourth in named}
    sections = {name: field.annotation for name, field in DeploymentConfig.model_fields.items()}

    keys = {(section, key) for section, key in pairs if section in sections}
    assert len(keys) >= 10
    missing = [f"{section}.{key}" for section, key in keys if key not in getattr(sections[section], "model_fields", {})]
    assert missing == []


def test_images_that_it_builds_are_those_that_are_run():
    [listed] = re.findall(r"for image in (.*); do", PAGE)
    built = dict(entry.split(":") for entry in listed.split())

    assert set(built.values()) == set(IMAGES)
    assert [folder for folder in built if not (ROOT / folder / "Dockerfile").exists()] == []


def test_commands_that_it_names_exist():
    named = set(re.findall(r"(?m)(?:^|`)hawk (\w[\w-]*)", PAGE))

    assert named and named <= set(COMMANDS)


@pytest.mark.parametrize("folder", ["hawk/api", "hawk/dev", "proxy", "viewer"])
def test_dockerfile_is_pinned_unprivileged_and_copies_what_there_is(folder: str):
    text = (ROOT / folder / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    sources = [
        source for line in lines if line.startswith("COPY ") and "--from" not in line for source in line.split()[1:-1]
    ]

    assert lines[0].startswith("ARG BASE=") and ":latest" not in text
    assert all(line.split()[1] == "${BASE}" for line in lines if line.startswith("FROM"))
    assert [line for line in lines if line.startswith("USER")] == ["USER 65532:65532"]
    assert "--constraint /tmp/constraints.txt" in text
    assert [source for source in sources if not (ROOT / source).exists()] == []
    extras = set(re.findall(r"--extra (\w+)", text))
    project = (ROOT / "pyproject.toml").read_text()
    assert extras and all(re.search(rf"(?m)^{extra} = \[", project) for extra in extras)


def test_compose_file_builds_what_there_is_and_gives_no_rights():
    [service] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()

    assert (ROOT / service["build"]["dockerfile"]).exists()
    assert service["cap_drop"] == ["ALL"] and not service.get("privileged")
