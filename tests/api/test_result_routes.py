"""Lists of evals, samples and jobs, on marts that dbt built from real logs."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from hawk.api import keyset
from tests.fakes.hawk_api import PRIVATE, PUBLIC, HawkApi, config_of
from tests.marts import FOREIGN, MADE, copy_database

DATABASE = "api_results"
HOSTILE = [
    "'",
    "' or true --",
    "%",
    "_",
    "\\",
    "%(limit)s",
    "%s",
    "{}",
    "$1",
    "a\r\nINFO forged line",
    "'; drop table marts.fct_eval; --",
    "\u202e",
]


@pytest.fixture(scope="module")
def api(postgres, filled_database, shared_object_store, tmp_path_factory) -> HawkApi:
    """Return an API whose marts are filled: MADE is of the public group, FOREIGN of the private one."""
    copy_database(postgres, DATABASE, template=filled_database)
    api = HawkApi(postgres.url_of(DATABASE), shared_object_store, tmp_path_factory.mktemp("api"))
    for eval_set_id, group in ((MADE, PUBLIC), (FOREIGN, PRIVATE)):
        register_models(api, eval_set_id, group)
        api.execute("update ops.eval_set set model_groups = %s where eval_set_id = %s", [group], eval_set_id)
    # Moments that several rows share, and rows without one.
    api.execute("update marts.fct_eval set created_at = '2026-01-01Z' where eval_set_id = %s", MADE)
    api.execute("update marts.fct_sample set completed_at = null where sample_id in ('sum-1', 'sum-2', '1')")
    api.execute("update marts.fct_sample set completed_at = '2026-01-01Z' where sample_id in ('sum-3', '2')")
    return api


def register_models(api: HawkApi, eval_set_id: str, group: str) -> None:
    """Give the models that a set's logs name or call a group, without which nobody sees the logs."""
    api.execute(
        "insert into ops.model_group select distinct eval_model.model, %s from raw.eval_model"
        " inner join raw.eval using (import_id)"
        " where eval.eval_set_id = %s on conflict (model_name) do update set model_group = excluded.model_group",
        group,
        eval_set_id,
    )


@pytest.fixture(scope="module")
def asked(api) -> Iterator[TestClient]:
    with TestClient(api.app, raise_server_exceptions=False) as client:
        yield client


