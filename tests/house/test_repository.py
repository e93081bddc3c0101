"""What must stay true of the repository itself, whatever changes in it."""

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("hawk", "orchestration", "assets", "runner", "proxy", "viewer", "infra")
MOST_LINES_A_FILE = 500
MOST_LINES_A_FUNCTION = 60


def tracked_files(*patterns: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


@pytest.mark.parametrize("name", PACKAGES)
def test_top_level_name_resolves_into_this_repository(name: str):
    spec = importlib.util.find_spec(name)

    assert spec is not None and spec.origin is not None
    assert Path(spec.origin) == ROOT / name / "__init__.py"


def test_no_installed_distribution_claims_a_top_level_name_of_ours():
    claims = importlib.metadata.packages_distributions()

    strangers = {name: claims[name] for name in PACKAGES if set(claims.get(name, [])) - {"hawk-dagster"}}

    assert not strangers


def test_lock_names_no_index_and_hashes_everything():
    lock = (ROOT / "requirements.lock").read_text()

    pins = re.findall(r"^[A-Za-z0-9._-]+==.*?(?=^[A-Za-z0-9._-]+==|\Z)", lock, re.MULTILINE | re.DOTALL)

    assert "://" not in lock
    assert len(pins) > 200
    assert [pin.split("==")[0] for pin in pins if "--hash=sha256:" not in pin] == []


def test_every_direct_dependency_has_a_floor_and_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    groups.append(project["dependency-groups"]["test"])
    requirements = [Requirement(text) for group in groups for text in group if not text.startswith("hawk-dagster")]
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = {canonicalize_name(line.split("==")[0]) for line in lines if "==" in line}

    unbounded = [r.name for r in requirements if not any(s.operator in (">=", "==") for s in r.specifier)]
    missing = [r.name for r in requirements if canonicalize_name(r.name) not in locked]

    assert unbounded == []
    assert missing == []


def test_no_file_names_a_path_or_an_index_of_one_machine():
    places = re.compile(r"(?<![\w.}])/(?:root|home/(?!hawk\b)[a-z]+|Users/[A-Za-z]+|work)/[a-z]")
    texts = [
        path
        for path in tracked_files()
        if path.suffix not in (".eval", ".png", ".parquet") and path.name != Path(__file__).name
    ]

    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in texts
        if (match := places.search(path.read_text(errors="replace")))
    ]

    assert found == []


def test_no_python_file_or_function_is_too_long_to_be_read():
    long: list[str] = []
    for path in tracked_files("*.py", ":!hawk/warehouse/migrations/versions"):
        source = path.read_text()
        if source.count("\n") > MOST_LINES_A_FILE:
            long.append(f"{path.relative_to(ROOT)}: {source.count(chr(10))} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_LINES_A_FUNCTION:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines")

    assert long == []


def test_every_module_says_why_it_exists():
    silent = [
        str(path.relative_to(ROOT))
        for path in tracked_files(*(f"{name}/**.py" for name in PACKAGES))
        if "/versions/" not in str(path) and ast.get_docstring(ast.parse(path.read_text())) is None
    ]

    assert silent == []


def test_relative_links_in_the_documentation_lead_somewhere():
    broken = []
    for page in tracked_files("*.md"):
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {target}")

    assert broken == []


def test_every_decision_page_is_listed():
    pages = {path.name for path in (ROOT / "docs" / "decisions").glob("*.md")} - {"README.md"}

    listed = set(re.findall(r"\]\(([a-z0-9-]+\.md)\)", (ROOT / "docs" / "decisions" / "README.md").read_text()))

    assert listed == pages
