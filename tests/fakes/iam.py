"""Says what IAM would allow: identity policies, a session policy that narrows them, and a role's trust.

Of the language it knows what Hawk's documents use, and refuses to guess about anything else.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]


def may(policies: Sequence[str | Document], action: str, resource: str, **context: str) -> bool:
    """Say whether one set of policies allows a request: some statement allows it, and none denies it."""
    verdicts = [
        statement["Effect"]
        for policy in policies
        for statement in statements(policy)
        if _covers(statement, action, resource, context)
    ]
    return "Allow" in verdicts and "Deny" not in verdicts


def session_may(role: Sequence[str | Document], session: str, action: str, resource: str, **context: str) -> bool:
    """Say whether a session may: what the role's policies and the session's own both allow."""
    return may(role, action, resource, **context) and may([session], action, resource, **context)


def statements(policy: str | Document) -> list[dict[str, Any]]:
    """Return a document's statements."""
    document = json.loads(policy) if isinstance(policy, str) else policy
    found = document["Statement"]
    return list(found) if isinstance(found, list) else [found]


def as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _covers(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]) -> bool:
    unknown = set(statement) - {"Effect", "Action", "Resource", "Condition", "Sid", "Principal"}
    assert not unknown, f"this evaluator does not know {unknown}"
    # Actions are compared without regard to case, resources with it.
    is_action = any(_matches(pattern.lower(), action.lower()) for pattern in as_list(statement["Action"]))
    is_resource = any(_matches(pattern, resource) for pattern in as_list(statement.get("Resource", "*")))
    return is_action and is_resource and _holds(statement.get("Condition", {}), context)


def _holds(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    given = {name.replace("__", ":").replace("_", "-"): value for name, value in context.items()}
    for operator, wanted in condition.items():
        for key, values in wanted.items():
            value = given.get(key.replace("_", "-"))
            if not _is(operator, value, as_list(values)):
                return False
    return True


def _is(operator: str, value: str | None, wanted: list[Any]) -> bool:
    match operator:
        case "StringEquals" | "ArnEquals" | "Bool":
            return value is not None and value in wanted
        case "StringLike" | "ArnLike":
            return value is not None and any(_matches(pattern, value) for pattern in wanted)
        case "ForAllValues:StringEquals":
            return value is None or value in wanted
    raise AssertionError(f"this evaluator does not know the operator {operator}")


def _matches(pattern: str, text: str) -> bool:
    expression = "".join(".*" if part == "*" else "." if part == "?" else re.escape(part) for part in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None
