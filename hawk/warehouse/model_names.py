"""The names of models, canonical: without who serves them, and as they were really called. Pure.

Inspect names a model with its provider, and some with a service of it: `openai/azure/gpt-4o`. So one model has several
names, and what was called says best which it was.
"""

from collections.abc import Iterable, Iterator

from hawk.warehouse.rows import EvalModelRow

# Providers that have models of one lab, so that what else stands before the last part says where they run.
_OF_ONE_LAB = frozenset({"anthropic", "azureai", "google", "grok", "mistral", "openai"})
_WITH_SERVICE = "openai-api"  # openai-api/{service}/{model}, and a model may have slashes


def canonical_name(model: str, called: Iterable[str]) -> str:
    """Return the name by which the model was called, else its own without its provider.

    What was called is the model's only where it is the end of its name from a slash on; of several, the longest.
    """
    matching = [name for name in called if name and (model == name or model.endswith(f"/{name}"))]
    if matching:
        return max(matching, key=len)
    provider, _, name = model.partition("/")
    service, _, name_at_service = name.partition("/")
    if service and name_at_service and (provider in _OF_ONE_LAB or provider == _WITH_SERVICE):
        return name_at_service
    return name or model


class ModelNames:
    """The models that an eval names or calls, gathered while its log is read."""

    def __init__(self, named: Iterable[str]) -> None:
        self._named = set(named)
        self._called: set[str] = set()

    def add(self, named: Iterable[str]) -> None:
        """Take models as Inspect names them."""
        self._named.update(named)

    def add_call(self, model: str | None, requested: object) -> None:
        """Take a call: its model as Inspect names it, and the `model` of the request to its provider, if it has one."""
        if model:
            self._named.add(model)
        if isinstance(requested, str):
            self._called.add(requested)

    def rows(self, import_id: int) -> Iterator[EvalModelRow]:
        """Yield each model once."""
        for model in sorted(filter(None, self._named)):
            yield EvalModelRow(import_id, model, canonical_name(model, self._called))
