import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import yaml
from cryptography.fernet import Fernet
from psycopg.rows import DictRow, dict_row
from pydantic import SecretStr

from hawk.auth import Principal
from hawk.errors import Bug, Conflict, NotAllowed, Upstream, UserError
from hawk.eval_set_claim import ClaimedEvalSet, EvalSetOrder, EvalSetStores, create_eval_set, operator
from hawk.eval_set_folder import EvalSetFolder, models_file
from hawk.eval_sets import eval_set_row, mark_status
from hawk.job_secrets import read_secrets, store_secrets
from hawk.object_store import s3_client
from hawk.settings import ObjectStoreSettings

PUBLIC, PRIVATE = "model-access-public", "model-access-private"
ALICE = Principal(subject="alice", email="alice@example.org", permissions=frozenset({PUBLIC, PRIVATE}))
BOB = Principal(subject="bob", permissions=frozenset({PUBLIC, PRIVATE}))
ADMIN = Principal(subject="root", permissions=frozenset({PUBLIC, PRIVATE}), is_admin=True)

Config = dict[str, Any]


def config_of(*models: str, **fields: Any) -> Config:
    return {
        "name": "Arithmetic test",
        "tasks": [{"package": "inspect-ai", "items": [{"name": "task"}]}],
        "models": [{"package": "inspect-ai", "items": [{"name": model} for model in models or ("openai/small",)]}],
        **fields,
    }


def order_of(config: Config | None = None, **fields: Any) -> EvalSetOrder:
    return EvalSetOrder(origin="api", config=config_of() if config is None else config, **fields)


@pytest.fixture
def connection(shared_database_url: str) -> Iterator[psycopg.Connection[DictRow]]:
    with psycopg.connect(shared_database_url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("truncate ops.eval_set, ops.job_secret, ops.model_group cascade")
        connection.execute(
            "insert into ops.model_group values ('openai/small', %s), ('openai/secret', %s)", [PUBLIC, PRIVATE]
        )
        yield connection


@pytest.fixture
def stores(shared_object_store: ObjectStoreSettings) -> EvalSetStores:
    s3, bucket = s3_client(shared_object_store), shared_object_store.bucket
    for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=item["Key"])
    return EvalSetStores(s3, bucket, SecretStr(Fernet.generate_key().decode()))


def folder_of(stores: EvalSetStores, eval_set_id: str) -> EvalSetFolder:
    return EvalSetFolder(stores.s3, stores.bucket, eval_set_id)


def object_at(stores: EvalSetStores, key: str) -> bytes:
    return stores.s3.get_object(Bucket=stores.bucket, Key=key)["Body"].read()


def keys(stores: EvalSetStores) -> list[str]:
    return [item["Key"] for item in stores.s3.list_objects_v2(Bucket=stores.bucket).get("Contents", [])]


def count(connection: psycopg.Connection[DictRow], table: str) -> int:
    row = connection.execute(f"select count(*) as count from ops.{table}").fetchone()
    assert row is not None
    return int(row["count"])


def end(connection: psycopg.Connection[DictRow], claimed: ClaimedEvalSet) -> None:
    mark_status(connection, claimed.eval_set_id, "launched")
    mark_status(connection, claimed.eval_set_id, "failed", reason="a test ended it")


def test_new_set_has_row_and_gate_files(connection, stores) -> None:
    config = config_of("openai/small", "openai/secret")

    claimed = create_eval_set(connection, order_of(config, priority="high"), principal=ALICE, stores=stores)

    row = eval_set_row(connection, claimed.eval_set_id)
    assert claimed.eval_set_id.startswith("arithmetic-test-")
    assert not claimed.is_relaunch
    assert (row.status, row.created_by, row.email, row.priority) == ("claimed", "alice", "alice@example.org", "high")
    assert row.config == config
    assert row.model_groups == (PRIVATE, PUBLIC)
    prefix = f"evals/{claimed.eval_set_id}"
    assert json.loads(object_at(stores, f"{prefix}/.models.json")) == {
        "model_names": ["openai/secret", "openai/small"],
        "model_groups": [PRIVATE, PUBLIC],
    }
    assert yaml.safe_load(object_at(stores, f"{prefix}/.config.yaml")) == config


def test_id_of_the_request_wins_over_the_config(connection, stores) -> None:
    order = order_of(config_of(eval_set_id="from-config"), eval_set_id="from-request")

    assert create_eval_set(connection, order, principal=ALICE, stores=stores).eval_set_id == "from-request"


