"""Whose launch it is, written over what the request says."""

import pytest

from hawk.auth import Principal
from hawk.door.rules import Call, Right
from hawk.door.stamping import stamped
from hawk.errors import NotAllowed, UserError

ALICE = Principal(subject="alice")
ROOT = Principal(subject="root", is_admin=True)
OURS = [{"key": "hawk/launch_stamp", "value": "stamp"}, {"key": "hawk/created_by", "value": "alice"}]


def stamp_it(call: Call, variables: dict, principal: Principal = ALICE) -> tuple[dict, list]:
    configs: list = []

    def make_stamp(config):
        configs.append(config)
        return "stamp"

    return stamped(call, variables, principal, make_stamp), configs


def call_of(argument: str, name: str = "launchRun") -> Call:
    return Call(name, Right.LAUNCH, {argument: "p"})


def params(job: str = "import_logs", **fields) -> dict:
    return {"selector": {"jobName": job}, "runConfigData": {}, **fields}


def test_launch_bears_the_stamp_and_the_name():
    changed, configs = stamp_it(call_of("executionParams"), {"p": params()})

    assert changed["p"]["executionMetadata"]["tags"] == OURS
    assert configs == [None]


def test_tags_of_ours_that_the_request_brings_are_dropped_and_others_kept():
    tags = [
        {"key": "dagster/partition", "value": "mine"},
        {"key": "hawk/launch_stamp", "value": "of-another"},
        {"key": "hawk/created_by", "value": "bob"},
    ]

    changed, _ = stamp_it(call_of("executionParams"), {"p": params(executionMetadata={"tags": tags})})

    assert changed["p"]["executionMetadata"]["tags"] == [tags[0], *OURS]


@pytest.mark.parametrize(("argument", "key"), [("reexecutionParams", "extraTags"), ("backfillParams", "tags")])
def test_reexecution_and_backfill_bear_it_too(argument, key):
    brought = [{"key": "hawk/launch_stamp", "value": "of-another"}]

    changed, _ = stamp_it(call_of(argument), {"p": {"parentRunId": "r", key: brought}})

    assert changed["p"][key] == OURS


def test_each_of_many_runs_bears_it():
    changed, _ = stamp_it(call_of("executionParamsList", "launchMultipleRuns"), {"p": [params(), params()]})

    assert [entry["executionMetadata"]["tags"] for entry in changed["p"]] == [OURS, OURS]


@pytest.mark.parametrize("given", [{"tasks": []}, "tasks: []"], ids=["mapping", "text"])
def test_launchpads_yaml_stays_out_of_dagster(given):
    changed, configs = stamp_it(call_of("executionParams"), {"p": params("submit_eval_set", runConfigData=given)})

    assert changed["p"]["runConfigData"] == {"launchpad_order": "stamp"}
    assert configs == [{"tasks": []}]


def test_launchpad_that_is_run_again_keeps_its_order():
    again = params("submit_eval_set", runConfigData={"launchpad_order": "older"})

    changed, configs = stamp_it(call_of("executionParams"), {"p": again})

    assert changed["p"]["runConfigData"] == {"launchpad_order": "older"}
    assert configs == [None]


@pytest.mark.parametrize("given", ["{", "", "[]", "- a", "!!python/object:os.system {}", None, 7])
def test_launchpad_without_a_mapping_is_refused(given):
    with pytest.raises(UserError):
        stamp_it(call_of("executionParams"), {"p": params("submit_eval_set", runConfigData=given)})


def test_argument_that_is_written_out_is_refused():
    with pytest.raises(UserError, match="as a variable"):
        stamp_it(Call("launchRun", Right.LAUNCH, {"executionParams": ""}), {})


@pytest.mark.parametrize("value", ["text", ["text"], 7])
def test_argument_of_a_wrong_shape_is_refused(value):
    with pytest.raises(UserError):
        stamp_it(call_of("executionParams"), {"p": value})


@pytest.mark.parametrize("tag", ["dagster-k8s/config", "dagster/image"])
def test_tags_that_shape_the_runs_pod_are_for_administrators(tag):
    variables = {"p": params(executionMetadata={"tags": [{"key": tag, "value": "{}"}]})}

    with pytest.raises(NotAllowed, match=tag):
        stamp_it(call_of("executionParams"), variables)
    assert stamp_it(call_of("executionParams"), variables, ROOT)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)


TRAPS = {"bomb": BOMB, "deep": "[" * 5000 + "]" * 5000, "loop": "a: &b [*b]", "twice": "a: 1\na: 2"}


@pytest.mark.parametrize("text", TRAPS.values(), ids=TRAPS)
def test_launchpads_yaml_that_is_a_trap_is_refused_at_once(text):
    with pytest.raises(UserError):
        stamp_it(call_of("executionParams"), {"p": params("submit_eval_set", runConfigData=text)})
