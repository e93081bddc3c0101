import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from hawk.errors import UserError
from hawk.naming import CODE_LOCATION
from orchestration.definitions import definitions
from orchestration.resources import launcher_of, orchestration_settings
from tests.fakes.orchestrator import Orchestrator
from tests.orchestration.describe_definitions import describe

REPOSITORY = Path(__file__).parents[2]
SNAPSHOT = Path(__file__).with_name("definitions.snapshot.txt")


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return definitions().get_repository_def()


def test_code_location_holds_what_the_snapshot_says():
    # After a change that is meant: python tests/orchestration/describe_definitions.py > the snapshot
    assert describe() == SNAPSHOT.read_text()


def test_every_asset_explains_itself(repository: dg.RepositoryDefinition):
    nodes = [repository.asset_graph.get(key) for key in repository.asset_graph.get_all_asset_keys()]

    poor = [node.key for node in nodes if not (node.description and node.owners and node.group_name and node.kinds)]
    assert poor == []


def test_every_job_and_sensor_explains_itself(repository: dg.RepositoryDefinition):
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]

    assert [thing.name for thing in [*jobs, *repository.sensor_defs] if not thing.description] == []


def test_definitions_load_where_nothing_is_set_and_nothing_runs(tmp_path: Path):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    code = "from orchestration.definitions import definitions; definitions().get_repository_def(); print('loaded')"

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=tmp_path)

    assert done.stdout.strip() == "loaded", done.stderr


def test_missing_settings_are_named():
    with pytest.raises(Exception, match="HAWK_DATABASE_URL") as raised:
        orchestration_settings()

    assert "hawk dev up" in str(raised.value)


def test_kubernetes_launcher_without_a_cluster_says_so(
    hawk: Orchestrator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))

    with pytest.raises(UserError, match="no cluster"):
        launcher_of(hawk.settings.model_copy(update={"launcher": "kubernetes", "kubernetes_context": "elsewhere"}))


def test_local_launcher_keeps_jobs_under_hawk_home(hawk: Orchestrator):
    assert launcher_of(hawk.settings).list_jobs() == []


def test_workspace_names_one_code_location_that_exists():
    workspace = yaml.safe_load((REPOSITORY / "workspace.yaml").read_text())

    [location] = workspace["load_from"]
    assert location["python_module"] == {
        "module_name": "orchestration.definitions",
        "working_directory": ".",
        "location_name": CODE_LOCATION,
    }


def test_composing_root_stays_small():
    assert len((REPOSITORY / "orchestration" / "definitions.py").read_text().splitlines()) < 60
