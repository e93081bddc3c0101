import json
from datetime import timedelta

import pytest

from hawk.auth import mint_job_token
from tests.fakes.hawk_api import PRIVATE, PUBLIC, HawkApi, config_of

ROUTES = [
    ("POST", "/eval_sets"),
    ("GET", "/eval_sets"),
    ("GET", "/eval_sets/mine/status"),
    ("GET", "/eval_sets/mine/config"),
    ("GET", "/eval_sets/mine/logs"),
    ("POST", "/eval_sets/mine/stop"),
    ("POST", "/eval_sets/mine/retry"),
    ("DELETE", "/eval_sets/mine"),
    ("GET", "/models"),
    ("POST", "/plan"),
]
OF_ONE_SET = [route for route in ROUTES if "mine" in route[1]]
READING = [route for route in OF_ONE_SET if route[0] == "GET"]
CHANGING = [route for route in OF_ONE_SET if route[0] != "GET"]
BODY = {"config": config_of()}


def by_name(route: tuple[str, str]) -> str:
    return " ".join(route)


def create(client, hawk_api: HawkApi, *, account: str = "researcher", models=("openai/small",), **fields):
    body = {"config": config_of(*models), "eval_set_id": "mine", **fields}
    return client.post("/eval_sets", json=body, headers=hawk_api.headers(account))


def state(hawk_api: HawkApi, status: str) -> None:
    hawk_api.execute("update ops.eval_set set status = %s", status)


def assert_problem(response, status: int) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem


class TestWhoMayCall:
    @pytest.mark.parametrize("route", ROUTES, ids=by_name)
    @pytest.mark.parametrize(
        "authorization", [None, "", "Bearer", "Bearer ", "Bearer nonsense", "Basic YTpi", "Bearer a.b.c"]
    )
    def test_no_or_bad_token_is_401(self, client, route, authorization) -> None:
        headers = {"authorization": authorization} if authorization is not None else {}

        response = client.request(*route, json=BODY if route[0] == "POST" else None, headers=headers)

        assert_problem(response, 401)
        assert response.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize("route", ROUTES, ids=by_name)
    def test_expired_token_is_401(self, client, hawk_api, route) -> None:
        headers = {"authorization": f"Bearer {hawk_api.expired_token()}"}

        problem = assert_problem(client.request(*route, headers=headers), 401)

        assert "expired" in problem["detail"]

    @pytest.mark.parametrize("route", OF_ONE_SET, ids=by_name)
    def test_set_of_groups_not_held_is_not_there(self, client, hawk_api, route) -> None:
        create(client, hawk_api, models=("openai/secret",))
        there = client.request(*route, headers=hawk_api.headers("public-user"))
        not_there = client.request(route[0], route[1].replace("mine", "nine"), headers=hawk_api.headers("public-user"))

        problem, other = assert_problem(there, 404), assert_problem(not_there, 404)

        assert problem["detail"].replace("mine", "nine") == other["detail"]
        assert {**problem, "detail": "", "request_id": ""} == {**other, "detail": "", "request_id": ""}

    @pytest.mark.parametrize("route", CHANGING, ids=by_name)
    def test_set_of_another_may_be_seen_and_not_changed(self, client, hawk_api, route) -> None:
        create(client, hawk_api)

        assert client.get("/eval_sets/mine/status", headers=hawk_api.headers("public-user")).status_code == 200
        assert_problem(client.request(*route, headers=hawk_api.headers("public-user")), 403)
        assert len(hawk_api.dagster.launches) == 1

    @pytest.mark.parametrize("groups", [[], ["__unresolved__"]], ids=["no", "unresolved"])
    def test_set_of_no_known_groups_is_nobodys(self, client, hawk_api, groups) -> None:
        create(client, hawk_api)
        hawk_api.execute("update ops.eval_set set model_groups = %s", groups)

        for account in ("researcher", "outsider", "admin"):
            assert_problem(client.get("/eval_sets/mine/status", headers=hawk_api.headers(account)), 404)
            listed = client.get("/eval_sets", headers=hawk_api.headers(account)).json()
            assert (listed["eval_sets"], listed["total"]) == ([], 0)

    def test_job_token_reads_and_changes_nothing(self, client, hawk_api) -> None:
        create(client, hawk_api)
        token = mint_job_token(
            hawk_api.settings.job_token_key,
            job_id="mine",
            permissions=[PUBLIC],
            created_by="researcher",
            lifetime=timedelta(hours=1),
        )
        headers = {"authorization": f"Bearer {token}"}

        assert client.get("/eval_sets/mine/status", headers=headers).status_code == 200
        for route in CHANGING:
            assert_problem(client.request(*route, headers=headers), 403)
        assert_problem(client.post("/eval_sets", json=BODY, headers=headers), 403)

    @pytest.mark.parametrize(
        "eval_set_id", ["..", "%00", "a%00b", "x" * 300, "a%0Ab", "%F0%9F%98%80", "' or 1=1 --", "A_B"]
    )
    @pytest.mark.parametrize("route", READING, ids=by_name)
    def test_strange_ids_are_not_there(self, client, hawk_api, route, eval_set_id) -> None:
        path = route[1].replace("mine", eval_set_id)

        assert client.request(route[0], path, headers=hawk_api.headers()).status_code == 404


