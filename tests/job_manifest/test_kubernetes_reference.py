"""The page on Kubernetes says what the code does."""

import json
from pathlib import Path

from hawk.job_manifest.floor import MAY_BE_SET
from hawk.settings import KubernetesSettings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "kubernetes.md"


def test_page_has_every_setting_with_its_default() -> None:
    text = PAGE.read_text()
    for name, field in KubernetesSettings.model_fields.items():
        if name == "home":
            continue
        value = field.get_default(call_default_factory=True)
        shown = json.dumps(value) if isinstance(value, dict | list | tuple) else value
        default = "unset" if value is None else f"`{shown}`"
        assert f"| `HAWK_{name.upper()}` | {default} |" in text, name


def test_page_has_all_that_a_run_may_set() -> None:
    text = PAGE.read_text()
    for section, keys in MAY_BE_SET.items():
        if keys:
            assert f"| `{section}` | {', '.join(f'`{key}`' for key in sorted(keys))} |" in text