def get(asked, api, path: str, account: str = "researcher", **query):
    answer = asked.get(path, headers=api.headers(account), params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def all_pages(asked, api, path: str, noun: str, **query) -> list[dict]:
    rows, cursor = [], None
    while True:
        page = get(asked, api, path, **query, **({"cursor": cursor} if cursor else {}))
        rows += page[noun]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows


class TestPages:
    @pytest.mark.parametrize("limit", [1, 7, 500])
    def test_of_samples_are_the_whole_list_in_order_without_gaps_or_doubles(self, asked, api, limit) -> None:
        expected = api.rows(
            "select eval_id, sample_uuid from marts.fct_sample where is_canonical"
            " order by completed_at desc nulls last, eval_id, sample_uuid"
        )

        rows = all_pages(asked, api, "/samples", "samples", limit=limit)

        assert [(row["eval_id"], row["sample_uuid"]) for row in rows] == [tuple(row.values()) for row in expected]

    def test_of_evals_are_the_whole_list(self, asked, api) -> None:
        expected = api.rows("select eval_id from marts.fct_eval order by created_at desc nulls last, eval_id")

        rows = all_pages(asked, api, "/evals", "evals", limit=2)

        assert [row["eval_id"] for row in rows] == [row["eval_id"] for row in expected]

    def test_first_page_has_the_total_and_later_ones_do_not_count(self, asked, api) -> None:
        first = get(asked, api, "/samples", limit=3, replaced=True)
        second = get(asked, api, "/samples", limit=3, replaced=True, cursor=first["next_cursor"])

        [count] = api.rows("select count(*) as number from marts.fct_sample")
        assert (first["total"], first["total_is_capped"]) == (count["number"], False)
        assert second["total"] is None

    def test_total_is_counted_no_further_than_the_cap(self, asked, api, monkeypatch) -> None:
        monkeypatch.setattr(keyset, "MAX_COUNT", 5)

        page = get(asked, api, "/samples", limit=1)

        assert (page["total"], page["total_is_capped"]) == (5, True)

    @pytest.mark.parametrize(
        "cursor", ["x", "AAAA", "W10", "WyJldmFscyIsbnVsbCwiYSJd", "WyJzYW1wbGVzIiwiMjAyNiIsMSwyXQ"]
    )
    def test_cursor_that_is_none_of_this_list_is_refused(self, asked, api, cursor) -> None:
        answer = asked.get("/samples", headers=api.headers(), params={"cursor": cursor})

        assert (answer.status_code, answer.json()["field"]) == (422, "cursor")


class TestFilters:
    def test_narrow_samples_down(self, asked, api) -> None:
        query = {"eval_set_id": MADE, "task": "arithmetic", "model": "mockllm/good", "epoch": 2, "score_min": 0.5}

        rows = get(asked, api, "/samples", **query)["samples"]

        assert {(row["task_name"], row["model"], row["epoch"]) for row in rows} == {("arithmetic", "mockllm/good", 2)}
        assert all(row["score"] >= 0.5 for row in rows)
        assert len(rows) == 6

    def test_search_finds_words_in_any_order(self, asked, api) -> None:
        assert get(asked, api, "/evals", search="GOOD arith")["total"] == 1

    def test_moments_bound_evals(self, asked, api) -> None:
        made = get(asked, api, "/evals", made_from="2026-01-01T00:00:00Z", made_until="2026-01-01T00:00:01Z")

        assert {row["eval_set_id"] for row in made["evals"]} == {MADE}

    @pytest.mark.parametrize("path", ["/eval_sets", "/evals", "/samples", "/jobs"])
    def test_are_values_and_never_sql_or_lines_of_a_log(self, asked, api, path, caplog) -> None:
        names = [
            parameter["name"]
            for parameter in api.app.openapi()["paths"][path]["get"]["parameters"]
            if parameter["in"] == "query" and "string" in str(parameter["schema"])
        ]
        caplog.set_level("INFO", logger="hawk")

        statuses = {
            asked.get(path, headers=api.headers(), params={name: text}).status_code
            for name in names
            for text in HOSTILE
        }

        assert statuses <= {200, 422}  # what must be a word or a moment is refused
        assert not [line for record in caplog.records for line in record.getMessage().splitlines()[1:]]
        assert api.rows("select count(*) as number from marts.fct_eval")[0]["number"] > 0

    @pytest.mark.parametrize("text", ["%", "_", "\\", "' or true --"])
    def test_search_takes_signs_for_themselves(self, asked, api, text) -> None:
        found = get(asked, api, "/evals", search=text)["evals"]

        columns = ("eval_id", "eval_set_id", "task_name", "model", "error_message")
        assert all(any(text in str(row[column]) for column in columns) for row in found)

    def test_nul_is_refused_with_the_field_at_fault(self, asked, api) -> None:
        answer = asked.get("/samples?task=a%00b", headers=api.headers())

        assert (answer.status_code, answer.json()["field"]) == (422, "task")


class TestVisibility:
    def test_lists_hold_only_what_the_caller_may_see(self, asked, api) -> None:
        for path, noun in (("/evals", "evals"), ("/samples", "samples"), ("/eval_sets", "eval_sets")):
            answer = get(asked, api, path, "public-user", limit=500)

            assert {row["eval_set_id"] for row in answer[noun]} == {MADE}
            assert answer["total"] == len(answer[noun])

    def test_nobody_without_groups_sees_anything(self, asked, api) -> None:
        token = {"authorization": f"Bearer {api.signed(sub='outsider', permissions=[])}"}

        answers = [asked.get(path, headers=token).json() for path in ("/evals", "/samples", "/eval_sets", "/jobs")]

        assert [answer["total"] for answer in answers] == [0, 0, 0, 0]

    def test_link_of_a_sample_leads_to_its_eval_set_eval_and_log(self, asked, api) -> None:
        [sample] = api.rows(
            "select sample_uuid, eval_id from marts.fct_sample where eval_set_id = %s and is_canonical limit 1", MADE
        )

        link = get(asked, api, f"/samples/{sample['sample_uuid']}")

        assert (link["eval_set_id"], link["eval_id"]) == (MADE, sample["eval_id"])
        assert link["log"].endswith(".eval")
        assert sample["sample_uuid"] in link["viewer_url"]

    @pytest.mark.parametrize("noun", ["sample", "eval"])
    def test_what_may_not_be_seen_is_as_what_is_not_there(self, asked, api, noun) -> None:
        column, table = ("sample_uuid", "fct_sample") if noun == "sample" else ("eval_id", "fct_eval")
        [hidden] = api.rows(f"select {column} as id from marts.{table} where eval_set_id = %s limit 1", FOREIGN)

        answers = [
            asked.get(f"/{noun}s/{name}", headers=api.headers("public-user")) for name in (hidden["id"], "nothing")
        ]

        bodies = [{**answer.json(), "request_id": ""} for answer in answers]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert bodies[0]["detail"].replace(hidden["id"], "nothing") == bodies[1]["detail"]


def test_jobs_are_those_that_run_and_with_ended_all(asked, api) -> None:
    api.execute("insert into ops.model_group values ('openai/small', %s) on conflict do nothing", PUBLIC)
    for name in ("waits", "ended"):
        body = {"config": config_of(eval_set_id=name), "priority": "high"}
        assert asked.post("/eval_sets", json=body, headers=api.headers()).status_code == 201
    api.execute("update ops.eval_set set status = 'failed' where eval_set_id = 'ended'")

    running, everything = get(asked, api, "/jobs"), get(asked, api, "/jobs", ended=True)

    assert [(job["eval_set_id"], job["status"], job["priority"]) for job in running["jobs"]] == [
        ("waits", "pending", "high")
    ]
    assert [job["eval_set_id"] for job in everything["jobs"]] == ["ended", "waits"]


def test_lists_are_empty_while_there_are_no_marts(client, hawk_api) -> None:
    for path in ("/evals", "/samples"):
        assert client.get(path, headers=hawk_api.headers()).json()["total"] == 0
    assert client.get("/evals/any", headers=hawk_api.headers()).status_code == 404
