"""Models have canonical names: as they were called, else without their provider."""

from typing import Any

import pytest

from hawk.warehouse.model_names import ModelNames, canonical_name


@pytest.mark.parametrize(
    ("model", "called", "name"),
    [
        ("openai/gpt-4o", (), "gpt-4o"),
        ("openai/azure/gpt-4o", (), "gpt-4o"),
        ("anthropic/bedrock/claude-sonnet-4", (), "claude-sonnet-4"),
        ("openai-api/vllm/meta/llama-3", (), "meta/llama-3"),
        ("openrouter/anthropic/claude-sonnet-4", (), "anthropic/claude-sonnet-4"),
        ("together/meta-llama/Llama-3", (), "meta-llama/Llama-3"),
        ("gpt-4o", (), "gpt-4o"),
        ("openai/", (), "openai/"),
        ("openrouter/anthropic/claude-sonnet-4", {"claude-sonnet-4"}, "claude-sonnet-4"),
        ("openai/azure/team/gpt-4o", {"team/gpt-4o", "gpt-4o"}, "team/gpt-4o"),
        ("custom/served", {"custom/served", "served"}, "custom/served"),
        ("vllm/my-gpt-4", {"gpt-4"}, "my-gpt-4"),
        ("openai/gpt-4o", {"gpt-4o-mini", ""}, "gpt-4o"),
    ],
)
def test_name_is_the_one_called_else_that_without_provider(model: str, called: Any, name: str) -> None:
    assert canonical_name(model, called) == name


def test_each_model_has_one_row_whatever_named_it() -> None:
    models = ModelNames(["openai/azure/gpt-4o", ""])
    models.add(["openai/azure/gpt-4o", "anthropic/claude-sonnet-4"])
    models.add_call("anthropic/claude-sonnet-4", "claude-sonnet-4")
    models.add_call("mockllm/model", None)
    models.add_call(None, {"model": "strange"})

    assert [(row.model, row.model_name) for row in models.rows(1)] == [
        ("anthropic/claude-sonnet-4", "claude-sonnet-4"),
        ("mockllm/model", "model"),
        ("openai/azure/gpt-4o", "gpt-4o"),
    ]
