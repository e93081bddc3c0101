"""Which paths of a provider are let through: those of calls that name a model, spelled plainly.

Files, batches, stored responses and the like belong to whoever owns the provider key, so all of them stay shut.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

ProviderKind = Literal["openai", "anthropic", "google", "vertex", "azure"]

# Google's SDK asks for v1 or v1beta as it likes; v1beta knows all that v1 knows, tools included.
GOOGLE_VERSION = "v1beta"

_MODEL = r"(?P<model>[A-Za-z0-9][A-Za-z0-9._-]*)"
# Groq's SDK puts `/openai` before the version; others may leave the version out.
_OPENAI = re.compile(
    r"(?:/openai)?(?:/v1)?/(?P<operation>chat/completions|completions|responses|responses/input_tokens|embeddings)"
)
_AZURE = re.compile(
    r"(?P<before>/openai/deployments/)" + _MODEL + r"(?P<after>/(?P<operation>chat/completions|completions|embeddings))"
    r"|/openai/v1/(?P<plain>chat/completions|responses|embeddings)"
)
_ANTHROPIC = re.compile(r"/v1/(?P<operation>messages|messages/count_tokens)")
_GOOGLE = re.compile(
    r"/(?:v1|v1beta)/models/"
    + _MODEL
    + r":(?P<operation>generateContent|streamGenerateContent|countTokens|embedContent)"
)
_VERTEX = re.compile(
    r"/(?P<version>v1|v1beta1)/(?:projects/[A-Za-z0-9._-]+/locations/[a-z0-9-]+/)?publishers/google/models/"
    + _MODEL
    + r":(?P<operation>generateContent|streamGenerateContent|countTokens)"
)
# They answer with a number of tokens, and use none.
FREE_OPERATIONS = frozenset({"messages/count_tokens", "countTokens", "responses/input_tokens"})


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes at its provider; `model` is None where the body names it."""

    operation: str
    before_model: str
    model: str | None = None
    after_model: str = ""

    def path(self, provider_model: str | None) -> str:
        """Return the path, with the model's name at the provider where the path has one."""
        if self.model is None:
            return self.before_model
        return f"{self.before_model}{provider_model or self.model}{self.after_model}"


@dataclass(frozen=True, slots=True)
class VertexPlace:
    """Whose project a call to Vertex is for, and where; never the caller's choice."""

    project: str
    location: str


@lru_cache(maxsize=1024)
def target_of(kind: ProviderKind, path: str, *, place: VertexPlace | None = None) -> Target | None:
    """Return where a path leads, or None if it is not let through."""
    match kind:
        case "openai":
            found = _OPENAI.fullmatch(path)
            return Target(found["operation"], f"/v1/{found['operation']}") if found else None
        case "anthropic":
            found = _ANTHROPIC.fullmatch(path)
            return Target(found["operation"], path) if found else None
        case "azure":
            found = _AZURE.fullmatch(path)
            if not found:
                return None
            if found["plain"]:
                return Target(found["plain"], path)
            return Target(found["operation"], found["before"], found["model"], found["after"])
        case "google":
            found = _GOOGLE.fullmatch(path)
            before = f"/{GOOGLE_VERSION}/models/"
        case "vertex":
            found = _VERTEX.fullmatch(path)
            owner = f"projects/{place.project}/locations/{place.location}/" if place else ""
            before = f"/{found['version']}/{owner}publishers/google/models/" if found else ""
    return Target(found["operation"], before, found["model"], f":{found['operation']}") if found else None
