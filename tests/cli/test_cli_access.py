"""`hawk why`, `hawk benchmarks`, `hawk audit`."""

import json

from tests.fakes.hawk_api import PRIVATE


def test_why_says_what_is_lacking_and_ends_with_3(hawk) -> None:
    result = hawk("why", "openai/secret", account="public-user")

    assert result.exit_code == 3
    assert f"you lack {PRIVATE}" in result.stdout


def test_why_of_what_one_may_use_ends_with_0(hawk) -> None:
    result = hawk("why", "openai/secret", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["may_use"]


def test_why_of_what_is_not_there_leaks_nothing(hawk) -> None:
    result = hawk("why", "nothing", account="outsider")

    assert result.exit_code == 3
    assert "that you may see" in result.stdout


def test_benchmark_is_given_a_group_listed_and_opened(hawk) -> None:
    assert hawk("benchmarks", "set", "Secret_Bench", PRIVATE, account="admin").exit_code == 0
    assert "secret-bench" in hawk("benchmarks", "list").stdout
    assert hawk("benchmarks", "open", "secret-bench", account="admin").exit_code == 0
    assert json.loads(hawk("benchmarks", "list", "--json").stdout) == {"benchmarks": []}


def test_benchmarks_are_not_everybodys_to_set(hawk) -> None:
    result = hawk("benchmarks", "set", "a", PRIVATE)

    assert result.exit_code == 3
    assert "administrators" in result.stderr


def test_audit_shows_denials(hawk) -> None:
    hawk("audit", account="outsider")

    result = hawk("audit", "--outcome", "denied", "--subject", "outsider", account="admin")

    assert result.exit_code == 0
    assert "GET /audit" in result.stdout


def test_audit_as_json_is_filtered_by_time(hawk) -> None:
    result = hawk("audit", "--since", "2999-01-01", "--json", account="admin")

    assert json.loads(result.stdout) == {"entries": [], "next_before": None}
