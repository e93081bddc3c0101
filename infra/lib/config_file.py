"""Reads the configuration as Pulumi gives it, and writes `Pulumi.example.yaml`: `python -m infra.lib.config_file`."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from hawk.config.nearest import nearest
from hawk.errors import UserError
from infra.lib.config import DeploymentConfig, Section
from infra.lib.sizes import TIERS

PROJECT = "hawk"
EXAMPLE = Path(__file__).parents[1] / "Pulumi.example.yaml"
_WIDTH = 116
_EXAMPLES = {"domain": "hawk.example.org", "images.tag": "2026-11-24"}
# Keys whose default is that of the tier, and the name it has there.
_OF_TIER = {
    "network.nat": "nat",
    "network.interface_endpoints": "interface_endpoints",
    "database.minimum_capacity": "database_minimum",
    "database.maximum_capacity": "database_maximum",
    "database.backup_days": "backup_days",
    "cluster.most_cpus": "most_cpus",
    "runners.cpu": "runner_cpu",
    "runners.memory": "runner_memory",
}
_HEAD = """\
# Every key of a deployment's configuration, with its default. Written from infra/lib/config.py by
# `python -m infra.lib.config_file`; do not edit. Copy what you change to Pulumi.STACK.yaml: only `domain` and
# `images.tag` are required. A secret is set by `pulumi config set --secret --path 'hawk:identity.web_client_secret'`.
config:
  # Where everything is made.
  aws:region: us-east-1
"""


def read_config(values: Mapping[str, str]) -> DeploymentConfig:
    """Return the configuration of Pulumi's values, `hawk:domain` and so on, those of sections as JSON.

    Raises UserError with every fault: where, what, and the key that was most likely meant.
    """
    own = {key.removeprefix(f"{PROJECT}:"): value for key, value in values.items() if key.startswith(f"{PROJECT}:")}
    try:
        return DeploymentConfig.model_validate({key: _decoded(key, value) for key, value in own.items()})
    except ValidationError as error:
        faults = "\n".join(_fault(problem["loc"], str(problem["msg"])) for problem in error.errors())
        raise UserError(
            f"The configuration of the stack cannot be used:\n{faults}\n", hint="Every key is in Pulumi.example.yaml."
        ) from error


def example() -> str:
    """Return the text of `Pulumi.example.yaml`."""
    return _HEAD + "\n".join(_lines(DeploymentConfig, path="", indent=2, prefix=f"{PROJECT}:")) + "\n"


def _decoded(key: str, value: str) -> Any:
    field = DeploymentConfig.model_fields.get(key)
    if field is None or _section_of(field) is None:
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise UserError(
            f"{PROJECT}:{key} is {value!r}, but it has keys of its own.",
            hint=f"Set them one by one: pulumi config set --path '{PROJECT}:{key}.KEY' VALUE.",
            field=key,
        ) from error


def _fault(place: tuple[int | str, ...], message: str) -> str:
    names = [str(part) for part in place]
    text = f"  {PROJECT}:{'.'.join(names) or '(all)'}: {message}."
    if message.startswith("Extra inputs") and names:
        known = _keys_beside(names[:-1])
        meant = nearest(names[-1], known)
        text = f"  {PROJECT}:{'.'.join(names)}: there is no such key."
        text += f" Did you mean {meant}?" if meant else f" There are {', '.join(sorted(known))}."
    return text


def _keys_beside(place: list[str]) -> set[str]:
    model: type[BaseModel] = DeploymentConfig
    for name in place:
        inner = _section_of(model.model_fields[name]) if name in model.model_fields else None
        if inner is None:
            return set()
        model = inner
    return set(model.model_fields)


def _section_of(field: FieldInfo) -> type[Section] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _lines(model: type[BaseModel], *, path: str, indent: int, prefix: str) -> Iterator[str]:
    space = " " * indent
    for name, field in model.model_fields.items():
        place = f"{path}{name}"
        section = _section_of(field)
        if section is not None:
            yield ""
            yield from _comment(section.__doc__ or "", space)
            yield f"{space}{prefix}{name}:"
            yield from _lines(section, path=f"{place}.", indent=indent + 2, prefix="")
            continue
        tier_name = _OF_TIER.get(place)
        note = f"{field.description or ''}{_of_tiers(tier_name)}"
        yield from _comment(note, space)
        value = _EXAMPLES.get(place, field.default)
        if value is None:
            yield f"{space}# {prefix}{name}: {_shown(getattr(TIERS['starter'], tier_name)) if tier_name else '…'}"
        else:
            yield f"{space}{prefix}{name}: {_shown(value)}"


def _of_tiers(name: str | None) -> str:
    if name is None:
        return ""
    return f" Tiers: {', '.join(f'{tier} {_shown(getattr(sizes, name))}' for tier, sizes in TIERS.items())}."


def _comment(text: str, space: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=f"{space}# ", subsequent_indent=f"{space}# ")


def _shown(value: Any) -> str:
    plain = [str(item) for item in value] if isinstance(value, tuple) else value
    if not isinstance(plain, bool | int | float | list):
        plain = str(plain)
    text = yaml.safe_dump(plain, default_flow_style=True, width=10_000).strip()
    return text.removesuffix("...").strip()


if __name__ == "__main__":
    EXAMPLE.write_text(example())