@pytest.mark.parametrize("eval_set_id", ["A", "a_b", "../a", "a/b", "a" * 44, "-a", "a\n", "imported-x"])
def test_malformed_id_is_refused_and_leaves_nothing(connection, stores, eval_set_id) -> None:
    with pytest.raises(UserError):
        create_eval_set(connection, order_of(eval_set_id=eval_set_id), principal=ALICE, stores=stores)

    assert count(connection, "eval_set") == 0
    assert keys(stores) == []


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({}, id="empty"),
        pytest.param(config_of(metadata={"text": "a\0b"}), id="nul"),
        pytest.param(config_of(metadata={"text": "\ud800"}), id="half a surrogate"),
        pytest.param(config_of(metadata={"number": float("nan")}), id="nan"),
        pytest.param(config_of(metadata={"object": object()}), id="no json"),
        pytest.param(config_of(metadata={"text": "x" * 1_100_000}), id="too large"),
        pytest.param(config_of(tasks="text"), id="wrong type"),
        pytest.param(config_of(runner={"environment": {"HAWK_JOB_TOKEN": "mine"}}), id="reserved name"),
        pytest.param(config_of("openai/nobody-knows"), id="unknown model"),
    ],
)
def test_bad_config_is_refused_and_leaves_nothing(connection, stores, config) -> None:
    with pytest.raises(UserError):
        create_eval_set(connection, order_of(config), principal=ALICE, stores=stores)

    assert count(connection, "eval_set") == 0
    assert keys(stores) == []


def test_config_without_a_model_is_refused(connection, stores) -> None:
    config = config_of()
    del config["models"]

    with pytest.raises((UserError, NotAllowed)):
        create_eval_set(connection, order_of(config), principal=ALICE, stores=stores)


def test_models_of_a_group_not_held_are_refused(connection, stores) -> None:
    outsider = Principal(subject="eve", permissions=frozenset({PUBLIC}))

    with pytest.raises(NotAllowed, match=PRIVATE):
        create_eval_set(connection, order_of(config_of("openai/secret")), principal=outsider, stores=stores)

    assert keys(stores) == []


def test_launchpad_may_use_every_registered_model(connection, stores) -> None:
    order = EvalSetOrder(origin="launchpad", config=config_of("openai/secret", "openai/small"))

    claimed = create_eval_set(connection, order, principal=operator(connection), stores=stores)

    assert eval_set_row(connection, claimed.eval_set_id).origin == "launchpad"


def test_connection_in_a_transaction_is_a_bug(shared_database_url, stores) -> None:
    with psycopg.connect(shared_database_url, row_factory=dict_row) as connection:
        connection.execute("select 1")

        with pytest.raises(Bug):
            create_eval_set(connection, order_of(), principal=ALICE, stores=stores)


