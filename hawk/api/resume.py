"""What a set that is launched again is launched with: its stored config, or another that can go on where it ended."""

from collections.abc import Mapping
from typing import Any

from hawk.api.contracts import ResumeEvalSetRequest
from hawk.config.checkpoint import CheckpointConfig
from hawk.config.load import validate_eval_set_mapping
from hawk.errors import Conflict, UserError
from hawk.eval_set_claim import EvalSetOrder
from hawk.eval_sets import EvalSetRow


def order_to_resume(row: EvalSetRow, request: ResumeEvalSetRequest) -> EvalSetOrder:
    """Return the order for the set. Raises Conflict where no config is known, UserError for one of another set."""
    if row.config is None and request.config is None:
        raise Conflict(
            f"Eval set {row.eval_set_id} was not launched here; its config is not known.",
            hint="Launch it from its YAML file with this eval_set_id.",
            field="eval_set_id",
        )
    config = request.config if request.config is not None else row.config or {}
    named = config.get("eval_set_id", row.eval_set_id)
    if named != row.eval_set_id:
        raise UserError(
            f"The config is of eval set {named!r}, and {row.eval_set_id} is to be resumed.",
            hint="Take eval_set_id out of the config, or resume the set that it names.",
            value=named,
            field="config.eval_set_id",
        )
    if request.config is not None and row.config is not None:
        _check_checkpoints(row.config, request.config)
    return EvalSetOrder(
        origin="api",
        config=config,
        eval_set_id=row.eval_set_id,
        secrets=request.secrets,
        priority=request.priority or row.priority,
        log_dir_allow_dirty=request.log_dir_allow_dirty or row.log_dir_allow_dirty,
    )


def _check_checkpoints(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Refuse a config with which the checkpoints that the set has would not be found again."""
    old, new = _checkpoint(before), _checkpoint(after)
    if not old.enabled:
        return
    if not new.enabled or new.checkpoints_location != old.checkpoints_location:
        raise UserError(
            "The set took checkpoints, and with this config it would not go on from them.",
            hint=f"Keep `checkpoint` enabled, with checkpoints_location {old.checkpoints_location or 'unset'!r}; "
            "or launch the config as a set of its own.",
            field="config.checkpoint",
        )


def _checkpoint(config: Mapping[str, Any]) -> CheckpointConfig:
    return validate_eval_set_mapping(config).config.checkpoint or CheckpointConfig()
