"""The log gateway on a real S3 and Inspect's real viewer server, with a real log."""

import json
import time
from pathlib import Path

import httpx
import pytest

from hawk.log_gateway.guard import LogGuard
from hawk.log_gateway.paths import set_file
from hawk.log_gateway.streaming import PIECE_BYTES, file_pieces
from hawk.naming import MODELS_FILE, eval_set_key
from hawk.warehouse.log_source import ObjectChanged
from tests.fakes.hawk_api import PRIVATE, PUBLIC, HawkApi, config_of
from tests.fakes.small_logs import small_log

LOG = "2026-05-01T12-00-00+00-00_arithmetic_abc.eval"
EVAL_SET = "mine"
GATEWAYS = ("/view/logs", "/api")
ASKING = (
    "logs?log_dir={set}",
    "log-files?log_dir={set}",
    "eval-set?log_dir={set}",
    "flow?log_dir={set}",
    "log-headers?file={set}/{log}",
    "log-info/{set}%2F{log}",
    "log-size/{set}/{log}",
    "logs/{set}/{log}?header-only=0",
    "log-bytes/{set}/{log}?start=0&end=9",
    "log-download/{set}/{log}",
    "pending-samples?log={set}/{log}",
    "pending-sample-data?log={set}/{log}&id=1&epoch=1",
    "pending-sample-data-urls?log={set}/{log}&id=1&epoch=1",
)


@pytest.fixture(autouse=True)
def nothing_remembered(hawk_api: HawkApi) -> None:
    """Let the gateway ask anew: for some seconds it keeps what the test before made true."""
    services = hawk_api.services
    hawk_api.app.state.log_gateway.guard = LogGuard(services.s3, services.settings.bucket)


@pytest.fixture
def folder(hawk_api: HawkApi, client, tmp_path: Path) -> HawkApi:
    """Launch a set of a private model, and put a log of it into its folder."""
    launch(hawk_api, client, EVAL_SET, "openai/secret")
    put(hawk_api, LOG, log_of(tmp_path, model="openai/secret"))
    return hawk_api


def launch(hawk_api: HawkApi, client, eval_set_id: str, *models: str) -> None:
    body = {"config": config_of(*models), "eval_set_id": eval_set_id}
    answer = client.post("/eval_sets", json=body, headers=hawk_api.headers())
    assert answer.status_code == 201, answer.text


def log_of(folder: Path, **fields) -> bytes:
    path = folder / f"{time.monotonic_ns()}.eval"
    small_log(path, **fields)
    return path.read_bytes()


def put(hawk_api: HawkApi, name: str, body: bytes, eval_set_id: str = EVAL_SET) -> None:
    key = eval_set_key(eval_set_id, name)
    hawk_api.services.s3.put_object(Bucket=hawk_api.settings.bucket, Key=key, Body=body)


def signed(hawk_api: HawkApi, *groups: str) -> dict[str, str]:
    return {"authorization": f"Bearer {hawk_api.signed(sub='somebody', permissions=list(groups))}"}


def tags_of(hawk_api: HawkApi, name: str) -> dict[str, str]:
    key = eval_set_key(EVAL_SET, name)
    answer = hawk_api.services.s3.get_object_tagging(Bucket=hawk_api.settings.bucket, Key=key)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


def view(client, path: str, headers: dict[str, str], *, gateway: str = GATEWAYS[0], log: str = LOG):
    asked = path.format(set=EVAL_SET, log=log.replace("+", "%2B"))
    return client.get(f"{gateway}/{asked}", headers=headers)


