"""What a GraphQL request asks for."""

import pytest
from dagster_graphql.schema import create_schema

from hawk.door.rules import RIGHT_OF_MUTATION, Right, asked_of
from hawk.errors import NotAllowed, UserError


@pytest.mark.parametrize(
    ("query", "rights"),
    [
        ("{ version }", set()),
        ("query A { version } query B { version }", set()),
        ("subscription { pipelineRunLogs(runId: $r) { __typename } }", set()),
        ("mutation ($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename } }", {Right.LAUNCH}),
        ('mutation { innocent: deleteRun(runId: "a") { __typename } }', {Right.WIPE}),
        ('mutation { ... { terminateRun(runId: "a") { __typename } } }', {Right.TERMINATE}),
        (
            "mutation { ...F } fragment F on Mutation { wipeAssets(assetPartitionRanges: []) { __typename } }",
            {Right.WIPE},
        ),
        (
            "mutation { ...F } fragment F on Mutation { ...G } fragment G on Mutation { reloadWorkspace { id } }",
            {Right.CHANGE},
        ),
        ('query A { version } mutation B { deleteRun(runId: "a") { __typename } }', {Right.WIPE}),
        ('mutation { setNuxSeen logTelemetry(action: "a") { __typename } }', set()),
        ('mutation { setNuxSeen deleteRun(runId: "a") @skip(if: true) { __typename } }', {Right.WIPE}),
        ("mutation { __typename }", set()),
        ("query { deleteRun: version }", set()),
    ],
)
def test_rights_follow_from_the_mutations_however_they_are_written(query, rights):
    assert asked_of(query).rights == {Right.VIEW, *rights}


@pytest.mark.parametrize("name", ["becomeRoot", "setAppManagedComponent", "DeleteRun", "launchrun"])
def test_mutation_that_nobody_has_thought_about_is_refused(name):
    with pytest.raises(NotAllowed, match=name):
        asked_of(f"mutation {{ {name} }}")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "{",
        "mutation",
        "mutation { ...F }",
        "mutation { ...F } fragment F on Mutation { ...F }",
        "{ a " * 10_000,
        "{" * 100_000,
        "query { " + "version " * 30_000 + "}",
        "\0",
    ],
    ids=["empty", "cut", "name only", "no fragment", "circle", "deep", "deeper", "long", "nul"],
)
def test_query_that_cannot_be_read_is_the_callers_fault(query):
    with pytest.raises(UserError):
        asked_of(query)


def test_every_mutation_of_this_dagster_is_either_listed_or_left_out_on_purpose():
    there = set(create_schema().graphql_schema.mutation_type.fields)

    assert set(RIGHT_OF_MUTATION) <= there
    # Nobody here has components that are made in the UI.
    assert there - set(RIGHT_OF_MUTATION) == {
        "setAppManagedComponent",
        "deleteAppManagedComponent",
        "refreshComponentState",
    }


def test_arguments_say_which_variable_they_are():
    [call] = asked_of(
        "mutation ($x: A) { launchRunReexecution(reexecutionParams: $x, executionParams: {}) { id } }"
    ).calls

    assert call.variables == {"reexecutionParams": "x", "executionParams": ""}
