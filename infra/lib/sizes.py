"""How large everything is in each tier; tests/infra check that what is asked for fits on what is there."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from infra.lib.instances import InstanceType, instance


class Ask(BaseModel):
    """What a program's pod asks of its node; the memory limit is as much as the request, so that none is evicted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu_millis: int = Field(ge=10)
    memory_mib: int = Field(ge=16)
    replicas: int = Field(default=1, ge=1)
    most_replicas: int | None = Field(default=None, description="Set: scaled by its load up to this many.")

    @property
    def resources(self) -> dict[str, dict[str, str]]:
        """Return the `resources` of a container."""
        memory = f"{self.memory_mib}Mi"
        return {"requests": {"cpu": f"{self.cpu_millis}m", "memory": memory}, "limits": {"memory": memory}}


class Tier(BaseModel):
    """The sizes of a deployment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zones: int
    nat: Literal["one", "each-zone"]
    interface_endpoints: bool
    database_minimum: float
    database_maximum: float
    database_instances: int
    backup_days: int
    system_instance: str
    system_nodes: int
    add_on_replicas: int
    most_cpus: int
    runner_cpu: str
    runner_memory: str
    most_dagster_runs: int
    dagster_run: Ask
    programs: dict[str, Ask]

    @property
    def system_type(self) -> InstanceType:
        return instance(self.system_instance)


# Memory is twice what the programs of an idle embedded stack hold (code server 360 MiB in two processes, webserver 173,
# daemon 150, API 122, door 80, proxy 71, viewer 58 before its first page), and what their libraries need under load.
STARTER = Tier(
    zones=2,
    nat="one",
    interface_endpoints=False,
    database_minimum=0.5,
    database_maximum=4,
    database_instances=1,
    backup_days=7,
    system_instance="m7i-flex.large",
    system_nodes=2,
    add_on_replicas=1,
    most_cpus=32,
    runner_cpu="1",
    runner_memory="4Gi",
    most_dagster_runs=2,
    dagster_run=Ask(cpu_millis=250, memory_mib=1024),
    programs={
        "api": Ask(cpu_millis=150, memory_mib=384),
        "proxy": Ask(cpu_millis=200, memory_mib=512),
        "door": Ask(cpu_millis=50, memory_mib=192),
        "viewer": Ask(cpu_millis=100, memory_mib=512),
        "dagster-web": Ask(cpu_millis=100, memory_mib=512),
        "dagster-daemon": Ask(cpu_millis=150, memory_mib=512),
        "dagster-code": Ask(cpu_millis=200, memory_mib=1024),
    },
)
TEAM = Tier(
    zones=3,
    nat="each-zone",
    interface_endpoints=True,
    database_minimum=2,
    database_maximum=32,
    database_instances=2,
    backup_days=30,
    system_instance="m7i.xlarge",
    system_nodes=4,
    add_on_replicas=2,
    most_cpus=1000,
    runner_cpu="2",
    runner_memory="16Gi",
    most_dagster_runs=8,
    dagster_run=Ask(cpu_millis=500, memory_mib=2048),
    programs={
        "api": Ask(cpu_millis=500, memory_mib=1024, replicas=2, most_replicas=6),
        "proxy": Ask(cpu_millis=1000, memory_mib=1536, replicas=2, most_replicas=8),
        "door": Ask(cpu_millis=200, memory_mib=384, replicas=2),
        "viewer": Ask(cpu_millis=500, memory_mib=2048, replicas=2),
        "dagster-web": Ask(cpu_millis=250, memory_mib=1024, replicas=2),
        "dagster-daemon": Ask(cpu_millis=250, memory_mib=1024),
        "dagster-code": Ask(cpu_millis=500, memory_mib=2048),
    },
)
TIERS = {"starter": STARTER, "team": TEAM}