class TestInspectsViewerServer:
    @pytest.mark.parametrize("gateway", GATEWAYS)
    def test_it_lists_and_reads_for_who_holds_the_groups(self, folder, client, gateway):
        headers = signed(folder, f"{PRIVATE}:read")

        answers = {path: view(client, path, headers, gateway=gateway) for path in ASKING}

        nothing_there = {path for path in ASKING if path.startswith(("flow", "pending"))}
        statuses = {path: answer.status_code for path, answer in answers.items()}
        assert statuses == {path: 404 if path in nothing_there else 200 for path in ASKING}
        [file] = answers["logs?log_dir={set}"].json()["files"]
        assert file["name"] == f"{EVAL_SET}/{LOG}"
        assert answers["log-headers?file={set}/{log}"].json()[0]["eval"]["model"] == "openai/secret"
        assert answers["log-bytes/{set}/{log}?start=0&end=9"].content[:4] == b"PK\x03\x04"

    def test_who_lacks_a_group_is_told_what_a_set_that_is_not_there_tells(self, folder, client):
        headers = signed(folder, PUBLIC)

        for path in ASKING:
            denied = view(client, path, headers)
            missing = client.get(
                f"/view/logs/{path.format(set='missing', log=LOG.replace('+', '%2B'))}", headers=headers
            )
            assert (denied.status_code, missing.status_code) == (404, 404), path
            hidden = denied.json()["detail"].replace(EVAL_SET, "missing")
            assert hidden == missing.json()["detail"], path
        denials = folder.rows("select detail from ops.audit where outcome = 'denied' and subject = 'somebody'")
        assert len(denials) == len(ASKING)
        assert denials[0]["detail"]["missing_groups"] == [PRIVATE]

    def test_it_never_changes_a_log(self, folder, client):
        before = folder.services.s3.get_object(Bucket=folder.settings.bucket, Key=eval_set_key(EVAL_SET, LOG))["ETag"]
        headers = {**folder.headers(), "x-inspect-view-request": "true"}
        edit = {"edits": [], "provenance": {"author": "a", "reason": "b"}}

        for gateway in GATEWAYS:
            for ask in (
                client.delete(f"{gateway}/log-delete/{EVAL_SET}/{LOG}", headers=headers),
                client.post(f"{gateway}/log-edit/{EVAL_SET}/{LOG}", headers=headers, json=edit),
                client.post(f"{gateway}/log-message?log_file={EVAL_SET}/{LOG}&message=x", headers=headers),
            ):
                assert ask.status_code == 403

        after = folder.services.s3.get_object(Bucket=folder.settings.bucket, Key=eval_set_key(EVAL_SET, LOG))["ETag"]
        assert after == before

    @pytest.mark.parametrize(
        "path",
        [
            f"logs/other%2F..%2F{EVAL_SET}%2F{LOG}",
            f"log-bytes/{EVAL_SET}%2F..%2Fother%2F{LOG}?start=0&end=1",
            f"log-bytes/{EVAL_SET}%252F..%252Fother%252F{LOG}?start=0&end=1",
            f"log-bytes/{EVAL_SET}%255C{LOG}?start=0&end=1",
            f"log-size/{EVAL_SET}%2F.models.json",
            "log-size/file%3A%2F%2F%2Fetc%2Fpasswd",
            "log-size/s3%3A%2F%2Fother%2Fx.eval",
            "log-size/%2Fetc%2Fpasswd",
            f"log-info/{EVAL_SET}%2F{LOG}%00",
            "logs",
            "logs?log_dir=",
            "logs?log_dir=/",
            "logs?log_dir=..",
            "logs?log_dir=%252e%252e",
            "logs?log_dir=s3%3A%2F%2Fother",
            f"eval-set?log_dir={EVAL_SET}&dir=..%2Fother",
            f"eval-set?log_dir={EVAL_SET}&dir=sub",
            f"flow?log_dir={EVAL_SET}&dir=..",
            f"log-headers?file={EVAL_SET}%2F..%2Fx.eval",
            f"pending-samples?log={EVAL_SET}%252F..%252Fx.eval",
            "docs",
            "openapi.json",
            "scout/searches",
            "log-dir",
        ],
    )
    def test_nothing_but_a_log_of_a_set_is_read(self, folder, client, path):
        answer = client.get(f"/view/logs/{path}", headers=folder.headers())

        assert answer.status_code == 404
        assert b"root:" not in answer.content

    def test_it_says_who_looks_and_not_who_runs_the_server(self, folder, client):
        answer = client.get("/api/user-info", headers=folder.headers())

        assert answer.json() == {"name": "researcher", "email": "researcher@hawk.example"}

    def test_content_is_not_trusted_and_no_address_of_the_store_is_given(self, folder, client):
        assert client.get("/api/app-config", headers=folder.headers()).json()["trust_content"] is False
        assert "direct_url" not in view(client, "log-info/{set}/{log}", folder.headers()).json()

    def test_a_log_is_never_read_whole_into_memory(self, folder, client):
        answer = view(client, "logs/{set}/{log}", folder.headers())

        assert answer.status_code == 200
        assert not answer.json().get("samples")

    @pytest.mark.parametrize("token", ["nonsense", "1-x", '"-"', "\u00e9".encode("latin-1")])
    def test_a_token_that_is_none_is_as_good_as_no_token(self, folder, client, token):
        answer = view(client, "log-files?log_dir={set}", {**folder.headers(), "if-none-match": token})

        assert answer.json()["response_type"] == "full"

    @pytest.mark.parametrize("query", ["start=-1&end=5", "start=5&end=x", "start=9&end=1", "start=9999999&end=9999999"])
    def test_ranges_that_are_none_are_refused(self, folder, client, query):
        answer = client.get(f"/api/log-bytes/{EVAL_SET}/{LOG.replace('+', '%2B')}?{query}", headers=folder.headers())

        assert answer.status_code in (416, 422)

    def test_looking_is_written_down_once_for_a_while_of_it(self, folder, client):
        token = folder.signed(sub="a-viewer", permissions=[PRIVATE])
        for _ in range(3):
            view(client, "log-bytes/{set}/{log}?start=0&end=9", {"authorization": f"Bearer {token}"})

        rows = folder.rows("select object_id from ops.audit where action = 'log.view' and subject = 'a-viewer'")

        assert [row["object_id"] for row in rows] == [EVAL_SET]


