"""Values in which every field of a pydantic model is given, none as its default: to see whether a reader keeps them."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_TIMES = ("created", "started_at", "completed_at")  # texts by their type


def full_value(model: type[BaseModel]) -> Any:
    """Return JSON that has every field of a model, of every kind that its unions allow in a list."""
    schema = model.model_json_schema()
    return _Filler(schema.get("$defs", {})).value(schema, ())


class _Filler:
    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions
        self._numbers = count(1000)

    def value(self, schema: Schema, within: tuple[str, ...]) -> Any:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name in within:
                return self._anything(schema, within)
            return self.value({**self._definitions[name], "default": schema.get("default")}, (*within, name))
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return next(choice for choice in reversed(schema["enum"]) if choice != schema.get("default"))
        options = self._options(schema, within)
        if options:
            return self.value({**options[-1], "default": schema.get("default")}, within)
        fill = getattr(self, f"_{schema.get('type', 'anything')}")
        return fill(schema, within)

    def _options(self, schema: Schema, within: tuple[str, ...]) -> list[Schema]:
        """Return a union's members, the one with most in it last, without those that would go on for ever."""
        found = [
            option for option in (schema.get("anyOf") or schema.get("oneOf") or []) if not self._recurs(option, within)
        ]
        return sorted(found, key=_wealth)

    def _recurs(self, schema: Schema, within: tuple[str, ...]) -> bool:
        return schema.get("$ref", "").rpartition("/")[2] in within

    def _object(self, schema: Schema, within: tuple[str, ...]) -> Any:
        if "properties" not in schema:
            inner = schema.get("additionalProperties", True)
            return {f"key {next(self._numbers)}": self.value(inner if isinstance(inner, dict) else {}, within)}
        return {
            name: self._time() if name in _TIMES else self.value(part, within)
            for name, part in schema["properties"].items()
        }

    def _array(self, schema: Schema, within: tuple[str, ...]) -> Any:
        if "prefixItems" in schema:
            return [self.value(part, within) for part in schema["prefixItems"]]
        items = schema.get("items", {})
        # Deep down one kind is enough: there the reader keeps JSON as it is.
        options = self._options(items, within) if len(within) < 4 else []
        return [self.value(option, within) for option in options or [items] if not self._recurs(option, within)]

    def _string(self, schema: Schema, within: tuple[str, ...]) -> Any:
        return self._time() if schema.get("format") == "date-time" else f"text {next(self._numbers)}"

    def _time(self) -> str:
        minutes, seconds = divmod(next(self._numbers), 60)
        return f"2026-01-{1 + minutes // 60:02}T{minutes % 24:02}:{minutes % 60:02}:{seconds:02}+00:00"

    def _integer(self, schema: Schema, within: tuple[str, ...]) -> Any:
        return next(self._numbers)

    def _number(self, schema: Schema, within: tuple[str, ...]) -> Any:
        return next(self._numbers) + 0.5

    def _boolean(self, schema: Schema, within: tuple[str, ...]) -> Any:
        return schema.get("default") is not True

    def _null(self, schema: Schema, within: tuple[str, ...]) -> Any:
        return None

    def _anything(self, schema: Schema, within: tuple[str, ...]) -> Any:
        return f"anything {next(self._numbers)}"


def _wealth(schema: Schema) -> int:
    kinds = ["null", "boolean", "integer", "number", "string", "object", "array"]
    return 10 if "$ref" in schema else kinds.index(schema.get("type", "string"))


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to each member of each object in JSON."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield (*path, name)
            yield from paths(part, (*path, name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from paths(part, (*path, index))


def parent_of(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return the object that a path's last step is a member of."""
    for step in path[:-1]:
        value = value[step]
    return value