class TestCreate:
    def test_set_is_claimed_and_launched(self, client, hawk_api) -> None:
        response = create(client, hawk_api, secrets={"TOKEN": "swordfish"}, priority="low")

        assert response.status_code == 201
        assert response.json() == {
            "eval_set_id": "mine",
            "dagster_run_id": "run-1",
            "dagster_run_url": "http://dagster.example/runs/run-1",
            "viewer_url": "http://viewer.example/evals?eval_set_id=mine",
            "warnings": [],
        }
        assert hawk_api.dagster.partitions == ["mine"]
        assert hawk_api.dagster.launches == [
            {
                "job": "launch_eval_set",
                "config": {},
                "tags": {
                    "dagster/partition": "mine",
                    "hawk/eval_set_id": "mine",
                    "hawk/created_by": "researcher",
                },
            }
        ]
        [row] = hawk_api.rows("select * from ops.eval_set")
        assert (row["status"], row["dagster_run_id"], row["priority"]) == ("claimed", "run-1", "low")

    def test_dagster_that_is_away_leaves_the_set_claimed_with_a_warning(self, client, hawk_api) -> None:
        hawk_api.dagster.is_down = True

        response = create(client, hawk_api)

        assert response.status_code == 201
        assert response.json()["dagster_run_id"] is None
        [warning] = response.json()["warnings"]
        assert "as soon as Dagster is back" in warning
        [row] = hawk_api.rows("select * from ops.eval_set")
        assert (row["status"], row["dagster_run_id"]) == ("claimed", None)

    def test_second_request_after_dagster_came_back_launches_the_same_set(self, client, hawk_api) -> None:
        hawk_api.dagster.is_down = True
        create(client, hawk_api)
        hawk_api.dagster.is_down = False

        response = create(client, hawk_api)

        assert response.json()["dagster_run_id"] == "run-1"

    def test_active_set_is_409(self, client, hawk_api) -> None:
        create(client, hawk_api)

        problem = assert_problem(create(client, hawk_api), 409)

        assert problem["field"] == "eval_set_id"

    def test_ended_set_is_relaunched(self, client, hawk_api) -> None:
        create(client, hawk_api)
        state(hawk_api, "failed")

        assert create(client, hawk_api).status_code == 201
        assert len(hawk_api.dagster.launches) == 2

    def test_id_of_another_is_409(self, client, hawk_api) -> None:
        create(client, hawk_api)
        state(hawk_api, "failed")

        assert_problem(create(client, hawk_api, account="public-user"), 409)

    def test_unknown_model_is_422_and_names_it(self, client, hawk_api) -> None:
        problem = assert_problem(create(client, hawk_api, models=("openai/none",)), 422)

        assert "openai/none" in problem["detail"]
        assert problem["field"] == "models"

    def test_missing_group_is_403_and_names_it(self, client, hawk_api) -> None:
        problem = assert_problem(create(client, hawk_api, account="public-user", models=("openai/secret",)), 403)

        assert PRIVATE in problem["detail"]
        assert hawk_api.rows("select * from ops.eval_set") == []

    def test_outsider_is_403(self, client, hawk_api) -> None:
        assert_problem(create(client, hawk_api, account="outsider"), 403)

    def test_bad_config_is_422_with_places(self, client, hawk_api) -> None:
        body = {"config": config_of(tasks="no", epochs=-1)}

        problem = assert_problem(client.post("/eval_sets", json=body, headers=hawk_api.headers()), 422)

        assert {entry["path"] for entry in problem["problems"]} >= {"tasks", "epochs"}

    def test_unknown_field_is_warned_of(self, client, hawk_api) -> None:
        body = {"config": {**config_of(), "modles": []}}

        response = client.post("/eval_sets", json=body, headers=hawk_api.headers())

        assert response.status_code == 201
        assert any("models" in warning for warning in response.json()["warnings"])

    def test_local_package_is_refused_unless_allowed(self, client, hawk_api) -> None:
        config = config_of(tasks=[{"package": "./tasks", "name": "mine", "items": [{"name": "task"}]}])

        problem = assert_problem(client.post("/eval_sets", json={"config": config}, headers=hawk_api.headers()), 422)

        assert problem["field"] == "packages"
        assert hawk_api.rows("select * from ops.eval_set") == []

    def test_missing_secret_is_422(self, client, hawk_api) -> None:
        config = config_of(runner={"secrets": [{"name": "TOKEN"}]})

        problem = assert_problem(client.post("/eval_sets", json={"config": config}, headers=hawk_api.headers()), 422)

        assert problem["field"] == "secrets"

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            pytest.param({}, "config", id="empty"),
            pytest.param({"config": "text"}, "config", id="config is text"),
            pytest.param({"config": {}, "priority": "urgent"}, "priority", id="priority"),
            pytest.param({"config": {}, "extra": 1}, "extra", id="unknown field"),
            pytest.param({"config": {}, "secrets": ["a"]}, "secrets", id="secrets are a list"),
            pytest.param({"config": {}, "secrets": {"A": {"b": "swordfish"}}}, "secrets.A", id="secret is a mapping"),
            pytest.param([], "body", id="a list"),
        ],
    )
    def test_body_of_a_wrong_shape_is_422_and_repeats_no_value(self, client, hawk_api, body, field) -> None:
        response = client.post("/eval_sets", json=body, headers=hawk_api.headers())

        assert assert_problem(response, 422)["field"] == field
        assert "swordfish" not in response.text

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"{", id="cut"),
            pytest.param(b"\xff\xfe", id="no utf-8"),
            pytest.param(b'{"config": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep"),
            pytest.param(b'{"config": {"a": ' + b"9" * 100_000 + b"}}", id="huge number"),
            pytest.param(b'{"config": {"metadata": {"a": NaN}}}', id="nan"),
            pytest.param(json.dumps({"config": {"name": "\ud800"}}).encode(), id="half a surrogate"),
            pytest.param(json.dumps({"config": {"name": "a\0b"}}).encode(), id="nul"),
            pytest.param(json.dumps({"config": {}, "eval_set_id": "a\0b"}).encode(), id="nul in id"),
        ],
    )
    def test_hostile_body_is_a_4xx_and_leaves_nothing(self, client, hawk_api, content) -> None:
        headers = {**hawk_api.headers(), "content-type": "application/json"}

        response = client.post("/eval_sets", content=content, headers=headers)

        assert 400 <= response.status_code < 500, response.text
        assert_problem(response, response.status_code)
        assert hawk_api.rows("select * from ops.eval_set") == []

    def test_secret_never_comes_out(self, client, hawk_api, caplog) -> None:
        caplog.set_level("DEBUG")
        texts = [create(client, hawk_api, secrets={"TOKEN": "swordfish"}).text]
        texts += [client.request(*route, headers=hawk_api.headers()).text for route in OF_ONE_SET]
        texts.append(client.post("/eval_sets", json={"secrets": {"A": "swordfish"}}, headers=hawk_api.headers()).text)
        texts.append(create(client, hawk_api, secrets={"1": "swordfish"}).text)

        assert not [text for text in [*texts, caplog.text] if "swordfish" in text]


