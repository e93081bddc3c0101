"""The project as such: it parses without a database, knows every table, and describes every column."""

import json
import re
from typing import Any

import pytest

from hawk.naming import INTERMEDIATE_SCHEMA, MARTS_SCHEMA, OPS_SCHEMA, STAGING_SCHEMA
from hawk.warehouse.tables import RAW_TABLES, metadata
from tests.marts import PROJECT_DIR, parse


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the manifest of a parse without any database."""
    target = tmp_path_factory.mktemp("target")
    parse(target)
    return json.loads((target / "manifest.json").read_text())


def models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def test_every_raw_table_is_a_source(manifest: dict[str, Any]) -> None:
    sources = {(source["schema"], source["name"]) for source in manifest["sources"].values()}

    assert {(table.schema, table.name) for table in RAW_TABLES} <= sources
    assert {(OPS_SCHEMA, "eval_set"), (OPS_SCHEMA, "log_inbox"), (OPS_SCHEMA, "attempt")} <= sources


def test_every_source_is_a_table_and_described(manifest: dict[str, Any]) -> None:
    tables = {(table.schema, table.name) for table in metadata.sorted_tables}

    for source in manifest["sources"].values():
        assert (source["schema"], source["name"]) in tables
        assert source["description"].endswith("."), source["name"]


def test_schemas_are_those_of_the_naming_module(manifest: dict[str, Any]) -> None:
    assert {model["schema"] for model in models(manifest)} == {STAGING_SCHEMA, INTERMEDIATE_SCHEMA, MARTS_SCHEMA}


def test_every_column_of_every_mart_is_described_and_typed(manifest: dict[str, Any]) -> None:
    marts = [model for model in models(manifest) if model["schema"] == MARTS_SCHEMA]

    assert marts
    for mart in marts:
        assert mart["contract"]["enforced"], mart["name"]
        assert "One row per" in mart["description"], mart["name"]
        for column in mart["columns"].values():
            assert column["description"], (mart["name"], column["name"])
            assert column["data_type"], (mart["name"], column["name"])


def test_the_readme_lists_every_mart(manifest: dict[str, Any]) -> None:
    lines = re.findall(r"^\| (`.*?`) \|", (PROJECT_DIR / "README.md").read_text(), flags=re.MULTILINE)
    listed = [name.strip("`") for line in lines for name in line.split(", ")]

    assert sorted(listed) == sorted(model["name"] for model in models(manifest) if model["schema"] == MARTS_SCHEMA)


def test_every_mart_has_a_unit_test(manifest: dict[str, Any]) -> None:
    tested = {test["model"] for test in manifest["unit_tests"].values()}

    assert {model["name"] for model in models(manifest) if model["schema"] == MARTS_SCHEMA} <= tested


def test_only_staging_reads_sources(manifest: dict[str, Any]) -> None:
    for model in models(manifest):
        reads_sources = any(parent.startswith("source.") for parent in model["depends_on"]["nodes"])
        assert reads_sources == (model["schema"] == STAGING_SCHEMA), model["name"]
