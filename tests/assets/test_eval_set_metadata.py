import json

from assets.eval_set_metadata import launch_metadata, shown_config
from assets.launch import launch_eval_set
from tests.fakes.orchestrator import Orchestrator, simple_config


def test_no_secret_value_is_shown(hawk: Orchestrator):
    config = simple_config(
        runner={"secrets": [{"name": "HF_TOKEN", "description": "for data"}], "environment": {"TOKEN": "tok-123"}}
    )
    eval_set_id = hawk.claim(config, secrets={"HF_TOKEN": "hf_secret"})

    launched = launch_eval_set(hawk.settings, hawk.launcher, eval_set_id, dagster_run_id="run")
    shown = json.dumps({name: str(value.value) for name, value in launch_metadata(launched, hawk.settings).items()})

    assert "hf_secret" not in shown
    assert "tok-123" not in shown
    assert "HF_TOKEN" in shown
    assert "TOKEN: (not shown)" in shown


def test_launch_shows_who_where_and_what(hawk: Orchestrator):
    eval_set_id = hawk.claim()

    launched = launch_eval_set(hawk.settings, hawk.launcher, eval_set_id, dagster_run_id="run")
    shown = {name: value.value for name, value in launch_metadata(launched, hawk.settings).items()}

    assert shown["eval_set_id"] == eval_set_id
    assert shown["status"] == "launched"
    assert shown["outcome"] == "created"
    assert shown["models"] == "openai/gpt-4o-mini"
    assert shown["model_groups"] == "model-access-public"
    assert shown["logs"] == f"s3://{hawk.settings.bucket}/evals/{eval_set_id}/"
    assert str(shown["viewer"]).startswith("http://viewer.example/")
    assert "gpqa" in str(shown["grid"])


def test_config_cannot_break_out_of_its_fence():
    shown = shown_config({"name": "```\n<script>alert(1)</script>\n"})

    assert "```" not in shown


def test_long_config_is_cut():
    assert shown_config({"name": "x", "tags": ["y" * 90] * 1000}).endswith("# … cut")


def test_set_of_groups_that_not_all_readers_hold_is_not_described(hawk: Orchestrator):
    hawk.fetch("insert into ops.model_group values ('openai/secret', 'model-access-secret')", returns=False)
    models = [{"package": "openai", "name": "openai", "items": [{"name": "secret"}]}]
    eval_set_id = hawk.claim(simple_config(models=models, name="hidden"))

    launched = launch_eval_set(hawk.settings, hawk.launcher, eval_set_id, dagster_run_id="run")
    shown = {name: str(value.value) for name, value in launch_metadata(launched, hawk.settings).items()}

    assert set(shown) == {"eval_set_id", "status", "created_by", "logs", "viewer", "outcome"}
    assert "secret" not in str(shown)