class TestList:
    def test_only_sets_that_may_be_seen_newest_first(self, client, hawk_api) -> None:
        for number, model in enumerate(["openai/small", "openai/secret", "anthropic/small"]):
            create(client, hawk_api, models=(model,), eval_set_id=f"set-{number}")

        def ids(account: str, **query) -> list[str]:
            response = client.get("/eval_sets", headers=hawk_api.headers(account), params=query)
            return [entry["eval_set_id"] for entry in response.json()["eval_sets"]]

        assert ids("researcher") == ["set-2", "set-1", "set-0"]
        assert ids("public-user") == ["set-2", "set-0"]
        assert ids("outsider") == []
        assert ids("researcher", limit=1) == ["set-2"]
        assert ids("researcher", search="T-1") == ["set-1"]
        assert ids("researcher", search="%") == []
        assert ids("public-user", mine=True) == []

    @pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 501}, {"limit": "x"}, {"search": "x" * 301}])
    def test_bad_query_is_422(self, client, hawk_api, query) -> None:
        assert_problem(client.get("/eval_sets", headers=hawk_api.headers(), params=query), 422)


class TestConfigAndLogs:
    def test_config_is_as_it_was_given(self, client, hawk_api) -> None:
        create(client, hawk_api)

        answer = client.get("/eval_sets/mine/config", headers=hawk_api.headers()).json()

        assert answer == {"eval_set_id": "mine", "config": config_of("openai/small")}

    def test_config_of_a_set_that_was_never_launched_here_is_404(self, client, hawk_api) -> None:
        create(client, hawk_api)
        hawk_api.execute("update ops.eval_set set config = null")

        assert_problem(client.get("/eval_sets/mine/config", headers=hawk_api.headers()), 404)

    def test_logs_are_the_end_of_the_newest_attempt(self, client, hawk_api) -> None:
        create(client, hawk_api)
        for number, text in [(1, "old"), (2, "a\nb\nc")]:
            hawk_api.execute(
                "insert into ops.attempt (eval_set_id, job_name, attempt_number, launcher, phase, last_log_lines,"
                " started_at, updated_at) values ('mine', 'mine', %s, 'local', 'running', %s, now(), now())",
                number,
                text,
            )

        answer = client.get("/eval_sets/mine/logs?lines=2", headers=hawk_api.headers()).json()

        assert answer == {"eval_set_id": "mine", "attempt_number": 2, "text": "b\nc"}

    def test_no_attempt_yet_is_no_text(self, client, hawk_api) -> None:
        create(client, hawk_api)

        answer = client.get("/eval_sets/mine/logs", headers=hawk_api.headers()).json()

        assert answer == {"eval_set_id": "mine", "attempt_number": None, "text": ""}


