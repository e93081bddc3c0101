"""What a person gets who gives something that cannot work: words, an exit code, and nothing left behind."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.person import Person, config_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def broken_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a package whose build fails."""
    folder = tmp_path_factory.mktemp("broken_package")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools>=77"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "broken"\ndynamic = ["version"]\n'
        '[tool.setuptools.dynamic]\nversion = {attr = "there_is_no_such_module.VERSION"}\n'
    )
    return folder


@pytest.mark.parametrize(
    ("config", "words"),
    [
        pytest.param(
            "tasks:\n  - package: openai\n    name: x\n    items: many\n",
            ("config.yaml:4:12", "items"),
            id="wrong type",
        ),
        pytest.param(config_of(eval_set_id="My_Set"), ("config.yaml:", "My_Set", "a-z"), id="malformed id"),
        pytest.param(config_of(eval_set_id="../../etc/passwd"), ("config.yaml:", "'/'"), id="path as id"),
        pytest.param(config_of(name="../../etc/passwd"), ("config.yaml:1:7", "not a path"), id="path as name"),
    ],
)
def test_config_that_cannot_be_used_is_refused_before_anything_is_sent(
    person: Person, config: dict[str, Any] | str, words: tuple[str, ...]
):
    before = person.query("select count(*) from ops.eval_set")

    done = person.try_hawk("eval-set", "run", str(person.config_file(config)), "-y")

    assert done.returncode == 2, done.stderr
    assert [word for word in words if word not in done.stderr] == []
    assert person.query("select count(*) from ops.eval_set") == before


def test_unknown_id_is_no_traceback(person: Person):
    done = person.try_hawk("status", "no-such-set")

    assert done.returncode == 4
    assert "no-such-set" in done.stderr and "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def ended(person: Person, broken_package: Path, unanswered_set: str) -> dict[str, dict[str, Any]]:
    """Submit every config that is right in form and cannot work, all at once, and return how each ended."""
    configs = {
        "missing package": config_of(package="hawk-there-is-no-such-package==1.0"),
        "package that does not build": config_of(package=str(broken_package)),
        "task that raises on load": config_of(task="raises"),
        "task that is not there": config_of(task="nothing"),
    }
    ids = {name: person.submit(config) for name, config in configs.items()}
    return {name: person.await_end(eval_set_id, seconds=300) for name, eval_set_id in ids.items()}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing package", ("hawk-there-is-no-such-package",)),
        ("package that does not build", ("there_is_no_such_module",)),
        ("task that raises on load", ("raises", "the dataset is not what it was")),
        ("task that is not there", ("nothing",)),
    ],
)
def test_set_that_can_never_work_fails_at_once_and_says_why(
    person: Person, ended: dict[str, dict[str, Any]], name: str, words: tuple[str, ...]
):
    status = ended[name]

    said = " ".join([status["status_reason"], *(attempt["message"] for attempt in status["attempts"])])
    assert status["status"] == "failed"
    assert [attempt["exit_code"] for attempt in status["attempts"]] == [78]
    assert [word for word in words if word not in said] == []
    assert person.leftovers_of(status["eval_set_id"]) == []
    assert dagster_shows(person, status["eval_set_id"], status["status_reason"])


def test_people_see_only_what_their_groups_allow(person: Person, ended: dict[str, dict[str, Any]], tmp_path: Path):
    eval_set_id = ended["missing package"]["eval_set_id"]
    outsider = Person({**person.environment, "HAWK_CONFIG_HOME": str(tmp_path)}, folder=tmp_path)
    outsider.hawk("login", "--device", "--login-hint", "outsider")

    seen = outsider.try_hawk("status", eval_set_id)
    launched = outsider.try_hawk("eval-set", "run", str(outsider.config_file(config_of())), "-y")

    assert seen.returncode == 4
    assert launched.returncode == 3 and "model-access-public" in launched.stderr
    assert json.loads(outsider.hawk("list", "eval-sets", "--json"))["eval_sets"] == []


def dagster_shows(person: Person, eval_set_id: str, reason: str) -> bool:
    """Say whether Dagster's asset of the set's logs tells the reason."""
    import httpx

    from hawk.dev.stack import stack_environment

    query = """query($key: String!) { assetNodeOrError(assetKey: {path: ["eval_logs"]}) { ... on AssetNode {
        assetMaterializations(partitions: [$key], limit: 1) {
            metadataEntries { ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr } } } } } }"""
    url = f"{stack_environment(person.paths)['HAWK_DAGSTER_WEBSERVER_URL']}/graphql"
    answer = httpx.post(url, json={"query": query, "variables": {"key": eval_set_id}}, timeout=30).json()
    return reason.splitlines()[0][:40] in json.dumps(answer, ensure_ascii=False)