class TestRelaunch:
    def test_active_set_is_a_conflict(self, connection, stores) -> None:
        claimed = create_eval_set(connection, order_of(eval_set_id="mine"), principal=ALICE, stores=stores)
        mark_status(connection, claimed.eval_set_id, "launched")

        with pytest.raises(Conflict, match="launched already"):
            create_eval_set(connection, order_of(eval_set_id="mine"), principal=ALICE, stores=stores)

    def test_claimed_set_with_a_run_is_a_conflict(self, connection, stores) -> None:
        create_eval_set(connection, order_of(eval_set_id="mine"), principal=ALICE, stores=stores)
        mark_status(connection, "mine", "claimed", dagster_run_id="run-1")

        with pytest.raises(Conflict):
            create_eval_set(connection, order_of(eval_set_id="mine"), principal=ALICE, stores=stores)

    def test_same_order_again_before_any_launch_is_the_same_set(self, connection, stores) -> None:
        create_eval_set(connection, order_of(eval_set_id="mine"), principal=ALICE, stores=stores)

        again = create_eval_set(connection, order_of(eval_set_id="mine"), principal=ALICE, stores=stores)

        assert again == ClaimedEvalSet("mine", is_relaunch=True)
        assert count(connection, "eval_set") == 1

    @pytest.mark.parametrize("state", ["complete", "failed", "stopped", "deleted"])
    def test_ended_set_is_claimed_anew_with_a_new_config(self, connection, stores, state) -> None:
        create_eval_set(connection, order_of(eval_set_id="mine"), principal=ALICE, stores=stores)
        mark_status(connection, "mine", "launched", dagster_run_id="run-1")
        mark_status(connection, "mine", state)

        again = create_eval_set(
            connection, order_of(config_of(limit=3), eval_set_id="mine"), principal=ALICE, stores=stores
        )

        row = eval_set_row(connection, "mine")
        assert again.is_relaunch
        assert (row.status, row.dagster_run_id, row.status_reason) == ("claimed", None, "")
        assert row.config is not None and row.config["limit"] == 3
        assert yaml.safe_load(object_at(stores, "evals/mine/.config.yaml"))["limit"] == 3

    def test_groups_are_united_and_never_shrink(self, connection, stores) -> None:
        config = config_of("openai/secret", eval_set_id="mine")
        end(connection, create_eval_set(connection, order_of(config), principal=ALICE, stores=stores))

        create_eval_set(
            connection, order_of(config_of("openai/small", eval_set_id="mine")), principal=ALICE, stores=stores
        )

        assert eval_set_row(connection, "mine").model_groups == (PRIVATE, PUBLIC)
        models = json.loads(object_at(stores, "evals/mine/.models.json"))
        assert models == {"model_names": ["openai/secret", "openai/small"], "model_groups": [PRIVATE, PUBLIC]}

    def test_owner_who_lost_a_group_of_the_set_is_refused(self, connection, stores) -> None:
        config = config_of("openai/secret", eval_set_id="mine")
        end(connection, create_eval_set(connection, order_of(config), principal=ALICE, stores=stores))
        poorer_alice = Principal(subject="alice", permissions=frozenset({PUBLIC}))

        with pytest.raises(NotAllowed, match=PRIVATE):
            create_eval_set(connection, order_of(eval_set_id="mine"), principal=poorer_alice, stores=stores)

    def test_another_user_gets_a_conflict_and_changes_nothing(self, connection, stores) -> None:
        end(
            connection,
            create_eval_set(connection, order_of(eval_set_id="mine"), principal=ALICE, stores=stores),
        )
        order = order_of(config_of(limit=9), eval_set_id="mine", secrets={"TOKEN": SecretStr("x")})

        with pytest.raises(Conflict, match="taken"):
            create_eval_set(connection, order, principal=BOB, stores=stores)

        assert eval_set_row(connection, "mine").status == "failed"
        assert count(connection, "job_secret") == 0
        assert "limit" not in yaml.safe_load(object_at(stores, "evals/mine/.config.yaml"))

    def test_admin_may_and_the_owner_stays(self, connection, stores) -> None:
        end(
            connection,
            create_eval_set(connection, order_of(eval_set_id="mine"), principal=ALICE, stores=stores),
        )

        create_eval_set(connection, order_of(eval_set_id="mine"), principal=ADMIN, stores=stores)

        row = eval_set_row(connection, "mine")
        assert (row.created_by, row.email) == ("alice", "alice@example.org")


class TestClaim:
    def test_claim_without_a_row_is_adopted_by_its_maker(self, connection, stores) -> None:
        folder_of(stores, "mine").claim(models_file(["openai/secret"], [PRIVATE], "alice"))

        claimed = create_eval_set(connection, order_of(eval_set_id="mine"), principal=ALICE, stores=stores)

        assert not claimed.is_relaunch
        assert eval_set_row(connection, "mine").model_groups == (PRIVATE, PUBLIC)

    @pytest.mark.parametrize("maker", ["alice", None], ids=["another's", "nobody's"])
    def test_claim_of_another_is_a_conflict(self, connection, stores, maker) -> None:
        folder_of(stores, "mine").claim(models_file([], [PUBLIC], maker))

        with pytest.raises(Conflict, match="taken"):
            create_eval_set(connection, order_of(eval_set_id="mine"), principal=BOB, stores=stores)

        assert count(connection, "eval_set") == 0

    def test_claim_with_unreadable_groups_is_a_conflict(self, connection, stores) -> None:
        stores.s3.put_object(Bucket=stores.bucket, Key="evals/mine/.models.json", Body=b"{")

        with pytest.raises(Conflict, match="groups are not known"):
            create_eval_set(connection, order_of(eval_set_id="mine"), principal=ADMIN, stores=stores)

    def test_folder_with_logs_of_unknown_groups_is_not_claimed(self, connection, stores) -> None:
        stores.s3.put_object(Bucket=stores.bucket, Key="evals/mine/some.eval", Body=b"log")

        with pytest.raises(Conflict, match="taken"):
            create_eval_set(connection, order_of(eval_set_id="mine"), principal=ALICE, stores=stores)

        assert keys(stores) == ["evals/mine/some.eval"]

    def test_longer_id_is_another_folder(self, connection, stores) -> None:
        stores.s3.put_object(Bucket=stores.bucket, Key="evals/mine-too/some.eval", Body=b"log")

        assert create_eval_set(connection, order_of(eval_set_id="mine"), principal=ALICE, stores=stores)

    def test_racing_requests_make_one_set(self, connection, shared_database_url, stores) -> None:
        def launch(number: int) -> str:
            with psycopg.connect(shared_database_url, autocommit=True, row_factory=dict_row) as own:
                principal = Principal(subject=f"user-{number}", permissions=frozenset({PUBLIC}))
                try:
                    create_eval_set(own, order_of(eval_set_id="mine"), principal=principal, stores=stores)
                except Conflict:
                    return ""
                return principal.subject

        with ThreadPoolExecutor(8) as pool:
            winners = [winner for winner in pool.map(launch, range(8)) if winner]

        assert len(winners) == 1
        assert eval_set_row(connection, "mine").created_by == winners[0]

    def test_subject_that_is_not_ascii_can_adopt(self, connection, stores) -> None:
        zoe = Principal(subject="zoë|1", permissions=frozenset({PUBLIC}))
        folder_of(stores, "mine").claim(models_file([], [PUBLIC], zoe.subject))

        assert create_eval_set(connection, order_of(eval_set_id="mine"), principal=zoe, stores=stores)

    def test_object_store_that_is_away_leaves_no_row(self, connection, stores) -> None:
        away = EvalSetStores(
            s3_client(
                ObjectStoreSettings(
                    s3_endpoint_url="http://127.0.0.1:1", s3_access_key_id="x", s3_secret_access_key=SecretStr("x")
                )
            ),
            "nothing",
            stores.secret_key,
        )
        order = order_of(eval_set_id="mine", secrets={"TOKEN": SecretStr("x")})

        with pytest.raises(Upstream):
            create_eval_set(connection, order, principal=ALICE, stores=away)

        assert count(connection, "eval_set") == 0
        assert count(connection, "job_secret") == 0