class TestWhichGroupsAreNeeded:
    """Never fewer than the launch declared and the log's header names."""

    def test_a_log_of_another_model_needs_the_group_of_that_too(self, hawk_api, client, tmp_path):
        launch(hawk_api, client, EVAL_SET, "openai/small")
        put(hawk_api, LOG, log_of(tmp_path, model="openai/small", used=("openai/secret",)))
        ask = "log-size/{set}/{log}"

        assert view(client, ask, signed(hawk_api, PUBLIC)).status_code == 404
        assert view(client, ask, signed(hawk_api, PUBLIC, PRIVATE)).status_code == 200
        assert view(client, ask, signed(hawk_api, PRIVATE)).status_code == 404

    def test_a_model_that_nobody_registered_is_nobodys(self, hawk_api, client, tmp_path):
        launch(hawk_api, client, EVAL_SET, "openai/small")
        put(hawk_api, LOG, log_of(tmp_path, model="openai/unheard-of"))

        assert view(client, "log-size/{set}/{log}", signed(hawk_api, PUBLIC, PRIVATE)).status_code == 404

    @pytest.mark.parametrize("body", [None, b"no JSON", b'{"model_names": [], "model_groups": []}'])
    def test_a_folder_whose_gate_file_says_nothing_is_nobodys(self, folder, client, body):
        key = eval_set_key(EVAL_SET, MODELS_FILE)
        if body is None:
            folder.services.s3.delete_object(Bucket=folder.settings.bucket, Key=key)
        else:
            put(folder, MODELS_FILE, body)

        answers = [view(client, path, folder.headers()) for path in ("logs?log_dir={set}", "log-size/{set}/{log}")]
        files = client.get(f"/eval_sets/{EVAL_SET}/files", headers=folder.headers())

        assert [answer.status_code for answer in [*answers, files]] == [404, 404, 404]

    def test_groups_of_the_gate_file_count_though_the_table_has_fewer(self, hawk_api, client, tmp_path):
        launch(hawk_api, client, EVAL_SET, "openai/small")
        put(hawk_api, LOG, log_of(tmp_path, model="openai/small"))
        put(hawk_api, MODELS_FILE, json.dumps({"model_names": [], "model_groups": [PRIVATE]}).encode())

        assert view(client, "log-size/{set}/{log}", signed(hawk_api, PUBLIC)).status_code == 404

    def test_a_log_that_cannot_be_read_is_nobodys(self, folder, client):
        put(folder, LOG, b"PK no log at all")

        assert view(client, "log-bytes/{set}/{log}?start=0&end=3", folder.headers()).status_code == 404


