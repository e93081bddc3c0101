"""Administrators keep models, providers, keys, limits and budgets; everybody sees what concerns them."""

from decimal import Decimal

import pytest

from tests.fakes.hawk_api import PRIVATE, PUBLIC, HawkApi


@pytest.fixture(autouse=True)
def empty_registry(hawk_api: HawkApi) -> None:
    tables = (
        *("usage_limit", "usage_budget", "team_member", "model_provider", "provider_key"),
        *("model_call", "model_spend", "provider_limit"),
    )
    hawk_api.execute(f"truncate {', '.join(f'ops.{table}' for table in tables)}")


def call(client, hawk_api: HawkApi, method: str, path: str, body=None, *, account="admin", status=200):
    response = client.request(method, path, json=body, headers=hawk_api.headers(account))
    assert response.status_code == status, response.text
    return response.json()


def acts(client, hawk_api: HawkApi) -> list[tuple[str, str]]:
    entries = call(client, hawk_api, "GET", "/audit")["entries"]
    return [(entry["action"], entry["object_id"]) for entry in entries if not entry["action"].startswith("request")]


def test_model_is_added_with_the_list_prices_changed_deactivated_and_activated(client, hawk_api):
    added = call(
        client,
        hawk_api,
        "POST",
        "/admin/models",
        {"model_name": "openai/fast", "model_group": PUBLIC, "provider_model": "gpt-4o-mini"},
        status=201,
    )
    updated = call(
        client,
        hawk_api,
        "PATCH",
        "/admin/models/openai/fast",
        {"model_group": PRIVATE, "output_tokens": 100, "prices": [{"input_usd": "9", "output_usd": "9"}]},
    )
    off = call(client, hawk_api, "POST", "/admin/models/openai/fast/deactivate")
    on = call(client, hawk_api, "POST", "/admin/models/openai/fast/activate")
    listed = call(client, hawk_api, "GET", "/admin/models")["models"]

    assert (added["provider_model"], added["is_active"], added["context_tokens"]) == ("gpt-4o-mini", True, 128000)
    assert Decimal(added["prices"][0]["input_usd"]) == Decimal("0.15")
    assert added["prices"][0]["source"].startswith("genai-prices")
    assert (updated["model_group"], updated["output_tokens"], updated["provider_model"]) == (
        PRIVATE,
        100,
        "gpt-4o-mini",
    )
    assert [price["source"].split()[0] for price in updated["prices"]] == ["genai-prices", "by"]
    assert (off["is_active"], on["is_active"]) == (False, True)
    assert {model["model_name"] for model in listed} == {
        "openai/fast",
        "openai/small",
        "openai/secret",
        "anthropic/small",
    }
    assert [act for act in acts(client, hawk_api) if act[1] == "openai/fast"] == [
        ("model.activate", "openai/fast"),
        ("model.deactivate", "openai/fast"),
        ("model.update", "openai/fast"),
        ("model.add", "openai/fast"),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/admin/models", {"model_name": "openai/small", "model_group": PUBLIC}, 409),
        ("POST", "/admin/models", {"model_name": "openai/x", "model_group": "__unresolved__"}, 422),
        ("POST", "/admin/models", {"model_name": "a b", "model_group": PUBLIC}, 422),
        ("POST", "/admin/models", {"model_name": "openai/x", "model_group": PUBLIC, "dead": True}, 422),
        ("PATCH", "/admin/models/openai/nobody", {"lab": "x"}, 404),
        ("PATCH", "/admin/models/openai/secret", {"take_listed_prices": True}, 422),
        ("POST", "/admin/models/openai/nobody/deactivate", None, 404),
        ("PUT", "/admin/providers/gpu", {"dialect": "openai", "upstream": "file:///x", "key_reference": "none"}, 422),
        (
            "PUT",
            "/admin/providers/gpu",
            {"dialect": "openai", "upstream": "https://gpu", "key_reference": "env:PATH"},
            422,
        ),
        ("PUT", "/admin/provider-keys/openrouter", {"key": "a\nb"}, 422),
        ("DELETE", "/admin/provider-keys/openrouter", None, 404),
        ("DELETE", "/admin/providers/gpu", None, 404),
        ("PUT", "/admin/limits/user/alice", {"concurrency": 1}, 422),
        ("PUT", "/admin/limits/model/openai/small", {"concurrency": -1}, 422),
        ("DELETE", "/admin/limits/model/openai/small", None, 404),
        ("PUT", "/admin/budgets/user/week/alice", {"limit_usd": 1}, 422),
        ("DELETE", "/admin/budgets/user/day/alice", None, 404),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(client, hawk_api, method, path, body, status):
    before = hawk_api.rows("select * from ops.model_group")

    problem = call(client, hawk_api, method, path, body, status=status)

    assert problem["detail"]
    assert hawk_api.rows("select * from ops.model_group") == before
    assert hawk_api.rows("select * from ops.model_provider") == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/models"),
        ("POST", "/admin/models"),
        ("PATCH", "/admin/models/openai/small"),
        ("POST", "/admin/models/openai/small/deactivate"),
        ("GET", "/admin/providers"),
        ("PUT", "/admin/providers/gpu"),
        ("GET", "/admin/providers/openai/models"),
        ("PUT", "/admin/provider-keys/openai"),
        ("PUT", "/admin/limits/model/openai/small"),
        ("PUT", "/admin/budgets/user/day/alice"),
        ("PUT", "/admin/teams/red"),
    ],
)
def test_only_administrators_keep_the_registry(client, hawk_api, method, path):
    for account, status in (("researcher", 403), (None, 401)):
        headers = hawk_api.headers(account) if account else {}
        assert client.request(method, path, json={}, headers=headers).status_code == status


