from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from cryptography.fernet import Fernet
from psycopg.rows import DictRow, dict_row
from pydantic import SecretStr

from hawk.auth import TokenVerifier
from hawk.errors import ConfigError, Conflict, NotFound, UserError
from hawk.eval_sets import (
    ALLOWED_FROM,
    EvalSetRow,
    eval_set_row,
    job_environment,
    job_spec_for,
    mark_status,
    note_run,
)
from hawk.job_secrets import delete_secrets, store_secrets
from hawk.settings import IdentitySettings, OrchestrationSettings

KEY = SecretStr(Fernet.generate_key().decode())
JOB_KEY = SecretStr("j" * 40)
CONFIG: dict[str, Any] = {
    "name": "arithmetic",
    "tasks": [{"package": "inspect-ai", "items": [{"name": "task"}]}],
    "models": [{"package": "inspect-ai", "items": [{"name": "openai/small"}]}],
}


@pytest.fixture
def connection(shared_database_url: str) -> Iterator[psycopg.Connection[DictRow]]:
    with psycopg.connect(shared_database_url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("truncate ops.eval_set, ops.job_secret")
        yield connection


@pytest.fixture
def settings(shared_database_url: str) -> OrchestrationSettings:
    return OrchestrationSettings(
        database_url=SecretStr(shared_database_url),
        secret_key=KEY,
        bucket="logs",
        s3_endpoint_url="http://127.0.0.1:1",
        s3_access_key_id="id",
        s3_secret_access_key=SecretStr("secret"),
        job_token_key=JOB_KEY,
        proxy_url="http://proxy.example/",
        api_url="http://api.example/",
    )


def insert(connection, config: dict[str, Any] | None = CONFIG, *, status: str = "claimed", created_by="alice") -> None:
    connection.execute(
        "insert into ops.eval_set (eval_set_id, name, origin, config, created_by, email, model_names, model_groups,"
        " status, created_at, status_changed_at) values ('mine', 'arithmetic', 'api', %s, %s, 'alice@example.org',"
        " '{openai/small}', '{model-access-public}', %s, now() - interval '1 hour', now() - interval '1 hour')",
        [psycopg.types.json.Jsonb(config) if config is not None else None, created_by, status],
    )


STATES = sorted(ALLOWED_FROM)
MOVES = [(old, new) for old in STATES for new in STATES]


@pytest.mark.parametrize(("old", "new"), MOVES, ids=[f"{old} to {new}" for old, new in MOVES])
def test_status_moves_only_as_allowed(connection, old, new) -> None:
    insert(connection, status=old)

    if old == new or old in ALLOWED_FROM[new]:
        assert mark_status(connection, "mine", new, reason="so") == (old != new)
        assert eval_set_row(connection, "mine").status == new
    else:
        with pytest.raises(Conflict, match=f"is {old} and cannot become {new}"):
            mark_status(connection, "mine", new)
        assert eval_set_row(connection, "mine").status == old


def test_every_ended_set_can_run_again() -> None:
    assert all(
        {"complete", "failed", "stopped", "deleted"} <= ALLOWED_FROM[active] for active in ("claimed", "launched")
    )


def test_same_status_again_keeps_its_time_and_its_run(connection) -> None:
    insert(connection)
    before = eval_set_row(connection, "mine")
    note_run(connection, "mine", "run-1")

    mark_status(connection, "mine", "claimed", reason="waiting")

    row = eval_set_row(connection, "mine")
    assert (row.status_changed_at, row.dagster_run_id, row.status_reason) == (
        before.status_changed_at,
        "run-1",
        "waiting",
    )


def test_reason_with_a_nul_is_stored_without_it(connection) -> None:
    insert(connection)

    mark_status(connection, "mine", "failed", reason="a\0b\ud800")

    assert eval_set_row(connection, "mine").status_reason == "a\ufffdb\ufffd"


def test_set_that_is_not_there_is_not_found(connection) -> None:
    with pytest.raises(NotFound):
        eval_set_row(connection, "mine")
    with pytest.raises(NotFound):
        mark_status(connection, "mine", "launched")


class TestJobSpec:
    def test_tells_the_runner_what_it_needs(self, connection, settings) -> None:
        insert(connection)

        spec = job_spec_for(eval_set_row(connection, "mine"), settings)

        assert spec.job_id == "mine"
        assert spec.config.name == "arithmetic"
        assert spec.infra.log_dir == "s3://logs/evals/mine"
        assert spec.infra.metadata == {"eval_set_id": "mine", "created_by": "alice"}
        assert spec.infra.model_groups == ("model-access-public",)

    def test_same_row_gives_the_same_bytes_whatever_its_status(self, connection, settings) -> None:
        insert(connection)
        first = job_spec_for(eval_set_row(connection, "mine"), settings).to_json()

        mark_status(connection, "mine", "launched", dagster_run_id="run-1")

        assert job_spec_for(eval_set_row(connection, "mine"), settings).to_json() == first

    def test_holds_no_secret(self, connection, settings) -> None:
        insert(connection)
        store_secrets(connection, "mine", {"TOKEN": SecretStr("swordfish")}, key=KEY)

        assert "swordfish" not in job_spec_for(eval_set_row(connection, "mine"), settings).to_json()

    @pytest.mark.parametrize(("config", "created_by"), [(None, "alice"), (CONFIG, None)])
    def test_set_that_was_never_launched_here_is_an_error(self, connection, settings, config, created_by) -> None:
        insert(connection, config, created_by=created_by)

        with pytest.raises(UserError, match="found by its logs"):
            job_spec_for(eval_set_row(connection, "mine"), settings)

    def test_stored_config_that_does_not_hold_any_more_is_an_error(self, connection, settings) -> None:
        insert(connection, {"tasks": 1})

        with pytest.raises(ConfigError):
            job_spec_for(eval_set_row(connection, "mine"), settings)


class TestJobEnvironment:
    def test_points_logs_and_models_to_the_platform(self, connection, settings) -> None:
        insert(connection)

        environment = job_environment(eval_set_row(connection, "mine"), settings, connection)

        token = environment["HAWK_JOB_TOKEN"]
        assert environment == {
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
            "HAWK_JOB_ID": "mine",
            "HAWK_JOB_TOKEN": token,
            "HAWK_TOKEN_BROKER_URL": "http://api.example/token",
            "HAWK_PROXY_URL": "http://proxy.example",
            "OPENAI_BASE_URL": "http://proxy.example/openai/v1",
            "OPENAI_API_KEY": token,
            "ANTHROPIC_BASE_URL": "http://proxy.example/anthropic",
            "ANTHROPIC_API_KEY": token,
            "GOOGLE_BASE_URL": "http://proxy.example/google",
            "GOOGLE_API_KEY": token,
        }

    def test_points_every_provider_of_its_models_to_the_proxy(self, connection, settings) -> None:
        insert(connection)
        names = ("openrouter/lab/m", "openai-api/my-gpus/m", "groq/m", "openai/m", "odd name/m")
        row = eval_set_row(connection, "mine").model_copy(update={"model_names": names})

        environment = job_environment(row, settings, connection)

        assert {name: value for name, value in environment.items() if name.endswith("_BASE_URL")} == {
            "OPENAI_BASE_URL": "http://proxy.example/openai/v1",
            "ANTHROPIC_BASE_URL": "http://proxy.example/anthropic",
            "GOOGLE_BASE_URL": "http://proxy.example/google",
            "OPENROUTER_BASE_URL": "http://proxy.example/openrouter/v1",
            "MY_GPUS_BASE_URL": "http://proxy.example/my-gpus/v1",
            "GROQ_BASE_URL": "http://proxy.example/groq",
        }
        assert environment["MY_GPUS_API_KEY"] == environment["HAWK_JOB_TOKEN"]

    def test_job_token_holds_and_has_the_sets_groups_only(self, connection, settings) -> None:
        insert(connection)
        verifier = TokenVerifier(IdentitySettings(issuer="http://issuer.example", job_token_key=JOB_KEY))

        environment = job_environment(eval_set_row(connection, "mine"), settings, connection)
        principal = verifier.verify(environment["HAWK_JOB_TOKEN"])

        assert (principal.kind, principal.job_id, principal.created_by) == ("job", "mine", "alice")
        assert principal.permissions == {"model-access-public"}
        assert not principal.is_admin

    def test_users_values_win_and_secrets_most(self, connection, settings) -> None:
        config = {
            **CONFIG,
            "runner": {
                "environment": {"OPENAI_API_KEY": "plain", "MODE": "plain"},
                "secrets": [{"name": "ANTHROPIC_API_KEY"}],
            },
        }
        insert(connection, config)
        store_secrets(connection, "mine", {"ANTHROPIC_API_KEY": SecretStr("own"), "MODE": SecretStr("s")}, key=KEY)

        environment = job_environment(eval_set_row(connection, "mine"), settings, connection)

        assert (environment["OPENAI_API_KEY"], environment["ANTHROPIC_API_KEY"]) == ("plain", "own")
        assert environment["MODE"] == "s"

    def test_without_a_proxy_nothing_is_said_of_providers(self, connection, settings) -> None:
        insert(connection)
        alone = settings.model_copy(update={"proxy_url": None})

        environment = job_environment(eval_set_row(connection, "mine"), alone, connection)

        assert not [name for name in environment if "API_KEY" in name or "BASE_URL" in name]

    def test_secret_that_was_deleted_with_the_job_is_an_error(self, connection, settings) -> None:
        insert(connection, {**CONFIG, "runner": {"secrets": [{"name": "TOKEN"}]}})
        store_secrets(connection, "mine", {"TOKEN": SecretStr("x")}, key=KEY)
        row: EvalSetRow = eval_set_row(connection, "mine")
        assert job_environment(row, settings, connection)["TOKEN"] == "x"

        delete_secrets(connection, "mine")

        with pytest.raises(UserError, match="TOKEN"):
            job_environment(row, settings, connection)