class TestTags:
    def test_launch_tags_the_gate_file_and_a_first_look_tags_a_log(self, folder, client):
        assert tags_of(folder, MODELS_FILE) == {"InspectModels": "openai/secret"}
        assert tags_of(folder, LOG) == {}

        view(client, "log-size/{set}/{log}", folder.headers())

        assert tags_of(folder, LOG)["InspectModels"] == "openai/secret"

    def test_tags_of_an_older_version_are_not_believed(self, hawk_api, client, tmp_path):
        launch(hawk_api, client, EVAL_SET, "openai/small")
        put(hawk_api, LOG, log_of(tmp_path, model="openai/small"))
        view(client, "log-size/{set}/{log}", hawk_api.headers())
        stale = tags_of(hawk_api, LOG)
        put(hawk_api, LOG, log_of(tmp_path, model="openai/secret"))
        tag_set = [{"Key": name, "Value": value} for name, value in stale.items()]
        key = eval_set_key(EVAL_SET, LOG)
        hawk_api.services.s3.put_object_tagging(Bucket=hawk_api.settings.bucket, Key=key, Tagging={"TagSet": tag_set})

        assert view(client, "log-size/{set}/{log}", signed(hawk_api, PUBLIC)).status_code == 404


class TestFiles:
    @pytest.fixture
    def filled(self, folder):
        put(folder, "artifacts/uuid-1/out/a b.txt", b"one")
        put(folder, "artifacts/uuid-2/x.html", b"<script>alert(1)</script>")
        put(folder, "reports/uuid-1/report.md", b"two")
        put(folder, "artifacts/uuid-1/\x1b[31mred", b"never")
        put(folder, "logs.json", b"{}")
        return folder

    def names(self, client, hawk_api, query: str) -> list[str]:
        answer = client.get(f"/eval_sets/{EVAL_SET}/files?{query}", headers=hawk_api.headers())
        assert answer.status_code == 200, answer.text
        return [file["name"] for file in answer.json()["files"]]

    def test_logs_and_artifacts_are_listed_and_nothing_else(self, filled, client):
        artifacts = ["artifacts/uuid-1/out/a b.txt", "artifacts/uuid-2/x.html", "reports/uuid-1/report.md"]

        assert self.names(client, filled, "kind=log") == [LOG]
        assert self.names(client, filled, "kind=artifact") == artifacts
        assert self.names(client, filled, "kind=artifact&sample_uuid=uuid-1") == [artifacts[0], artifacts[2]]

    def test_pages_follow_one_another_through_both_trees(self, filled, client):
        seen, after = [], ""
        while after is not None:
            page = client.get(
                f"/eval_sets/{EVAL_SET}/files",
                params={"kind": "artifact", "limit": 1, "after": after},
                headers=filled.headers(),
            ).json()
            seen += [file["name"] for file in page["files"]]
            after = page["next_after"]

        assert seen == ["artifacts/uuid-1/out/a b.txt", "artifacts/uuid-2/x.html", "reports/uuid-1/report.md"]

    def test_an_address_holds_for_minutes_for_one_file_and_is_written_down(self, filled, client):
        given = client.get(
            f"/eval_sets/{EVAL_SET}/files/url", params={"name": "artifacts/uuid-2/x.html"}, headers=filled.headers()
        ).json()

        answer = httpx.get(given["url"])

        assert answer.content == b"<script>alert(1)</script>"
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment")
        assert "X-Amz-Expires=300" in given["url"]
        assert httpx.get(given["url"].replace("x.html", "y.html")).status_code in (403, 404)
        assert httpx.put(given["url"], content=b"x").status_code == 403
        [row] = filled.rows("select * from ops.audit where action = 'artifact.download' order by audit_id desc limit 1")
        assert (row["object_id"], row["detail"]["file"]) == (EVAL_SET, "artifacts/uuid-2/x.html")

    def test_addresses_hold_ten_minutes_at_most(self, hawk_api):
        with pytest.raises(ValueError, match="600"):
            type(hawk_api.settings).model_validate({**hawk_api.settings.model_dump(), "download_url_seconds": 601})

    @pytest.mark.parametrize(
        ("asked", "status", "body"),
        [
            (None, 200, b"0123456789"),
            ("bytes=2-4", 206, b"234"),
            ("bytes=7-", 206, b"789"),
            ("bytes=-3", 206, b"789"),
            ("bytes=-99", 206, b"0123456789"),
            ("bytes=0-99", 206, b"0123456789"),
            ("bytes=4-2", 200, b"0123456789"),
            ("bytes=0-1,3-4", 200, b"0123456789"),
            ("lines=1-2", 200, b"0123456789"),
            ("bytes=10-", 416, None),
        ],
    )
    def test_ranges_are_those_of_http(self, folder, client, asked, status, body):
        put(folder, "artifacts/uuid-1/digits", b"0123456789")
        headers = {**folder.headers(), **({"range": asked} if asked else {})}

        answer = client.get(
            f"/eval_sets/{EVAL_SET}/files/content", params={"name": "artifacts/uuid-1/digits"}, headers=headers
        )

        assert answer.status_code == status
        assert body is None or (answer.content == body and answer.headers["content-length"] == str(len(body)))

    def test_a_range_of_another_version_is_all_of_this_one(self, folder, client):
        headers = {**folder.headers(), "range": "bytes=0-1", "if-range": '"older"'}

        answer = client.get(f"/eval_sets/{EVAL_SET}/files/content", params={"name": LOG}, headers=headers)

        assert answer.status_code == 200

    @pytest.mark.parametrize("name", ["../other/x.eval", ".models.json", "missing.eval", "artifacts/uuid-1/missing"])
    def test_what_is_not_there_or_not_to_be_seen_is_one_answer(self, folder, client, name):
        for way in ("url", "content"):
            answer = client.get(f"/eval_sets/{EVAL_SET}/files/{way}", params={"name": name}, headers=folder.headers())

            assert answer.status_code == 404
            assert "no file" in answer.json()["detail"]

    def test_a_file_comes_in_pieces_of_the_version_that_was_judged(self, folder, client):
        gateway, s3, bucket = folder.app.state.log_gateway, folder.services.s3, folder.settings.bucket
        put(folder, "artifacts/uuid-1/large", bytes(3 * PIECE_BYTES))
        stored = gateway.guard.stored(set_file(EVAL_SET, "artifacts/uuid-1/large"))

        pieces = [len(piece) for piece in file_pieces(s3, bucket, stored, 1, 3 * PIECE_BYTES - 1)]
        put(folder, "artifacts/uuid-1/large", b"another")

        assert sum(pieces) == 3 * PIECE_BYTES - 1
        assert max(pieces) <= PIECE_BYTES
        with pytest.raises(ObjectChanged):
            file_pieces(s3, bucket, stored, 0, 1)