class TestActions:
    @pytest.mark.parametrize(
        ("route", "status", "job", "config"),
        [
            (("POST", "/eval_sets/mine/stop"), "launched", "stop_eval_set", {"action": "score"}),
            (("POST", "/eval_sets/mine/retry"), "failed", "retry_eval_set", {}),
            (("DELETE", "/eval_sets/mine"), "complete", "delete_eval_set", {}),
        ],
    )
    def test_action_is_a_run_of_its_dagster_job(self, client, hawk_api, route, status, job, config) -> None:
        create(client, hawk_api)
        state(hawk_api, status)

        response = client.request(*route, headers=hawk_api.headers())

        assert response.status_code == 202
        assert response.json()["dagster_run_id"] == "run-2"
        assert hawk_api.dagster.launches[-1]["job"] == job
        assert hawk_api.dagster.launches[-1]["config"] == {"eval_set_id": "mine", **config}

    def test_retried_set_is_claimed_at_once(self, client, hawk_api) -> None:
        create(client, hawk_api)
        state(hawk_api, "failed")

        client.post("/eval_sets/mine/retry", headers=hawk_api.headers())

        [row] = hawk_api.rows("select status, dagster_run_id from ops.eval_set")
        assert (row["status"], row["dagster_run_id"]) == ("claimed", "run-2")

    def test_retry_while_dagster_is_away_is_claimed_with_a_warning(self, client, hawk_api) -> None:
        create(client, hawk_api)
        state(hawk_api, "failed")
        hawk_api.dagster.is_down = True

        answer = client.post("/eval_sets/mine/retry", headers=hawk_api.headers()).json()

        assert answer["dagster_run_id"] is None
        assert "as soon as Dagster is back" in answer["warnings"][0]
        assert hawk_api.rows("select status, dagster_run_id from ops.eval_set") == [
            {"status": "claimed", "dagster_run_id": None}
        ]

    def test_stop_can_mark_errors(self, client, hawk_api) -> None:
        create(client, hawk_api)

        client.post("/eval_sets/mine/stop", json={"action": "error"}, headers=hawk_api.headers())

        assert hawk_api.dagster.launches[-1]["config"]["action"] == "error"

    def test_bad_stop_action_is_422(self, client, hawk_api) -> None:
        create(client, hawk_api)

        response = client.post("/eval_sets/mine/stop", json={"action": "explode"}, headers=hawk_api.headers())

        assert_problem(response, 422)

    def test_ended_set_cannot_be_stopped(self, client, hawk_api) -> None:
        create(client, hawk_api)
        state(hawk_api, "complete")

        assert_problem(client.post("/eval_sets/mine/stop", headers=hawk_api.headers()), 409)

    def test_active_set_cannot_be_retried(self, client, hawk_api) -> None:
        create(client, hawk_api)

        assert_problem(client.post("/eval_sets/mine/retry", headers=hawk_api.headers()), 409)

    def test_set_without_a_config_cannot_be_retried(self, client, hawk_api) -> None:
        create(client, hawk_api)
        hawk_api.execute("update ops.eval_set set config = null, status = 'complete'")

        assert_problem(client.post("/eval_sets/mine/retry", headers=hawk_api.headers()), 409)

    def test_admin_may(self, client, hawk_api) -> None:
        create(client, hawk_api)

        assert client.post("/eval_sets/mine/stop", headers=hawk_api.headers("admin")).status_code == 202

    def test_dagster_that_is_away_is_503(self, client, hawk_api) -> None:
        create(client, hawk_api)
        hawk_api.dagster.is_down = True

        assert_problem(client.delete("/eval_sets/mine", headers=hawk_api.headers()), 503)


class TestModels:
    def test_only_models_that_may_be_used(self, client, hawk_api) -> None:
        def models(account: str) -> list[str]:
            return client.get("/models", headers=hawk_api.headers(account)).json()["models"]

        assert models("researcher") == ["anthropic/small", "openai/secret", "openai/small"]
        assert models("public-user") == ["anthropic/small", "openai/small"]
        assert models("outsider") == []

    def test_plan_says_what_is_missing(self, client, hawk_api) -> None:
        config = config_of("openai/small", "openai/secret", "openai/none", runner={"secrets": [{"name": "TOKEN"}]})

        answer = client.post("/plan", json={"config": config}, headers=hawk_api.headers("public-user")).json()

        assert answer == {
            "model_groups": {"openai/secret": PRIVATE, "openai/small": PUBLIC},
            "benchmark_groups": {},
            "unknown_models": ["openai/none"],
            "missing_groups": [PRIVATE],
            "required_secrets": ["TOKEN"],
            "may_launch": False,
        }

    def test_plan_of_what_may_be_launched(self, client, hawk_api) -> None:
        answer = client.post("/plan", json=BODY, headers=hawk_api.headers()).json()

        assert answer["may_launch"]
        assert hawk_api.rows("select * from ops.eval_set") == []
