"""What a GraphQL request to Dagster asks for, and which right that takes; pure.

A mutation that is not listed is refused, so that a newer Dagster's are until somebody has thought about them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    parse,
)

from hawk.errors import NotAllowed, UserError

MAX_TOKENS = 20_000  # Dagster's own largest query has about 3,000


class Right(StrEnum):
    """What one may be allowed to do, by groups."""

    VIEW = "view"
    LAUNCH = "launch"
    TERMINATE = "terminate"
    WIPE = "wipe"
    CHANGE = "change"


RIGHT_OF_MUTATION: Mapping[str, Right] = {
    **dict.fromkeys(("logTelemetry", "setNuxSeen"), Right.VIEW),
    **dict.fromkeys(
        (
            "launchRun",
            "launchPipelineExecution",
            "launchMultipleRuns",
            "launchRunReexecution",
            "launchPipelineReexecution",
            "launchPartitionBackfill",
            "addDynamicPartition",
        ),
        Right.LAUNCH,
    ),
    **dict.fromkeys(
        ("terminateRun", "terminateRuns", "terminatePipelineExecution", "cancelPartitionBackfill"), Right.TERMINATE
    ),
    **dict.fromkeys(("deleteRun", "deletePipelineRun", "wipeAssets", "deleteDynamicPartitions"), Right.WIPE),
    **dict.fromkeys(
        (
            "startSchedule",
            "stopRunningSchedule",
            "resetSchedule",
            "scheduleDryRun",
            "startSensor",
            "stopSensor",
            "resetSensor",
            "setSensorCursor",
            "sensorDryRun",
            "reloadRepositoryLocation",
            "reloadWorkspace",
            "shutdownRepositoryLocation",
            "reportRunlessAssetEvents",
            "reportAssetCheckEvaluations",
            "resumePartitionBackfill",
            "reexecutePartitionBackfill",
            "setAutoMaterializePaused",
            "setConcurrencyLimit",
            "deleteConcurrencyLimit",
            "freeConcurrencySlotsForRun",
            "freeConcurrencySlots",
        ),
        Right.CHANGE,
    ),
}


@dataclass(frozen=True)
class Call:
    """One mutation that is asked for; `variables` says which variable each argument is, "" for what is written out."""

    name: str
    right: Right
    variables: Mapping[str, str]


@dataclass(frozen=True)
class Asked:
    """All that a request asks for; every request takes the right to view."""

    calls: tuple[Call, ...]

    @property
    def rights(self) -> frozenset[Right]:
        return frozenset({Right.VIEW, *(call.right for call in self.calls)})


def asked_of(query: str) -> Asked:
    """Return what the request's operations ask for, all of them. Raises UserError and NotAllowed."""
    try:
        document = parse(query, max_tokens=MAX_TOKENS, no_location=True)
    except (GraphQLError, RecursionError) as error:
        raise UserError(
            "The GraphQL query cannot be read.", hint=str(getattr(error, "message", ""))[:200], field="query"
        ) from error
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    mutations = [node for node in operations if node.operation is OperationType.MUTATION]
    return Asked(tuple(call for node in mutations for call in _calls(node, document)))


def _calls(operation: OperationDefinitionNode, document: DocumentNode) -> Iterator[Call]:
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    for field in _fields(operation.selection_set, fragments, seen=frozenset()):
        name = field.name.value
        if name.startswith("__"):
            continue
        right = RIGHT_OF_MUTATION.get(name)
        if right is None:
            raise NotAllowed(f"Dagster's {name} is not for use through this door.", field="query", value=name)
        variables = {
            argument.name.value: argument.value.name.value if isinstance(argument.value, VariableNode) else ""
            for argument in field.arguments
        }
        yield Call(name, right, variables)


def _fields(
    selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode], *, seen: frozenset[str]
) -> Iterator[FieldNode]:
    for node in selections.selections:
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(node.selection_set, fragments, seen=seen)
        elif isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name in seen or name not in fragments:
                raise UserError(f"The GraphQL fragment {name!r} cannot be followed.", field="query", value=name)
            yield from _fields(fragments[name].selection_set, fragments, seen=seen | {name})