class TestBrowserSessions:
    def begin(self, client, headers) -> str:
        answer = client.post("/view/sessions", json={"eval_set_id": EVAL_SET}, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()["path"].partition("code=")[2].partition("&")[0]

    def exchange(self, client, code: str):
        client.cookies.clear()
        return client.post("/view/session", json={"code": code})

    def test_a_code_is_exchanged_once_for_a_cookie_that_looks_and_does_nothing_else(self, folder, client):
        answer = self.exchange(client, code := self.begin(client, folder.headers()))
        set_cookie = answer.headers["set-cookie"].lower()

        assert all(part in set_cookie for part in ("httponly", "samesite=strict", "secure", "path=/"))
        token = set_cookie.partition("=")[2].partition(";")[0]
        cookie = {"cookie": f"hawk_logs={answer.cookies.get('hawk_logs') or token}"}
        assert view(client, "log-size/{set}/{log}", cookie).status_code == 200
        assert client.get("/eval_sets", headers=cookie).status_code == 401
        assert client.get(f"/eval_sets/{EVAL_SET}/files", headers=cookie).status_code == 401
        assert client.delete(f"/api/log-delete/{EVAL_SET}/{LOG}", headers=cookie).status_code == 403
        assert self.exchange(client, code).status_code == 401

        assert client.delete("/view/session", headers=cookie).status_code == 204
        assert view(client, "log-size/{set}/{log}", cookie).status_code == 401

    def test_a_page_of_another_site_signs_nobody_in(self, folder, client):
        code = self.begin(client, folder.headers())

        answer = client.post("/view/session", json={"code": code}, headers={"sec-fetch-site": "cross-site"})

        assert answer.status_code == 403
        assert self.exchange(client, code).status_code == 200

    def test_a_session_sees_what_its_person_may_see(self, folder, client):
        launch(folder, client, "public", "openai/small")
        code = client.post("/view/sessions", json={}, headers=signed(folder, PUBLIC)).json()["path"].partition("=")[2]
        cookie = {"cookie": f"hawk_logs={self.exchange(client, code).cookies['hawk_logs']}"}

        assert client.get("/api/logs?log_dir=public", headers=cookie).status_code == 200
        assert client.get(f"/api/logs?log_dir={EVAL_SET}", headers=cookie).status_code == 404

    def test_nobody_opens_a_set_that_he_may_not_see(self, folder, client):
        answer = client.post("/view/sessions", json={"eval_set_id": EVAL_SET}, headers=signed(folder, PUBLIC))

        assert answer.status_code == 404

    def test_codes_and_sessions_end(self, folder, client):
        late = self.begin(client, folder.headers())
        folder.execute("update ops.browser_session set code_until = now() - interval '1 second'")
        assert self.exchange(client, late).status_code == 401

        token = self.exchange(client, self.begin(client, folder.headers())).cookies["hawk_logs"]
        folder.execute("update ops.browser_session set until = now() where token_hash is not null")
        assert view(client, "log-size/{set}/{log}", {"cookie": f"hawk_logs={token}"}).status_code == 401

    def test_the_database_has_neither_codes_nor_cookies(self, folder, client):
        code = self.begin(client, folder.headers())
        token = self.exchange(client, code).cookies["hawk_logs"]

        [row] = folder.rows("select * from ops.browser_session where token_hash is not null order by 1 desc limit 1")

        assert row["code_hash"] is None
        assert code not in str(row)
        assert token not in str(row)
        assert row["until"].timestamp() <= time.time() + folder.settings.browser_session_seconds + 1

    def test_pages_may_run_their_own_scripts_and_no_others(self, client):
        for path in ("/view/open", "/view/logs/"):
            headers = client.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["referrer-policy"] == "no-referrer"
        assert client.get("/view/logs/assets/index.js").status_code == 200
        assert client.get("/view/logs/assets/..%2F..%2Fschema.py").status_code == 401  # no asset, so a log's name
        assert client.get("/view/logs/assets/missing.js").status_code == 404


def test_a_job_reads_no_logs_through_the_gateway(folder, client):
    from datetime import timedelta

    from hawk.auth import mint_job_token

    token = mint_job_token(
        folder.settings.job_token_key,
        job_id=EVAL_SET,
        permissions=[PRIVATE],
        created_by="researcher",
        lifetime=timedelta(hours=1),
    )

    assert view(client, "log-size/{set}/{log}", {"authorization": f"Bearer {token}"}).status_code == 403
