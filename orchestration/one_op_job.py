"""Jobs of one step that people start from a form: the whole run config is that step's."""

from typing import Any

import dagster as dg

from hawk.naming import PROMPT_TAG


def one_op_job(op: dg.OpDefinition, name: str, schema: dict[str, Any], description: str) -> dg.JobDefinition:
    """Return a job of one op whose whole run config is that op's; somebody waits for it, so it starts at once."""

    def as_op_config(config: dict[str, Any]) -> dict[str, Any]:
        return {"ops": {op.name: {"config": config}}}

    @dg.graph(name=name)
    def graph() -> None:
        op()

    return graph.to_job(
        name=name,
        description=description,
        config=dg.ConfigMapping(config_schema=schema, config_fn=as_op_config),
        executor_def=dg.in_process_executor,
        tags={PROMPT_TAG: "true"},
    )