def test_key_is_stored_encrypted_and_never_given_back(client, hawk_api):
    secret = "sk-or-very-secret"

    answer = call(client, hawk_api, "PUT", "/admin/provider-keys/openrouter", {"key": f" {secret}\n"})
    listed = call(client, hawk_api, "GET", "/admin/providers")
    stored = hawk_api.rows("select ciphertext from ops.provider_key")[0]["ciphertext"]
    audited = call(client, hawk_api, "GET", "/audit")

    assert answer == {"provider": "openrouter", "is_stored": True}
    assert listed["stored_keys"] == ["openrouter"]
    assert secret.encode() not in bytes(stored)
    assert secret not in str(listed) + str(audited)
    assert call(client, hawk_api, "DELETE", "/admin/provider-keys/openrouter")["is_stored"] is False


def test_provider_is_registered_and_forgotten(client, hawk_api):
    body = {"dialect": "openai", "upstream": "http://gpu.internal:8000", "key_reference": "env:GPU_API_KEY"}

    call(client, hawk_api, "PUT", "/admin/providers/gpu", body)
    [listed] = call(client, hawk_api, "GET", "/admin/providers")["providers"]
    call(client, hawk_api, "DELETE", "/admin/providers/gpu")

    assert listed == {"provider": "gpu", **body, "is_active": True, "has_stored_key": False}
    assert call(client, hawk_api, "GET", "/admin/providers")["providers"] == []


def spend(hawk_api: HawkApi, model: str, user: str, usd: str, *, eval_set_id: str = "", days_ago: int = 0) -> None:
    hawk_api.execute(
        "insert into ops.model_spend values (current_date - %s::int, %s, %s, %s, 2, 1, 10, 20, 3, 4, 5, %s, %s)",
        *(days_ago, eval_set_id, user, model, usd, usd),
    )


