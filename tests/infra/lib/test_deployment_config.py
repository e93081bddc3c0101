"""The configuration of a deployment: what is taken, what is refused with which words, and its fresh reference."""

import json

import pytest
import yaml

from hawk.errors import UserError
from infra.lib.config import DeploymentConfig
from infra.lib.config_file import EXAMPLE, example, read_config
from infra.lib.sizes import STARTER, TEAM

LEAST = {"hawk:domain": "hawk.example.org", "hawk:images": json.dumps({"tag": "1"})}


def test_example_is_as_the_model_has_it():
    assert EXAMPLE.read_text() == example(), "run: python -m infra.lib.config_file"


def test_example_is_read_and_changes_no_default():
    values = yaml.safe_load(EXAMPLE.read_text())["config"]
    as_pulumi_gives_it = {
        key: json.dumps(value) if isinstance(value, dict) else str(value) for key, value in values.items()
    }

    config = read_config(as_pulumi_gives_it)

    least = read_config(LEAST | {"hawk:images": json.dumps({"tag": config.images.tag})})
    assert config == least


def test_every_key_is_described():
    sections = [DeploymentConfig, *(field.annotation for field in DeploymentConfig.model_fields.values())]
    models = [model for model in sections if isinstance(model, type) and hasattr(model, "model_fields")]

    undescribed = [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if not field.description and field.annotation not in models
    ]

    assert undescribed == []


def test_domain_and_tag_are_enough():
    config = read_config(LEAST)

    assert config.tier == "starter"
    assert config.sizes == STARTER
    assert config.host("api") == "api.hawk.example.org"


def test_tier_gives_sizes_and_keys_of_their_own_win():
    config = read_config(LEAST | {"hawk:tier": "team", "hawk:database": '{"maximum_capacity": 64}'})

    assert config.sizes == TEAM.model_copy(update={"database_maximum": 64})


def test_values_of_other_projects_are_left_alone():
    assert read_config(LEAST | {"aws:region": "eu-west-1", "other:key": "x"}) == read_config(LEAST)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"hawk:domian": "x"}, "hawk:domian: there is no such key. Did you mean domain?"),
        (
            {"hawk:database": '{"engine": "x"}'},
            "hawk:database.engine: there is no such key. Did you mean engine_",
        ),
        ({"hawk:network": '{"cidr": "10.0.0.0/24"}'}, "not between /16 and /20"),
        ({"hawk:network": '{"cidr": "10.0.0.1/16"}'}, "hawk:network.cidr"),
        ({"hawk:network": "10.0.0.0/16"}, "it has keys of its own"),
        ({"hawk:database": '{"minimum_capacity": 8, "maximum_capacity": 2}'}, "8.0 is more than the maximum, 2.0"),
        ({"hawk:database": '{"minimum_capacity": 0}'}, "greater than or equal to 0.5"),
        ({"hawk:domain": "localhost"}, "hawk:domain"),
        ({"hawk:images": '{"tag": "latest"}'}, "name the tag that you pushed"),
        ({"hawk:identity": '{"issuer": "https://id.example.org"}'}, "web_client_secret is not"),
        ({"hawk:observability": '{"monthly_budget_usd": 100}'}, "nobody would be told"),
        ({"hawk:observability": '{"datadog_site": "datadoghq.com"}'}, "datadog_api_key is not"),
        ({"hawk:cluster": '{"version": "1.29"}'}, "hawk:cluster.version"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(values: dict[str, str], words: str):
    with pytest.raises(UserError) as refused:
        read_config(LEAST | values)

    assert words in str(refused.value)
    assert "Pulumi.example.yaml" in refused.value.hint or "pulumi config set" in refused.value.hint


def test_every_fault_is_told_at_once():
    with pytest.raises(UserError) as refused:
        read_config({"hawk:tier": "huge", "hawk:name": "UPPER"})

    assert {place for place in ("tier", "name", "domain", "images") if f"hawk:{place}" in str(refused.value)} == {
        "tier",
        "name",
        "domain",
        "images",
    }