class TestSecrets:
    CONFIG = config_of(runner={"secrets": [{"name": "TOKEN", "description": "for the data"}]})

    def test_declared_secret_that_is_not_given_is_named(self, connection, stores) -> None:
        with pytest.raises(UserError, match=r"TOKEN \(for the data\)"):
            create_eval_set(connection, order_of(self.CONFIG), principal=ALICE, stores=stores)

        assert keys(stores) == []

    def test_secret_is_stored_encrypted(self, connection, stores) -> None:
        order = order_of(self.CONFIG, eval_set_id="mine", secrets={"TOKEN": SecretStr("swordfish")})

        create_eval_set(connection, order, principal=ALICE, stores=stores)

        stored = connection.execute("select ciphertext from ops.job_secret").fetchone()
        assert stored is not None and b"swordfish" not in bytes(stored["ciphertext"])
        assert read_secrets(connection, "mine", key=stores.secret_key) == {"TOKEN": "swordfish"}

    def test_relaunch_uses_the_secret_that_is_kept(self, connection, stores) -> None:
        order = order_of(self.CONFIG, eval_set_id="mine", secrets={"TOKEN": SecretStr("swordfish")})
        end(connection, create_eval_set(connection, order, principal=ALICE, stores=stores))

        create_eval_set(connection, order_of(self.CONFIG, eval_set_id="mine"), principal=ALICE, stores=stores)

        assert read_secrets(connection, "mine", key=stores.secret_key) == {"TOKEN": "swordfish"}

    def test_value_never_stands_in_an_error(self, connection, stores) -> None:
        order = order_of(secrets={"HAWK_X": SecretStr("swordfish")})

        with pytest.raises(UserError) as caught:
            create_eval_set(connection, order, principal=ALICE, stores=stores)

        assert "swordfish" not in f"{caught.value!r} {caught.value.value!r}"

    @pytest.mark.parametrize(
        ("name", "value"),
        [("1A", "x"), ("A B", "x"), ("", "x"), ("AWS_REGION", "x"), ("A", "a\0b"), ("A", "x" * 70_000)],
    )
    def test_secret_that_no_environment_can_hold_is_refused(self, connection, stores, name, value) -> None:
        with pytest.raises(UserError):
            create_eval_set(connection, order_of(secrets={name: SecretStr(value)}), principal=ALICE, stores=stores)

    def test_other_key_is_a_clear_error(self, connection, stores) -> None:
        store_secrets(connection, "mine", {"A": SecretStr("x")}, key=stores.secret_key)

        with pytest.raises(UserError, match="key has changed"):
            read_secrets(connection, "mine", key=SecretStr(Fernet.generate_key().decode()))