class TestUsage:
    def rows(self, client, hawk_api, account: str, query: str = "") -> dict[str, str]:
        answer = call(client, hawk_api, "GET", f"/usage?{query}", account=account)
        return {row["name"]: row["charged_usd"] for row in answer["rows"]}

    def test_person_sees_own_calls_of_models_they_may_see(self, client, hawk_api):
        mine = "public-user"
        spend(hawk_api, "openai/small", mine, "1")
        spend(hawk_api, "openai/secret", mine, "2")
        spend(hawk_api, "openai/small", "someone", "4")
        spend(hawk_api, "gone/model", mine, "8")

        assert self.rows(client, hawk_api, "public-user") == {"openai/small": "1"}
        assert self.rows(client, hawk_api, "outsider") == {}
        hawk_api.execute(
            "update ops.model_group set model_group = 'model-access-admins' where model_name = 'openai/small'"
        )
        assert self.rows(client, hawk_api, "public-user") == {}

    def test_rows_are_of_days_eval_sets_or_models(self, client, hawk_api):
        mine = "researcher"
        spend(hawk_api, "openai/small", mine, "1", eval_set_id="a")
        spend(hawk_api, "openai/secret", mine, "2", eval_set_id="b")
        spend(hawk_api, "openai/small", mine, "4", days_ago=3)

        assert self.rows(client, hawk_api, "researcher", "by=eval_set") == {"": "4", "b": "2", "a": "1"}
        assert self.rows(client, hawk_api, "researcher", "days=3") == {"openai/secret": "2", "openai/small": "1"}
        assert list(self.rows(client, hawk_api, "researcher", "by=day").values()) == ["4", "3"]
        assert self.rows(client, hawk_api, "researcher", "eval_set_id=a") == {"openai/small": "1"}

    def test_what_goes_on_now_is_seen(self, client, hawk_api):
        columns = "call_id, worker_id, state, started_at, ended_at, provider, model_name, provider_model, model_group"
        rest = "operation, principal_kind, user_name, priority, request_bytes, reserved_usd, charged_usd, usage_state"
        for state, ended, status, tokens in (
            ("open", None, None, None),
            ("complete", "now", 200, 7),
            ("complete", "now", 429, None),
        ):
            hawk_api.execute(
                f"insert into ops.model_call ({columns}, {rest}, waited_seconds, retry_count, http_status,"
                " input_tokens, output_tokens, input_tokens_cache_read, input_tokens_cache_write)"
                " values (gen_random_uuid(), 'w', %s,"
                " now(), %s::timestamptz, 'openai', 'openai/small', 'small', %s, 'chat/completions', 'user', %s,"
                " 'medium', 1, 0, 0, 'reported', 0.5, 0, %s, %s, 1, 0, 0)",
                state,
                ended,
                PUBLIC,
                "researcher",
                status,
                tokens,
            )

        [live] = call(client, hawk_api, "GET", "/usage/live", account="researcher")["models"]

        assert live == {
            "model_name": "openai/small",
            "open_calls": 1,
            "calls_last_minute": 3,
            "tokens_last_minute": 8,
            "refused_by_provider_last_minute": 1,
            "waited_seconds": 0.5,
        }
        assert call(client, hawk_api, "GET", "/usage/live", account="outsider") == {"models": []}

    def test_limits_and_budgets_are_seen_by_whom_they_concern(self, client, hawk_api):
        mine = "public-user"
        call(client, hawk_api, "PUT", "/admin/limits/model/openai/small", {"concurrency": 3})
        call(client, hawk_api, "PUT", f"/admin/limits/group/{PRIVATE}", {"tokens_per_minute": 1000})
        call(client, hawk_api, "PUT", f"/admin/budgets/user/month/{mine}", {"limit_usd": "12.5"})
        call(client, hawk_api, "PUT", "/admin/budgets/team/day/red", {"limit_usd": "5"})
        call(client, hawk_api, "PUT", "/admin/budgets/team/day/blue", {"limit_usd": "5"})
        call(client, hawk_api, "PUT", "/admin/teams/red", {"members": [mine, "someone"]})
        spend(hawk_api, "openai/small", mine, "1.5")
        spend(hawk_api, "openai/small", "someone", "2")
        hawk_api.execute(
            "insert into ops.provider_limit values"
            " ('openai', 'openai/small', now(), 200, '{\"x-ratelimit-limit\": \"9\"}'),"
            " ('openai', 'openai/secret', now(), 200, '{}')"
        )

        seen = call(client, hawk_api, "GET", "/usage/limits", account="public-user")
        outsider = call(client, hawk_api, "GET", "/usage/limits", account="outsider")

        assert [(limit["scope"], limit["name"], limit["concurrency"]) for limit in seen["limits"]] == [
            ("model", "openai/small", 3)
        ]
        assert [(entry["scope"], entry["name"], entry["spent_usd"]) for entry in seen["budgets"]] == [
            ("team", "red", "3.5"),
            ("user", mine, "1.5"),
        ]
        assert [entry["model_name"] for entry in seen["provider_limits"]] == ["openai/small"]
        assert outsider == {"limits": [], "budgets": [], "provider_limits": []}
        call(client, hawk_api, "DELETE", "/admin/budgets/team/day/red")
        call(client, hawk_api, "DELETE", "/admin/limits/model/openai/small")
        assert call(client, hawk_api, "PUT", "/admin/teams/red", {"members": []})["members"] == []
