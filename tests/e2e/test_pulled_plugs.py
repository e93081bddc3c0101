"""What is killed midway through an eval changes nothing of the result."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.person import Person

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "simple.eval-set.yaml"


@pytest.fixture(scope="module")
def undisturbed(person: Person, demo_set: str) -> list[dict[str, Any]]:
    """Return the demo's samples in the marts."""
    return person.samples(demo_set)


def slow_example() -> dict[str, Any]:
    """Return the example's config, so slowed down that there is time to pull a plug."""
    config = yaml.safe_load(EXAMPLE.read_text())
    for group in config["tasks"]:
        group["package"] = str(EXAMPLE.parent / group["package"])
    for group in config["models"]:
        for item in group["items"]:
            item["args"] = {"config": {"max_connections": 1}}
    return config | {"max_samples": 1}


def completed_samples(status: dict[str, Any]) -> int:
    return sum(task["completed_samples"] for task in status["tasks"])


@pytest.mark.parametrize(
    "pull",
    [
        pytest.param(lambda person, _: person.kill_parts("postgres"), id="postgres"),
        pytest.param(lambda person, _: person.kill_parts("object-store"), id="object-store"),
        pytest.param(
            lambda person, _: person.kill_parts("dagster-code", "dagster-web", "dagster", "dagster-daemon"),
            id="dagster",
        ),
        pytest.param(lambda person, eval_set_id: person.kill_runner(eval_set_id), id="runner"),
        pytest.param(lambda person, _: (person.kill_supervisor(), person.hawk("dev", "up")), id="supervisor"),
        pytest.param(lambda person, _: (person.hawk("dev", "down"), person.hawk("dev", "up")), id="stopped stack"),
    ],
)
def test_killed_midway_the_result_is_the_same(
    person: Person, undisturbed: list[dict[str, Any]], pull: Callable[[Person, str], None]
):
    eval_set_id = person.submit(slow_example())
    running = person.await_status(eval_set_id, lambda status: completed_samples(status) >= 1)
    assert completed_samples(running) < 50, "too late to pull a plug"

    pull(person, eval_set_id)

    status = person.await_end(eval_set_id, seconds=300)
    assert (status["status"], status["status_reason"]) == ("complete", "")
    assert person.samples(eval_set_id) == undisturbed
    assert person.processes_of(eval_set_id) == []
    person.await_stack()
