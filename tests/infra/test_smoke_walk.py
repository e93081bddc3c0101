"""The walk tells how each step went, goes on to clean up after a failure, and leaves nothing of itself."""

import io
import json
from typing import Any

import httpx
import pytest

from infra.smoke import steps
from infra.smoke.instance import Failed, Instance
from infra.smoke.steps import STEPS, smoke_config
from infra.smoke.walk import Step, Walk, take_steps


class FakeInstance(Instance):
    """An instance whose API and command answer what a test says."""

    def __init__(self, offers: list[str], said: dict[str, Any] | None = None) -> None:
        super().__init__("http://127.0.0.1:9")
        self.said = said or {}
        self.asked: list[str] = []
        self.__dict__["offers"] = frozenset(offers)

    def hawk(self, *arguments: str, timeout_seconds: float = 120) -> str:
        self.asked.append(arguments[0])
        answer = self.said.get(arguments[0], "")
        return answer if isinstance(answer, str) else json.dumps(answer)

    def get(self, path: str, *, signed: bool = True, **query: str | int) -> Any:
        self.asked.append(path)
        return self.said[path]


def fails(walk: Walk) -> str:
    raise Failed("it is on fire")


def works(walk: Walk) -> str:
    return "as it should"


def test_each_step_is_told_with_where_to_look_and_after_a_failure_only_cleaning_goes_on():
    taken: list[str] = []
    all_steps = (
        Step("first", works, "nowhere"),
        Step("second", fails, "the fire brigade"),
        Step("third", lambda walk: taken.append("third") or "never", "nowhere"),
        Step("last", lambda walk: taken.append("last") or "gone", "nowhere", cleans_up=True),
    )
    out = io.StringIO()

    with FakeInstance([]) as instance:
        told = take_steps(all_steps, Walk(instance), out)

    assert [each.outcome for each in told] == ["ok", "failed", "skipped", "ok"]
    assert taken == ["last"]
    assert "FAIL second" in out.getvalue() and "it is on fire" in out.getvalue()
    assert "Look at: the fire brigade" in out.getvalue()


def test_what_an_instance_lacks_is_told_and_no_failure():
    out = io.StringIO()
    with FakeInstance(["GET /samples"]) as instance:
        told = take_steps((Step("scan", fails, "", needs="^POST /scans"), Step("more", works, "")), Walk(instance), out)

    assert [each.outcome for each in told] == ["not offered by this instance", "ok"]
    assert "not offered by this instance" in out.getvalue()


def test_what_an_instance_has_and_the_walk_does_not_know_is_a_failure():
    [scan] = [each for each in STEPS if each.name == "scan it"]
    with FakeInstance(["POST /scans"]) as instance:
        told = take_steps((scan,), Walk(instance), io.StringIO())

    assert told[0].outcome == "failed" and "infra/smoke/steps.py" in told[0].detail


def test_set_is_deleted_though_an_earlier_step_failed():
    last = STEPS[-1]
    with FakeInstance(["GET /jobs"], {"/jobs": {"jobs": []}}) as instance:
        walk = Walk(instance, eval_set_id="smoke-1")
        told = take_steps((Step("launch", fails, ""), last), walk, io.StringIO())

    assert told[1].outcome == "ok" and instance.asked == ["delete", "/jobs"]


def test_answer_in_another_form_is_a_failure_and_cleaning_goes_on():
    with FakeInstance([], {"/health/ready": {"status": "fine"}}) as instance:
        told = take_steps((STEPS[0], Step("last", works, "", cleans_up=True)), Walk(instance), io.StringIO())

    assert [each.outcome for each in told] == ["failed", "ok"]
    assert "otherwise than this version" in told[0].detail


def test_set_that_still_runs_after_its_deletion_is_a_failure():
    said = {"/jobs": {"jobs": [{"eval_set_id": "smoke-1"}]}}
    with FakeInstance(["GET /jobs"], said) as instance, pytest.raises(Failed, match="still runs"):
        steps.deletes(Walk(instance, eval_set_id="smoke-1"))


def test_set_that_did_not_become_complete_is_a_failure_with_its_reason():
    status = {"status": "failed", "status_reason": "OOMKilled"}
    with FakeInstance([], {"status": status}) as instance, pytest.raises(Failed, match="failed: OOMKilled"):
        steps.ends_well(Walk(instance, eval_set_id="smoke-1"))


@pytest.mark.parametrize(
    ("evals", "samples", "words"),
    [
        ([], [], "The marts have of the set"),
        ([{"task_name": "t", "status": "error"}], [], "'error'"),
        ([{"task_name": "t", "status": "success"}], [{}], "1 samples of the 2"),
    ],
)
def test_results_that_are_missing_in_the_marts_are_a_failure(evals: list[Any], samples: list[Any], words: str):
    said = {"/evals": {"evals": evals}, "/samples": {"samples": samples}}
    with FakeInstance([], said) as instance, pytest.raises(Failed, match=words):
        steps.finds_results(Walk(instance, eval_set_id="smoke-1", expected_samples=2))


def test_api_that_lets_strangers_in_is_a_failure():
    with FakeInstance([], {"/eval_sets": {"eval_sets": []}}) as instance, pytest.raises(Failed, match="no token"):
        steps.refuses_strangers(Walk(instance))


def test_dependency_that_is_away_is_named():
    ready = {"dependencies": {"database": {"is_ok": True}, "dagster": {"is_ok": False}}}
    with FakeInstance([], {"/health/ready": ready}) as instance, pytest.raises(Failed, match="not: dagster"):
        steps.answers(Walk(instance))


def test_set_is_one_that_the_instances_runners_can_have():
    with Instance("http://127.0.0.1:8080") as here, Instance("https://api.example.org") as there:
        local, public = (smoke_config(each, "openai/gpt-4o-mini") for each in (here, there))

    assert local["tasks"][0]["package"].endswith("examples/tasks")
    assert public["tasks"][0]["package"] == "inspect-evals"
    assert local["models"] == [{"package": "openai", "name": "openai", "items": [{"name": "gpt-4o-mini"}]}]


def test_nothing_that_answers_is_a_failure_and_the_folder_is_gone():
    with Instance("http://127.0.0.1:9") as instance:
        folder = instance.folder
        with pytest.raises(Failed, match="Nothing answers at http://127"):
            instance.get("/version", signed=False)
        assert folder.exists()

    assert not folder.exists()


def test_what_is_no_hawk_is_told(monkeypatch: pytest.MonkeyPatch):
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text="<html>hello"))
    with Instance("http://127.0.0.1:9") as instance:
        instance._http = httpx.Client(transport=transport, base_url=instance.api_url)

        with pytest.raises(Failed, match="Is it Hawk's API"):
            instance.get("/version", signed=False)


def test_command_that_fails_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAWK_HOME", "/nonexistent")
    with Instance("http://127.0.0.1:9") as instance, pytest.raises(Failed, match=r"ended with 3:\s+Error: You are not"):
        instance.hawk("models", "--json")
