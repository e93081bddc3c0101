"""What Dagster shows of an eval set: ids, counts, links and its config, never a secret's value.

Whoever sees one page of Dagster sees all, so sets of groups that not all of them hold are not described.
"""

from typing import Any

import dagster as dg
import yaml

from assets.launch import LaunchedEvalSet
from assets.markdown import markdown_table
from hawk.config.eval_set import EvalSetConfig
from hawk.config.plan import plan
from hawk.eval_sets import EvalSetRow
from hawk.naming import eval_set_prefix, viewer_eval_set_url
from hawk.settings import OrchestrationSettings

MAX_CONFIG_CHARACTERS = 20_000


def launch_metadata(launched: LaunchedEvalSet, settings: OrchestrationSettings) -> dict[str, dg.MetadataValue]:
    """Return what is shown of a launch."""
    if not is_described(launched.row, settings):
        outcome = dg.MetadataValue.text(launched.outcome.value)
        return {**set_metadata(launched.row, settings), "outcome": outcome}
    return {
        **set_metadata(launched.row, settings),
        "outcome": dg.MetadataValue.text(launched.outcome.value),
        "grid": grid(launched.spec.config),
        "config": dg.MetadataValue.md(f"```yaml\n{shown_config(launched.row.config or {})}\n```"),
    }


def set_metadata(row: EvalSetRow, settings: OrchestrationSettings) -> dict[str, dg.MetadataValue]:
    """Return what is shown of a set whatever happens to it: who it is, how it stands, where it is seen."""
    shown: dict[str, dg.MetadataValue] = {
        "eval_set_id": dg.MetadataValue.text(row.eval_set_id),
        "status": dg.MetadataValue.text(row.status),
        "created_by": dg.MetadataValue.text(row.created_by or "unknown"),
        "logs": dg.MetadataValue.url(f"s3://{settings.bucket}/{eval_set_prefix(row.eval_set_id)}"),
    }
    if is_described(row, settings):
        shown |= {
            "name": dg.MetadataValue.text(row.name),
            "models": dg.MetadataValue.text(", ".join(row.model_names) or "none declared"),
            "model_groups": dg.MetadataValue.text(", ".join(row.model_groups) or "none"),
        }
        if row.status_reason:
            shown["reason"] = dg.MetadataValue.text(row.status_reason)
    link = viewer_link(row.eval_set_id, settings)
    if link:
        shown["viewer"] = dg.MetadataValue.url(link)
    return shown


def is_described(row: EvalSetRow, settings: OrchestrationSettings) -> bool:
    """Say whether everybody who sees Dagster's pages may see the set; no groups at all means no."""
    return bool(row.model_groups) and set(row.model_groups) <= set(settings.dagster_described_groups)


def viewer_link(eval_set_id: str, settings: OrchestrationSettings) -> str | None:
    """Return the set's page in the viewer, or None where there is no viewer."""
    base = settings.viewer_url
    return viewer_eval_set_url(base, eval_set_id) if base else None


def grid(config: EvalSetConfig) -> dg.MetadataValue:
    """Return a table of the evals that the config runs."""
    planned = plan(config)
    rows = [dict(zip(planned.COLUMNS, values, strict=True)) for values in planned.rows()]
    return dg.MetadataValue.md(markdown_table(rows))


def shown_config(config: dict[str, Any]) -> str:
    """Return the config as YAML, with the values of runner.environment, which people use for keys, left out."""
    shown = dict(config)
    runner = shown.get("runner")
    if isinstance(runner, dict) and isinstance(runner.get("environment"), dict):
        shown["runner"] = {**runner, "environment": dict.fromkeys(runner["environment"], "(not shown)")}
    text: str = yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100)
    # A fence in the config would end the one that it is shown in.
    text = text.replace("```", "'''")
    return text if len(text) <= MAX_CONFIG_CHARACTERS else f"{text[:MAX_CONFIG_CHARACTERS]}\n# … cut"
