"""Pulumi starts the program in its own folder, where packages of the repository are shadowed by ours of other kinds."""

import subprocess
import sys
from pathlib import Path

import yaml

from infra.lib.config_file import PROJECT

INFRA = Path(__file__).parents[2] / "infra"
AS_PULUMI_DOES = "import runpy, sys; sys.path.insert(0, '.'); runpy.run_path('.', run_name='__main__')"


def test_program_starts_in_its_folder_and_tells_what_the_stack_lacks():
    done = subprocess.run(
        [sys.executable, "-c", AS_PULUMI_DOES], cwd=INFRA, capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-4:]
    assert "RunError: The configuration of the stack cannot be used:" in last[0]
    assert "hawk:domain: Field required." in last[1]


def test_project_has_the_name_by_which_its_keys_are_read():
    project = yaml.safe_load((INFRA / "Pulumi.yaml").read_text())

    assert project["name"] == PROJECT
    assert project["runtime"]["name"] == "python"
