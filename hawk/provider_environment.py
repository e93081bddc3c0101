"""Where Inspect's providers send their calls, as variables of the environment of a run."""

import re
from collections.abc import Iterable

from hawk.naming import PROXY_URL_VARIABLE

_PROVIDER_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
# Services that Inspect reaches by another provider's client, by how their models' names begin: the variables' prefixes
# for URL and key, and the path at the proxy. Vertex is called with a key alone (its express mode).
_SERVICES = {
    "google/vertex/": ("GOOGLE_VERTEX", "VERTEX", "vertex"),
    "openai/azure/": ("AZUREAI_OPENAI", "AZUREAI_OPENAI", "azure"),
}
_WITH_VERSION_OF_THEIR_OWN = frozenset({"groq", "mistral"})  # their SDKs put it into the path


def provider_environment(proxy_url: str, token: str, model_names: Iterable[str]) -> dict[str, str]:
    """Return variables that send every provider's calls to the proxy, which takes the token for a key."""
    proxy = proxy_url.rstrip("/")
    environment = {
        PROXY_URL_VARIABLE: proxy,
        "OPENAI_BASE_URL": f"{proxy}/openai/v1",
        "OPENAI_API_KEY": token,
        "ANTHROPIC_BASE_URL": f"{proxy}/anthropic",
        "ANTHROPIC_API_KEY": token,
        "GOOGLE_BASE_URL": f"{proxy}/google",
        "GOOGLE_API_KEY": token,
    }
    for model_name in model_names:
        for beginning, (of_url, of_key, path) in _SERVICES.items():
            if model_name.startswith(beginning):
                environment |= {f"{of_url}_BASE_URL": f"{proxy}/{path}", f"{of_key}_API_KEY": token}
        # Inspect reads {PROVIDER}_BASE_URL of each that speaks as OpenAI does: openrouter/x, openai-api/vllm/x.
        provider = model_name.removeprefix("openai-api/").partition("/")[0]
        if _PROVIDER_NAME.fullmatch(provider):
            variable = provider.upper().replace("-", "_")
            version = "" if provider in _WITH_VERSION_OF_THEIR_OWN else "/v1"
            environment.setdefault(f"{variable}_BASE_URL", f"{proxy}/{provider}{version}")
            environment.setdefault(f"{variable}_API_KEY", token)
    return environment
