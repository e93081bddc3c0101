"""Why, the groups of benchmarks, and the audit, as the API gives them."""

import pytest

from tests.fakes.hawk_api import PRIVATE, PUBLIC, HawkApi, config_of

BENCH = {"package": "git+https://github.com/lab/Secret_Bench", "name": "bench", "items": [{"name": "task"}]}


def launch(client, hawk_api: HawkApi, *models: str, account: str = "researcher", eval_set_id: str = "mine", **fields):
    body = {"config": config_of(*models, **fields), "eval_set_id": eval_set_id}
    return client.post("/eval_sets", json=body, headers=hawk_api.headers(account))


def why(client, hawk_api: HawkApi, thing: str, account: str) -> dict:
    response = client.get("/why", params={"thing": thing}, headers=hawk_api.headers(account))
    assert response.status_code == 200, response.text
    return response.json()


def audit(client, hawk_api: HawkApi, **filters) -> list[dict]:
    response = client.get("/audit", params=filters, headers=hawk_api.headers("admin"))
    assert response.status_code == 200, response.text
    return response.json()["entries"]


class TestWhy:
    def test_owner_may_see_and_change(self, client, hawk_api) -> None:
        launch(client, hawk_api, "openai/secret")

        answer = why(client, hawk_api, "mine", "researcher")

        assert (answer["kind"], answer["may_view"], answer["may_use"]) == ("eval_set", True, True)
        assert answer["required_groups"] == [PRIVATE]
        assert any("you made it" in reason for reason in answer["reasons"])

    def test_other_learns_who_made_it(self, client, hawk_api) -> None:
        launch(client, hawk_api)

        answer = why(client, hawk_api, "mine", "public-user")

        assert (answer["may_view"], answer["may_use"]) == (True, False)
        assert any("researcher made it" in reason for reason in answer["reasons"])

    @pytest.mark.parametrize("account", ["public-user", "outsider"])
    def test_hidden_set_and_none_are_answered_alike(self, client, hawk_api, account) -> None:
        launch(client, hawk_api, "openai/secret")

        hidden, none = (why(client, hawk_api, thing, account) for thing in ("mine", "nine"))

        assert not hidden["may_view"] and PRIVATE not in str(hidden)
        without = [{**answer, "thing": "", "hint": answer["hint"][:60]} for answer in (hidden, none)]
        assert without[0] == without[1]

    def test_who_sees_a_set_and_not_its_logs_learns_that(self, client, hawk_api) -> None:
        launch(client, hawk_api, "openai/small")
        imported = hawk_api.rows(
            """
            insert into raw.eval_import (eval_id, eval_set_id, location, etag, size_bytes, last_modified, log_status,
                sample_count, message_count, event_count, seconds, first_imported_at, imported_at)
            values ('e', 'mine', 's3://b/k', 'x', 1, now(), 'success', 1, 0, 0, 1, now(), now()) returning import_id
            """
        )[0]["import_id"]
        hawk_api.execute("insert into raw.eval_model values (%s, 'openai/secret', 'secret')", imported)

        answer = why(client, hawk_api, "mine", "public-user")

        assert answer["may_view"]
        assert any("not see its logs" in reason for reason in answer["reasons"])
        assert PRIVATE not in str(answer)

    def test_owner_who_lost_a_group_learns_which(self, client, hawk_api) -> None:
        launch(client, hawk_api, account="public-user")
        hawk_api.execute("update ops.eval_set set model_groups = %s", [PUBLIC, PRIVATE])

        answer = why(client, hawk_api, "mine", "public-user")

        assert not answer["may_view"]
        assert answer["missing_groups"] == [PRIVATE]

    def test_unresolved_group_is_nobodys_and_named_to_nobody(self, client, hawk_api) -> None:
        launch(client, hawk_api)
        hawk_api.execute("update ops.eval_set set model_groups = '{__unresolved__}'")

        answer = why(client, hawk_api, "mine", "researcher")

        assert not answer["may_view"] and "__unresolved__" not in str(answer)

    @pytest.mark.parametrize(
        ("model", "account", "may_use", "missing"),
        [
            ("openai/secret", "researcher", True, []),
            ("openai/secret", "public-user", False, [PRIVATE]),
            ("openai/none", "researcher", False, []),
        ],
    )
    def test_model_is_used_by_who_holds_its_group(self, client, hawk_api, model, account, may_use, missing) -> None:
        answer = why(client, hawk_api, model, account)

        assert (answer["kind"], answer["may_use"], answer["missing_groups"]) == ("model", may_use, missing)

    def test_sample_is_explained_by_its_set(self, client, hawk_api) -> None:
        launch(client, hawk_api)
        hawk_api.execute(
            """
            with imported as (
                insert into raw.eval_import (eval_id, eval_set_id, location, etag, size_bytes, last_modified,
                    log_status, sample_count, message_count, event_count, seconds, first_imported_at, imported_at)
                values ('e', 'mine', 's3://b/k', 'x', 1, now(), 'success', 1, 0, 0, 1, now(), now())
                returning import_id)
            insert into raw.sample (import_id, sample_uuid, sample_id, epoch, eval_id, is_invalidated, is_complete,
                message_count, event_count, model_call_count, tool_call_count)
            select import_id, 'uuid-1', '1', 1, 'e', false, true, 0, 0, 0, 0 from imported
            """
        )

        seen, hidden = (why(client, hawk_api, "uuid-1", account) for account in ("public-user", "outsider"))

        assert (seen["kind"], seen["may_view"]) == ("sample", True)
        assert (hidden["kind"], hidden["may_view"], hidden["required_groups"]) == ("unknown", False, [])


