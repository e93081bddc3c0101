"""Tells the LLM proxy which eval, task, sample and epoch each model call is for, so that its ledger can say so.

They go as headers of the call, which the proxy keeps to itself. Calls that may be answered from Inspect's cache go
without: its key is made of the call's settings, and a sample's own headers would keep samples from sharing it.
"""

import os

from inspect_ai.hooks import BeforeModelGenerate, Hooks, hooks

# What the hook itself is made of; its own `sample_id` is another one for each try at a sample.
from inspect_ai.log._samples import sample_active

from hawk.naming import (
    EPOCH_HEADER,
    EVAL_ID_HEADER,
    PROXY_URL_VARIABLE,
    SAMPLE_ID_HEADER,
    SAMPLE_UUID_HEADER,
    TASK_NAME_HEADER,
)

MAX_CHARACTERS = 200


def install_call_facts() -> None:
    """Register the hook, for the life of this process."""

    @hooks(name="hawk-call-facts", description="Tells the LLM proxy what each model call is for.")
    class CallFacts(Hooks):
        def enabled(self) -> bool:
            return PROXY_URL_VARIABLE in os.environ  # nobody but the proxy is told

        async def on_before_model_generate(self, data: BeforeModelGenerate) -> None:
            sample = sample_active()
            if sample is None or data.cache is not None:
                return
            facts = {
                EVAL_ID_HEADER: sample.eval_id,
                TASK_NAME_HEADER: sample.task,
                SAMPLE_UUID_HEADER: sample.sample_uuid,
                SAMPLE_ID_HEADER: str(sample.sample.id),
                EPOCH_HEADER: str(sample.epoch),
            }
            headers = {name: _header(value) for name, value in facts.items()}
            data.config.extra_headers = {**(data.config.extra_headers or {}), **headers}


def _header(text: str) -> str:
    """Return the text as a header can hold it."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)[:MAX_CHARACTERS].strip() or "?"
