"""Writes into a launch who asked for it, in place of whatever the request says of that; pure."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from hawk.auth import Principal
from hawk.config.yaml_text import read_yaml
from hawk.door.rules import Call
from hawk.errors import ConfigError, NotAllowed, UserError
from hawk.naming import CREATED_BY_TAG, LAUNCH_STAMP_TAG, LAUNCHPAD_ORDER, SUBMIT_JOB

OUR_TAGS = "hawk/"
# Tags by which a run shapes its own pod, which has the launcher's rights.
SHAPING_TAGS = ("dagster-k8s/", "dagster/image")

MakeStamp = Callable[[Mapping[str, Any] | None], str]  # given the launchpad's config, if it is the launchpad

_LISTS = {"executionParamsList"}


def stamped(call: Call, variables: Mapping[str, Any], principal: Principal, make_stamp: MakeStamp) -> dict[str, Any]:
    """Return the variables of a launch with the caller's stamp in them. Raises UserError and NotAllowed."""
    changed = copy.deepcopy(dict(variables))
    for argument in ("executionParams", "executionParamsList", "reexecutionParams", "backfillParams"):
        if argument not in call.variables:
            continue
        name = call.variables[argument]
        value = changed.get(name) if name else None
        if value is None and name:
            continue
        for params in value if argument in _LISTS and isinstance(value, list) else [value]:
            if not isinstance(params, dict):
                raise UserError(f"Give {argument} of {call.name} as a variable.", field=argument)
            _stamp_one(argument, params, principal, make_stamp)
    return changed


def _stamp_one(argument: str, params: dict[str, Any], principal: Principal, make_stamp: MakeStamp) -> None:
    config = _launchpad_config(params) if argument.startswith("executionParams") else None
    stamp = make_stamp(config)
    if config is not None:
        params["runConfigData"] = {LAUNCHPAD_ORDER: stamp}
    ours = [{"key": LAUNCH_STAMP_TAG, "value": stamp}, {"key": CREATED_BY_TAG, "value": principal.subject}]
    if argument.startswith("executionParams"):
        metadata = params.get("executionMetadata") or {}
        params["executionMetadata"] = {**metadata, "tags": [*_tags(metadata.get("tags"), principal), *ours]}
    else:
        key = "extraTags" if argument == "reexecutionParams" else "tags"
        params[key] = [*_tags(params.get(key), principal), *ours]


def _launchpad_config(params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the YAML's mapping where the launchpad is used, to be kept out of Dagster; None for other jobs."""
    selector = params.get("selector") or {}
    if not isinstance(selector, dict) or SUBMIT_JOB not in (selector.get("jobName"), selector.get("pipelineName")):
        return None
    given = params.get("runConfigData")
    # Read under the limits of a config file: a short text of aliases can stand for more than any memory holds.
    config = _plain(given) if isinstance(given, str) and given.strip() else given
    if not isinstance(config, dict):
        raise UserError("The launchpad is empty.", hint="Paste the eval set's YAML file.", field="runConfigData")
    return None if set(config) == {LAUNCHPAD_ORDER} else config


def _plain(text: str) -> Any:
    read = read_yaml(text)
    if read.problems:
        raise ConfigError(read.problems)
    return read.root.plain()


def _tags(given: Any, principal: Principal) -> list[dict[str, str]]:
    tags = given if isinstance(given, list) else []
    kept = [tag for tag in tags if isinstance(tag, dict) and not str(tag.get("key", "")).startswith(OUR_TAGS)]
    shaping = [tag["key"] for tag in kept if str(tag.get("key", "")).startswith(SHAPING_TAGS)]
    if shaping and not principal.is_admin:
        raise NotAllowed(
            f"The tag {shaping[0]} shapes the pod that the run works in, with rights of its own.",
            hint="Leave it out, or ask an administrator.",
            field="tags",
            value=shaping,
        )
    return kept