class TestBenchmarks:
    def set_group(self, client, hawk_api, name="secret_bench", group=PRIVATE, account="admin"):
        return client.put(f"/benchmarks/{name}", json={"model_group": group}, headers=hawk_api.headers(account))

    @pytest.fixture(autouse=True)
    def no_benchmarks(self, hawk_api) -> None:
        hawk_api.execute("truncate ops.benchmark_group")

    def test_benchmark_of_a_group_is_run_by_who_holds_it(self, client, hawk_api) -> None:
        assert self.set_group(client, hawk_api).json() == {"benchmark": "secret-bench", "model_group": PRIVATE}

        refused = launch(client, hawk_api, tasks=[BENCH], account="public-user", eval_set_id="other")
        taken = launch(client, hawk_api, tasks=[BENCH])

        assert refused.status_code == 403
        assert "secret-bench" in refused.json()["detail"] and PRIVATE in refused.json()["detail"]
        assert refused.json()["field"] == "tasks"
        assert taken.status_code == 201
        [row] = hawk_api.rows("select model_groups from ops.eval_set")
        assert row["model_groups"] == [PRIVATE, PUBLIC]

    def test_results_of_a_benchmark_are_seen_by_who_holds_its_group(self, client, hawk_api) -> None:
        self.set_group(client, hawk_api)
        launch(client, hawk_api, tasks=[BENCH])

        assert client.get("/eval_sets/mine/status", headers=hawk_api.headers("public-user")).status_code == 404

    def test_plan_tells_what_is_missing(self, client, hawk_api) -> None:
        self.set_group(client, hawk_api)

        plan = client.post(
            "/plan", json={"config": config_of(tasks=[BENCH])}, headers=hawk_api.headers("public-user")
        ).json()

        assert plan["benchmark_groups"] == {"secret-bench": PRIVATE}
        assert (plan["missing_groups"], plan["may_launch"]) == ([PRIVATE], False)

    def test_opened_benchmark_is_everybodys(self, client, hawk_api) -> None:
        self.set_group(client, hawk_api)
        headers = hawk_api.headers("admin")

        assert client.delete("/benchmarks/Secret.Bench", headers=headers).status_code == 200
        assert client.delete("/benchmarks/Secret.Bench", headers=headers).status_code == 404
        assert launch(client, hawk_api, tasks=[BENCH], account="public-user").status_code == 201

    def test_list_shows_benchmarks_of_groups_held(self, client, hawk_api) -> None:
        self.set_group(client, hawk_api, "open-bench", PUBLIC)
        self.set_group(client, hawk_api)

        def listed(account: str) -> list[str]:
            answer = client.get("/benchmarks", headers=hawk_api.headers(account)).json()
            return [entry["benchmark"] for entry in answer["benchmarks"]]

        assert listed("admin") == ["open-bench", "secret-bench"]
        assert listed("public-user") == ["open-bench"]
        assert listed("outsider") == []

    @pytest.mark.parametrize("account", ["researcher", "outsider"])
    def test_only_administrators_set_groups(self, client, hawk_api, account) -> None:
        assert self.set_group(client, hawk_api, account=account).status_code == 403
        assert client.delete("/benchmarks/a", headers=hawk_api.headers(account)).status_code == 403

    @pytest.mark.parametrize(("name", "group"), [("-", PRIVATE), ("a b", PRIVATE), ("a", ""), ("a", "a:read")])
    def test_bad_names_and_groups_are_422(self, client, hawk_api, name, group) -> None:
        assert self.set_group(client, hawk_api, name, group).status_code == 422


