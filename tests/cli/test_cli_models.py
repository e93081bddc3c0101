"""`hawk models`, `hawk secrets`, `hawk usage`."""

import json

from tests.fakes.hawk_api import PUBLIC


def test_models_are_listed_with_or_without_list(hawk) -> None:
    names = ["anthropic/small", "openai/secret", "openai/small"]

    assert hawk("models").stdout.split() == names
    assert hawk("models", "list").stdout.split() == names
    assert json.loads(hawk("models", "list", "-i", "^openai/", "-x", "secret", "--json").stdout) == {
        "models": ["openai/small"]
    }


def test_administrator_keeps_a_model(hawk) -> None:
    added = hawk("models", "add", "openai/fast", PUBLIC, "--provider-model", "gpt-4o-mini", account="admin")
    updated = hawk("models", "update", "openai/fast", "--price", "1,2,0.5", "--note", "cheap", account="admin")
    off = hawk("models", "deactivate", "openai/fast", account="admin")
    shown = hawk("models", "list", "--all", "-i", "fast", account="admin")
    usable = hawk("models", "list", "-i", "fast")
    on = hawk("models", "activate", "openai/fast", "--json", account="admin")

    assert added.stdout == f"openai/fast ({PUBLIC}) is active.\n", added.output
    assert updated.exit_code == 0, updated.output
    assert "deactivated" in off.stdout
    row = shown.stdout.splitlines()[-1].split()
    assert row == ["openai/fast", PUBLIC, "deactivated", "gpt-4o-mini", "1", "2", "128000", "cheap"]
    assert usable.stdout == ""
    assert json.loads(on.stdout)["is_active"] is True


def test_model_without_a_price_says_so(hawk) -> None:
    result = hawk("models", "add", "vllm/ours", PUBLIC, account="admin")

    assert "no price" in result.stderr


def test_what_cannot_be_done_is_said(hawk) -> None:
    for arguments, said in (
        (["models", "update", "openai/small"], "Nothing is to be changed"),
        (["models", "update", "openai/small", "--price", "cheap"], "no price"),
        (["models", "add", "openai/small", PUBLIC], "registered already"),
        (["models", "deactivate", "openai/nobody"], "No model 'openai/nobody'"),
        (["usage", "budget", "user", "alice"], "--usd or --remove"),
        (["models", "-i", "("], "no regular expression"),
    ):
        result = hawk(*arguments, account="admin")
        assert result.exit_code != 0
        assert said in result.stderr, result.output

    denied = hawk("models", "add", "openai/x", PUBLIC)
    assert denied.exit_code == 3
    assert "administrators" in denied.stderr


def test_key_is_read_from_standard_input_and_shown_nowhere(hawk) -> None:
    stored = hawk("secrets", "set", "openrouter", account="admin", input="sk-or-secret\n")
    listed = hawk("secrets", "list", account="admin")
    nothing = hawk("secrets", "set", "openrouter", account="admin", input="")
    removed = hawk("secrets", "remove", "openrouter", account="admin")

    assert stored.exit_code == 0, stored.output
    assert "openrouter" in listed.stdout
    assert "sk-or-secret" not in stored.output + listed.output
    assert nothing.exit_code == 2
    assert "forgotten" in removed.stdout


def test_provider_limit_budget_and_team_are_set(hawk) -> None:
    for arguments in (
        ["models", "provider", "gpu", "--upstream", "http://gpu:8000", "--key", "none"],
        ["models", "limit", "model", "openai/small", "--concurrency", "3"],
        ["usage", "budget", "team", "red", "--usd", "12.5", "--period", "month"],
        ["usage", "team", "red", "alice", "bob"],
    ):
        result = hawk(*arguments, account="admin")
        assert result.exit_code == 0, result.output

    limits = hawk("usage", "limits").stdout
    assert "openai/small" in limits
    budgets = json.loads(hawk("usage", "limits", "--json", account="admin").stdout)["budgets"]
    assert [(entry["name"], entry["period"], entry["limit_usd"]) for entry in budgets] == [("red", "month", "12.5")]
    assert hawk("usage", "budget", "team", "red", "--remove", "--period", "month", account="admin").exit_code == 0
    assert hawk("models", "limit", "model", "openai/small", "--remove", account="admin").exit_code == 0


def test_usage_is_shown_by_day_model_and_now(hawk, hawk_api) -> None:
    hawk_api.execute("truncate ops.model_spend")
    hawk_api.execute(
        "insert into ops.model_spend values "
        "(current_date, 'set-1', 'researcher', 'openai/small', 7, 1, 10, 20, 3, 4, 5, 0.5, 0.75)"
    )

    table = hawk("usage").stdout
    by_set = json.loads(hawk("usage", "--by", "eval_set", "--days", "1", "--json").stdout)
    live = hawk("usage", "--live", "--json")

    assert table.splitlines()[-1].split() == ["openai/small", "7", "1", "14", "3", "20", "0.5000", "0.7500"]
    assert [(row["name"], row["call_count"], row["charged_usd"]) for row in by_set["rows"]] == [("set-1", 7, "0.75")]
    assert json.loads(live.stdout) == {"models": []}
    assert hawk("usage", "--live").exit_code == 0


def test_discovery_needs_the_proxy(hawk) -> None:
    result = hawk("models", "discover", "openai", account="admin")

    assert result.exit_code == 6
    assert "HAWK_PROXY_URL" in result.stderr
