"""The file that a launcher hands to a runner: everything it needs but secrets, which travel as environment."""

import hashlib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hawk.config.eval_set import EvalSetConfig
from hawk.ids import JobId
from hawk.log_edits import EditOrder

JOB_SPEC_FILE = "job.json"


class SandboxRules(BaseModel):
    """What a deployment lays down for the sandboxes of its jobs on a cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    runtime_class: str | None = Field(default=None, description="RuntimeClass of sandboxes that name none.")
    strict_runtime_class: str = "gvisor"
    architecture: Literal["amd64", "arm64"] | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    values: dict[str, Any] = Field(default_factory=dict, description="Chart values that win over a task's own.")


class InfraConfig(BaseModel):
    """What the platform, not the user, decides about a run; wins over the user's config where both speak."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    created_by: str = Field(description="Subject of the token that asked for the run.")
    email: str | None = None
    model_groups: tuple[str, ...] = Field(description="Groups of all models declared, sorted.")
    priority: Literal["low", "medium", "high"] = "medium"
    log_dir: str = Field(description="s3:// URL of the set's folder, without a slash at the end.")
    proxy_url: str | None = Field(
        default=None, description="LLM proxy that model calls go through; None calls providers."
    )
    retry_cleanup: bool = False
    continue_on_fail: bool = True
    max_samples: int = Field(default=1000, ge=1)
    max_tasks: int = Field(default=1000, ge=1)
    max_sandboxes: int | None = Field(default=None, ge=1, le=500)
    log_level: str = "notset"
    log_shared_seconds: int = Field(default=60, ge=1, description="How often running state is written to .buffer.")
    log_dir_allow_dirty: bool = False
    max_attempts: int = Field(default=4, ge=1, description="1 and the 3 retries of METR's Hawk (backoffLimit 3).")
    metadata: dict[str, Any] = Field(default_factory=dict)
    kubernetes: dict[str, Any] = Field(
        default_factory=dict, description="`dagster-k8s/config` of this job; not part of what makes a job another."
    )
    sandboxes: SandboxRules | None = Field(default=None, description="Sandboxes are pods; unset: what tasks say.")


class JobSpec(BaseModel):
    """One runner job. Its JSON is stable: the same spec has the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: JobId
    job_type: Literal["eval-set", "scan", "edit"] = "eval-set"
    config: EvalSetConfig
    infra: InfraConfig
    edits: EditOrder | None = Field(
        default=None, exclude_if=lambda edits: edits is None, description="What a job of type edit does."
    )

    def to_json(self) -> str:
        return self.model_dump_json(exclude_unset=False, indent=2)

    @property
    def digest(self) -> str:
        """Return what tells this job from another under the same id: all but how its pods are shaped."""
        infra = self.infra.model_copy(update={"kubernetes": {}, "sandboxes": None})
        return hashlib.sha256(self.model_copy(update={"infra": infra}).to_json().encode()).hexdigest()

    @classmethod
    def read(cls, path: Path) -> "JobSpec":
        return cls.model_validate_json(path.read_text())