class TestAudit:
    def test_acts_are_written_with_who_and_what(self, client, hawk_api) -> None:
        launch(client, hawk_api, "openai/secret")
        headers = hawk_api.headers() | {"x-request-id": "stopping"}
        client.post("/eval_sets/mine/stop", json={"action": "error"}, headers=headers)
        client.delete("/eval_sets/mine", headers=hawk_api.headers())
        hawk_api.execute("update ops.eval_set set status = 'failed'")
        client.post("/eval_sets/mine/retry", headers=hawk_api.headers())

        rows = audit(client, hawk_api, object_id="mine", outcome="allowed", limit=4)

        assert [row["action"] for row in rows] == [
            "eval_set.retry",
            "eval_set.delete",
            "eval_set.stop",
            "eval_set.launch",
        ]
        assert {row["subject"] for row in rows} == {"researcher"}
        assert rows[2]["request_id"] == "stopping"
        assert rows[2]["detail"] == {"running_samples": "error"}
        assert rows[3]["detail"]["models"] == ["openai/secret"]
        assert rows[0]["eval_set_owner"] == "researcher"

    def test_denials_are_written_hidden_ones_too(self, client, hawk_api) -> None:
        launch(client, hawk_api, "openai/secret")
        hidden = client.get("/eval_sets/mine/status", headers=hawk_api.headers("public-user"))
        refused = launch(client, hawk_api, "openai/secret", account="public-user", eval_set_id="other")

        [row] = audit(client, hawk_api, request_id=hidden.headers["x-request-id"])
        [other] = audit(client, hawk_api, request_id=refused.headers["x-request-id"])

        assert (row["outcome"], row["subject"], row["object_id"]) == ("denied", "public-user", "mine")
        assert row["detail"]["missing_groups"] == [PRIVATE]
        assert (other["outcome"], other["detail"]["path"]) == ("denied", "/eval_sets")

    def test_what_is_not_there_is_no_denial(self, client, hawk_api) -> None:
        response = client.get("/eval_sets/nine/status", headers=hawk_api.headers())

        assert audit(client, hawk_api, request_id=response.headers["x-request-id"]) == []

    def test_pages_go_on_where_the_last_ended(self, client, hawk_api) -> None:
        for _ in range(3):
            client.get("/audit", headers=hawk_api.headers("public-user"))
        filters = {"subject": "public-user", "outcome": "denied", "limit": 2}
        first = client.get("/audit", params=filters, headers=hawk_api.headers("admin")).json()
        second = client.get(
            "/audit", params={**filters, "before": first["next_before"]}, headers=hawk_api.headers("admin")
        ).json()

        numbers = [entry["audit_id"] for entry in first["entries"] + second["entries"]]

        assert len(first["entries"]) == 2
        assert numbers == sorted(set(numbers), reverse=True)

    @pytest.mark.parametrize("account", ["researcher", "outsider"])
    def test_audit_is_for_administrators(self, client, hawk_api, account) -> None:
        assert client.get("/audit", headers=hawk_api.headers(account)).status_code == 403

    @pytest.mark.parametrize(
        "query", [{"limit": 0}, {"before": "x"}, {"since": "yesterday"}, {"outcome": "maybe"}, {"subject": "a\0"}]
    )
    def test_bad_filters_are_422(self, client, hawk_api, query) -> None:
        assert client.get("/audit", params=query, headers=hawk_api.headers("admin")).status_code == 422

    def test_filters_are_data_not_sql(self, client, hawk_api) -> None:
        for name in ("subject", "action", "object_id", "request_id"):
            assert audit(client, hawk_api, **{name: "' or 1=1 --"}) == []
