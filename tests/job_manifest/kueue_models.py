"""Kueue's objects as its API reference (kueue.x-k8s.io/v1beta1) has them, as far as ours use it; nothing else passes.

Written from the reference, since no package brings Kueue's own definitions: https://kueue.sigs.k8s.io/docs/reference/kueue.v1beta1/
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

Name = Annotated[
    str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
]
Quantity = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(m|[kMGTPE]|[KMGTPE]i)?$")]
API = Literal["kueue.x-k8s.io/v1beta1"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Metadata(Strict):
    name: Name
    namespace: Name | None = None
    labels: dict[str, str] = Field(default_factory=dict)


class LocalQueueSpec(Strict):
    clusterQueue: Name
    stopPolicy: Literal["None", "Hold", "HoldAndDrain"] = "None"


class LocalQueue(Strict):
    apiVersion: API
    kind: Literal["LocalQueue"]
    metadata: Metadata
    spec: LocalQueueSpec

    @model_validator(mode="after")
    def _is_namespaced(self) -> Self:
        assert self.metadata.namespace, "a LocalQueue lives in a namespace"
        return self


class Selector(Strict):
    matchLabels: dict[str, str]


class ResourceQuota(Strict):
    name: str
    nominalQuota: Quantity


class FlavorQuotas(Strict):
    name: Name
    resources: list[ResourceQuota] = Field(min_length=1, max_length=64)


class ResourceGroup(Strict):
    coveredResources: list[str] = Field(min_length=1, max_length=64)
    flavors: list[FlavorQuotas] = Field(min_length=1, max_length=64)

    @model_validator(mode="after")
    def _flavors_cover_the_resources_in_their_order(self) -> Self:
        for flavor in self.flavors:
            assert [resource.name for resource in flavor.resources] == self.coveredResources
        return self


class ClusterQueueSpec(Strict):
    namespaceSelector: Selector
    resourceGroups: list[ResourceGroup] = Field(min_length=1, max_length=16)


class ClusterQueue(Strict):
    apiVersion: API
    kind: Literal["ClusterQueue"]
    metadata: Metadata
    spec: ClusterQueueSpec


class ResourceFlavor(Strict):
    apiVersion: API
    kind: Literal["ResourceFlavor"]
    metadata: Metadata


class WorkloadPriorityClass(Strict):
    apiVersion: API
    kind: Literal["WorkloadPriorityClass"]
    metadata: Metadata
    value: int = Field(ge=-(2**31), lt=2**31)
    description: str = ""


KueueObject = Annotated[LocalQueue | ClusterQueue | ResourceFlavor | WorkloadPriorityClass, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[KueueObject] = TypeAdapter(KueueObject)


def parse(manifest: dict[str, Any]) -> KueueObject:
    """Return the object. Raises pydantic's ValidationError where Kueue would not take it."""
    return _ADAPTER.validate_python(manifest)
