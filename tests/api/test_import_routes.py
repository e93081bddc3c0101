"""Bringing logs over the API: real Postgres and S3, files of every kind of trouble."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from hawk.log_import.content import PART_BYTES, hash_of_parts
from hawk.log_import.rules import new_imported_id
from hawk.log_import.uploads import expire_uploads
from hawk.naming import CONTENT_HASH_HEADER
from hawk.warehouse import inbox
from tests.fakes.hawk_api import PRIVATE, PUBLIC, HawkApi
from tests.fakes.small_logs import small_log


def parts_of(data: bytes) -> list[bytes]:
    return [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)] or [b""]


def described(path: Path, data: bytes | None = None, **fields) -> dict:
    data = path.read_bytes() if data is None else data
    return {
        "file_name": path.name,
        "size_bytes": len(data),
        "content_hash": hash_of_parts(hashlib.sha256(part).hexdigest() for part in parts_of(data)),
        "eval_id": "eval-one",
        "model_names": ["openai/small"],
        **fields,
    }


class Bringer:
    """Somebody who imports logs by the API."""

    def __init__(self, client, hawk_api: HawkApi, account: str = "researcher") -> None:
        self.client = client
        self.headers = hawk_api.headers(account)

    def begin(self, *logs: dict, **fields):
        return self.client.post("/imports", json={"logs": list(logs), **fields}, headers=self.headers)

    def put(self, upload_id: str, number: int, data: bytes, sha256: str | None = None):
        headers = {
            **self.headers,
            CONTENT_HASH_HEADER: sha256 or hashlib.sha256(data).hexdigest(),
            "content-type": "application/octet-stream",
        }
        return self.client.put(f"/imports/uploads/{upload_id}/parts/{number}", content=data, headers=headers)

    def finish(self, upload_id: str):
        return self.client.post(f"/imports/uploads/{upload_id}/finish", headers=self.headers)

    def send(self, path: Path, **fields):
        """Bring a file the whole way, and return the last answer; what is told of it need not be true."""
        [log] = self.begin(described(path, **fields)).json()["logs"]
        for number, part in enumerate(parts_of(path.read_bytes()), start=1):
            self.put(log["upload_id"], number, part)
        return self.finish(log["upload_id"])


@pytest.fixture
def researcher(client, hawk_api: HawkApi) -> Bringer:
    return Bringer(client, hawk_api)


@pytest.fixture
def public_only(client, hawk_api: HawkApi) -> Bringer:
    return Bringer(client, hawk_api, "public-user")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return small_log(tmp_path / "2026-05-01T12-00-00-00-00_arithmetic_abc.eval")


def objects(hawk_api: HawkApi) -> set[str]:
    listed = hawk_api.services.s3.list_objects_v2(Bucket=hawk_api.settings.bucket)
    return {item["Key"] for item in listed.get("Contents", [])}


def body_of(hawk_api: HawkApi, key: str) -> bytes:
    return hawk_api.services.s3.get_object(Bucket=hawk_api.settings.bucket, Key=key)["Body"].read()


def detail(response) -> str:
    problem = response.json()
    return f"{problem['detail']} {problem['hint']}"


def test_log_becomes_part_of_a_new_set_and_waits_for_its_import(researcher: Bringer, hawk_api: HawkApi, log: Path):
    begun = researcher.begin(described(log), name="My Logs").json()
    eval_set_id = begun["eval_set_id"]
    [verdict] = begun["logs"]
    assert verdict["state"] == "wanted"
    researcher.put(verdict["upload_id"], 1, log.read_bytes())

    answer = researcher.finish(verdict["upload_id"])

    assert answer.status_code == 200, answer.text
    assert answer.json()["eval_set_id"] == eval_set_id
    assert eval_set_id.startswith("imported-my-logs-")
    key = f"evals/{eval_set_id}/{answer.json()['log']}"
    assert objects(hawk_api) == {key, f"evals/{eval_set_id}/.models.json"}
    [row] = hawk_api.rows("select * from ops.eval_set")
    assert (row["origin"], row["status"], row["created_by"]) == ("import", "complete", "researcher")
    assert (row["model_names"], row["model_groups"]) == (["openai/small"], [PUBLIC])
    [entry] = hawk_api.rows("select key, state, source from ops.log_inbox")
    assert entry == {"key": key, "state": "pending", "source": "import"}
    [act] = hawk_api.rows("select object_id, subject from ops.audit where action = 'log.import'")
    assert act == {"object_id": eval_set_id, "subject": "researcher"}


def test_log_of_several_parts_is_stamped_and_keeps_its_samples(researcher: Bringer, hawk_api: HawkApi, tmp_path: Path):
    path = small_log(tmp_path / "large.eval", padding_bytes=PART_BYTES + 3_000_000, samples=2)

    answer = researcher.send(path)

    assert answer.status_code == 200, answer.text
    stored = body_of(hawk_api, f"evals/{answer.json()['eval_set_id']}/{answer.json()['log']}")
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(io.BytesIO(stored)) as after:
        for name in ("samples/1_epoch_1.json", "samples/2_epoch_1.json"):
            assert after.read(name) == before.read(name)
        assert answer.json()["eval_set_id"].encode() in after.read("header.json")
        assert answer.json()["eval_set_id"].encode() in after.read("_journal/start.json")


def test_log_in_json_keeps_its_format_and_is_named_as_inspect_names_such(
    researcher: Bringer, hawk_api: HawkApi, tmp_path: Path
):
    path = small_log(tmp_path / "my log.json")

    answer = researcher.send(path)

    assert answer.status_code == 200, answer.text
    assert answer.json()["log"].startswith("2026-05-01T12-00-00+00-00_my-log-")
    assert hawk_api.rows("select state from ops.log_inbox") == [{"state": "pending"}]


def test_interrupted_upload_goes_on_with_the_parts_that_came(researcher: Bringer, hawk_api: HawkApi, tmp_path: Path):
    path = small_log(tmp_path / "large.eval", padding_bytes=2 * PART_BYTES + 1_000_000)
    first, second, third = parts_of(path.read_bytes())
    begun = researcher.begin(described(path)).json()
    researcher.put(begun["logs"][0]["upload_id"], 1, first)
    researcher.put(begun["logs"][0]["upload_id"], 3, third)

    again = researcher.begin(described(path), name="another name").json()

    assert again["eval_set_id"] == begun["eval_set_id"]
    [verdict] = again["logs"]
    assert verdict["received_parts"] == [1, 3]
    assert researcher.finish(verdict["upload_id"]).status_code == 409
    researcher.put(verdict["upload_id"], 2, second)
    assert researcher.finish(verdict["upload_id"]).status_code == 200


def test_finishing_again_answers_the_same(researcher: Bringer, hawk_api: HawkApi, log: Path):
    [verdict] = researcher.begin(described(log)).json()["logs"]
    researcher.put(verdict["upload_id"], 1, log.read_bytes())

    first, second = (researcher.finish(verdict["upload_id"]) for _ in range(2))

    assert first.json() == second.json()
    assert len(hawk_api.rows("select 1 from ops.log_inbox")) == 1


def test_request_that_died_after_the_log_was_placed_is_mended_by_the_next(
    researcher: Bringer, hawk_api: HawkApi, log: Path
):
    [verdict] = researcher.begin(described(log)).json()["logs"]
    researcher.put(verdict["upload_id"], 1, log.read_bytes())
    first = researcher.finish(verdict["upload_id"]).json()
    key = f"evals/{first['eval_set_id']}/{first['log']}"
    stored = body_of(hawk_api, key)
    hawk_api.execute("truncate ops.log_inbox")
    hawk_api.execute("update ops.log_upload set state = 'open', key = null")
    bucket = hawk_api.settings.bucket
    hawk_api.services.s3.put_object(Bucket=bucket, Key=f"pending/{verdict['upload_id']}", Body=log.read_bytes())

    second = researcher.finish(verdict["upload_id"])

    assert second.json() == first
    assert body_of(hawk_api, key) == stored
    assert hawk_api.rows("select state from ops.log_inbox") == [{"state": "pending"}]


def test_file_that_was_brought_before_is_known_and_names_its_set(researcher: Bringer, log: Path):
    first = researcher.send(log).json()

    again = researcher.begin(described(log)).json()

    assert again["eval_set_id"] is None
    assert again["logs"][0]["state"] == "known"
    assert again["logs"][0]["eval_set_id"] == first["eval_set_id"]


def test_eval_of_another_set_is_refused_before_and_after_its_bytes_came(
    researcher: Bringer, hawk_api: HawkApi, log: Path, tmp_path: Path
):
    first = researcher.send(log).json()
    other = small_log(tmp_path / "other.eval", samples=2)

    [early] = researcher.begin(described(other)).json()["logs"]
    late = researcher.send(other, eval_id="told-otherwise")

    assert early["state"] == "refused"
    assert first["eval_set_id"] in early["reason"]
    assert f"hawk import --into {first['eval_set_id']}" in early["reason"]
    assert late.status_code == 409
    assert first["eval_set_id"] in detail(late)
    assert not [key for key in objects(hawk_api) if key.startswith("pending/")]


def test_set_that_the_caller_may_not_see_is_not_named(
    researcher: Bringer, public_only: Bringer, log: Path, tmp_path: Path
):
    secret = small_log(tmp_path / "secret.eval", model="openai/secret")
    brought = researcher.send(secret, model_names=["openai/secret"]).json()

    [verdict] = public_only.begin(described(log)).json()["logs"]

    assert verdict["state"] == "refused"
    assert brought["eval_set_id"] not in verdict["reason"]
    assert "may not see" in verdict["reason"]


def test_own_set_takes_a_newer_version_of_its_log(researcher: Bringer, hawk_api: HawkApi, log: Path, tmp_path: Path):
    first = researcher.send(log).json()
    newer = small_log(tmp_path / "newer.eval", samples=3)
    begun = researcher.begin(described(newer), eval_set_id=first["eval_set_id"]).json()
    researcher.put(begun["logs"][0]["upload_id"], 1, newer.read_bytes())

    answer = researcher.finish(begun["logs"][0]["upload_id"])

    assert answer.json() == first
    states = hawk_api.rows("select state from ops.log_inbox order by log_inbox_id")
    assert len(states) == 2


@pytest.mark.parametrize(
    ("models", "used", "status", "said"),
    [
        pytest.param("openai/unheard-of", (), 422, "openai/unheard-of", id="model that nobody registered"),
        pytest.param("openai/small", ("openai/unheard-of",), 422, "openai/unheard-of", id="one that was called"),
        pytest.param("openai/secret", (), 403, PRIVATE, id="model of a group that is lacking"),
        pytest.param("none/none", (), 422, "names no model", id="no model at all"),
    ],
)
def test_models_of_the_log_decide_whatever_was_told(
    public_only: Bringer, hawk_api: HawkApi, tmp_path: Path, models: str, used: tuple, status: int, said: str
):
    path = small_log(tmp_path / "a.eval", model=models, used=used)

    answer = public_only.send(path)

    assert answer.status_code == status, answer.text
    assert said in detail(answer)
    assert hawk_api.rows("select 1 from ops.eval_set") == []
    assert objects(hawk_api) == set()


def test_benchmark_with_a_group_asks_for_it_too(public_only: Bringer, researcher: Bringer, hawk_api: HawkApi, tmp_path):
    hawk_api.execute("insert into ops.benchmark_group values ('inspect-evals', %s)", PRIVATE)
    path = small_log(tmp_path / "a.eval", task="inspect_evals/gpqa")

    refused, taken = public_only.send(path), researcher.send(path)

    assert refused.status_code == 403
    assert taken.status_code == 200
    assert hawk_api.rows("select model_groups from ops.eval_set") == [{"model_groups": [PRIVATE, PUBLIC]}]
    hawk_api.execute("delete from ops.benchmark_group")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        pytest.param("a.eval", b"what is this", "zip", id="not a log"),
        pytest.param("a.json", b"{}", "eval", id="JSON that is no log"),
        pytest.param("a.eval", b"PK\x05\x06" + b"\0" * 18, "neither header.json", id="empty zip"),
        pytest.param("a.eval", None, "zip", id="beginning of a log"),
    ],
)
def test_file_that_is_no_log_is_refused_with_a_reason_and_not_kept(
    researcher: Bringer, hawk_api: HawkApi, tmp_path: Path, log: Path, name: str, data: bytes | None, said: str
):
    path = tmp_path / name
    path.write_bytes(log.read_bytes()[:40] if data is None else data)

    answer = researcher.send(path)

    assert answer.status_code == 422, answer.text
    assert said in detail(answer)
    assert objects(hawk_api) == set()
    [row] = hawk_api.rows("select state, reason from ops.log_upload")
    assert row["state"] == "refused"
    assert said in row["reason"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"file_name": "../../evals/other/a.eval"}, "no file name"),
        ({"file_name": "a\\b.eval"}, "no file name"),
        ({"file_name": "a\nb.eval"}, "no file name"),
        ({"file_name": ""}, "no file name"),
        ({"file_name": "a.zip"}, "no log by its name"),
        ({"size_bytes": 0}, "is empty"),
        ({"size_bytes": 10**15}, "at most 17,179,869,184"),
        ({"model_names": []}, "names no model"),
    ],
    ids=str,
)
def test_what_cannot_be_a_log_is_refused_before_its_bytes_come(
    researcher: Bringer, hawk_api: HawkApi, log: Path, fields: dict, said: str
):
    answer = researcher.begin(described(log, **fields)).json()

    assert answer["eval_set_id"] is None
    assert answer["logs"][0]["state"] == "refused"
    assert said in answer["logs"][0]["reason"]
    assert hawk_api.rows("select 1 from ops.log_upload") == []


def test_damaged_part_is_refused_and_can_come_again(researcher: Bringer, log: Path):
    [verdict] = researcher.begin(described(log)).json()["logs"]
    data = log.read_bytes()

    damaged = researcher.put(verdict["upload_id"], 1, b"x" + data[1:], sha256=hashlib.sha256(data).hexdigest())
    short = researcher.put(verdict["upload_id"], 1, data[:-1])
    beyond = researcher.put(verdict["upload_id"], 2, data)

    assert [answer.status_code for answer in (damaged, short, beyond)] == [422, 422, 422]
    assert researcher.put(verdict["upload_id"], 1, data).status_code == 204
    assert researcher.finish(verdict["upload_id"]).status_code == 200


def test_other_bytes_than_were_told_of_are_not_taken(researcher: Bringer, log: Path):
    data = log.read_bytes()
    changed = b"x" + data[1:]
    [verdict] = researcher.begin(described(log)).json()["logs"]
    researcher.put(verdict["upload_id"], 1, changed)

    answer = researcher.finish(verdict["upload_id"])

    assert answer.status_code == 409
    assert "has changed" in detail(answer)


def test_upload_is_its_owners_alone(researcher: Bringer, public_only: Bringer, log: Path):
    [verdict] = researcher.begin(described(log)).json()["logs"]

    assert public_only.put(verdict["upload_id"], 1, log.read_bytes()).status_code == 404
    assert public_only.finish(verdict["upload_id"]).status_code == 404


@pytest.mark.parametrize("eval_set_id", ["imported-of-nobody", "mine", "../x"])
def test_logs_are_added_only_to_sets_of_imported_logs(researcher: Bringer, log: Path, eval_set_id: str):
    answer = researcher.begin(described(log), eval_set_id=eval_set_id)

    assert answer.status_code == 422
    assert "--into" in detail(answer)


def test_logs_are_not_added_to_anothers_set(researcher: Bringer, public_only: Bringer, log: Path, tmp_path: Path):
    first = researcher.send(log).json()
    other = small_log(tmp_path / "other.eval", eval_id="eval-two")

    answer = public_only.begin(described(other, eval_id="eval-two"), eval_set_id=first["eval_set_id"])

    assert answer.status_code == 403


def test_dry_run_says_what_would_be_done_and_does_nothing(researcher: Bringer, hawk_api: HawkApi, log: Path):
    answer = researcher.begin(described(log), dry_run=True).json()

    assert answer["logs"][0]["state"] == "wanted"
    assert answer["eval_set_id"] is None
    assert hawk_api.rows("select 1 from ops.log_upload") == []


def test_upload_that_is_left_alone_for_a_day_is_given_up(researcher: Bringer, hawk_api: HawkApi, log: Path):
    [verdict] = researcher.begin(described(log)).json()["logs"]
    researcher.put(verdict["upload_id"], 1, log.read_bytes())
    hawk_api.execute("update ops.log_upload set state_changed_at = state_changed_at - interval '23 hours'")
    s3, bucket = hawk_api.services.s3, hawk_api.settings.bucket

    with hawk_api.connection() as connection:
        [now] = connection.execute("select now() as now").fetchall()
        kept = expire_uploads(connection, s3, bucket, now=now["now"])
        connection.execute("update ops.log_upload set state_changed_at = state_changed_at - interval '1 hour'")
        given_up = expire_uploads(connection, s3, bucket, now=now["now"])

    assert (kept, given_up) == (0, 1)
    answer = researcher.put(verdict["upload_id"], 1, log.read_bytes())
    assert answer.status_code == 409
    assert "expired" in detail(answer)
    begun = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    assert verdict["upload_id"] not in {upload["Key"].rpartition("/")[2] for upload in begun}


def test_too_much_at_a_time_is_refused(researcher: Bringer, hawk_api: HawkApi, log: Path):
    hawk_api.execute(
        "insert into ops.log_upload (upload_id, eval_set_id, set_name, created_by, file_name, size_bytes, content_hash,"
        " part_bytes, state, created_at, state_changed_at)"
        " values ('u', 's', 's', 'researcher', 'a.eval', %s, 'h', 8388608, 'open', now(), now())",
        hawk_api.settings.import_max_pending_bytes,
    )

    answer = researcher.begin(described(log))

    assert answer.status_code == 422
    assert "have begun to bring" in detail(answer)


def test_ids_of_imported_sets_are_ids_whatever_the_name():
    for name in ("", "x" * 500, "Ünïcode / path", "imported-x", "-" * 50):
        made = new_imported_id(name)
        assert made.startswith("imported-")
        assert len(made) <= 43


class TestStatesOfImports:
    def fill(self, hawk_api: HawkApi, client) -> str:
        brought = Bringer(client, hawk_api).send(self.log).json()
        return brought["eval_set_id"]

    @pytest.fixture(autouse=True)
    def prepare(self, client, hawk_api: HawkApi, log: Path) -> None:
        self.log = log
        self.client = client
        self.eval_set_id = self.fill(hawk_api, client)
        self.headers = hawk_api.headers()

    def listed(self, **fields) -> list[dict]:
        answer = self.client.get(f"/eval_sets/{self.eval_set_id}/imports", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["logs"]

    def retry(self, **body):
        return self.client.post(f"/eval_sets/{self.eval_set_id}/imports/retry", json=body, headers=self.headers)

    def quarantine(self, hawk_api: HawkApi) -> None:
        hawk_api.execute(
            "update ops.log_inbox set state = 'quarantined', reason = 'It is broken. Mend it.', attempts = 3"
        )

    def test_quarantined_log_is_shown_with_its_reason(self, hawk_api: HawkApi):
        self.quarantine(hawk_api)

        [entry] = self.listed()

        assert (entry["state"], entry["reason"], entry["attempts"]) == ("quarantined", "It is broken. Mend it.", 3)
        assert entry["log"].endswith(".eval")
        assert not entry["is_in_marts"]

    @pytest.mark.parametrize("state", ["quarantined", "dead_letter"])
    def test_log_that_was_set_aside_can_be_tried_again(self, hawk_api: HawkApi, state: str):
        self.quarantine(hawk_api)
        hawk_api.execute("update ops.log_inbox set state = %s", state)

        answer = self.retry()

        assert (answer.status_code, answer.json()["reopened"]) == (202, 1)
        with hawk_api.connection() as connection:
            assert inbox.pending_count(connection) == 1

    def test_log_that_is_imported_is_tried_again_only_by_name(self, hawk_api: HawkApi):
        hawk_api.execute("update ops.log_inbox set state = 'imported'")
        [entry] = self.listed()

        assert self.retry().json()["reopened"] == 0
        assert self.retry(logs=[entry["log"]]).json()["reopened"] == 1

    def test_name_of_no_log_is_404(self):
        answer = self.retry(logs=["nonsense.eval"])

        assert answer.status_code == 404
        assert "hawk imports list" in detail(answer)

    def test_force_takes_all_logs_though_they_are_imported(self, hawk_api: HawkApi):
        hawk_api.execute("update ops.log_inbox set state = 'imported'")

        answer = self.retry(force=True)

        assert (answer.status_code, answer.json()["reopened"]) == (202, 1)
        assert hawk_api.rows("select state, is_forced from ops.log_inbox") == [{"state": "pending", "is_forced": True}]

    def test_others_may_look_and_not_touch(self, hawk_api: HawkApi):
        self.headers = hawk_api.headers("public-user")

        assert len(self.listed()) == 1
        assert self.retry().status_code == 403
