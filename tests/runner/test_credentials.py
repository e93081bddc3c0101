"""The helper that gets AWS credentials for everything in a job: against brokers that fail, and the real one."""

import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from hawk.auth import mint_job_token
from hawk.dev.object_store import EmbeddedObjectStore
from hawk.dev.object_store_rights import LOG_ROLE_ARN
from runner import credentials
from runner.aws_config import use_token_broker
from tests.conftest import free_port
from tests.fakes.hawk_api import PUBLIC, HawkApi, config_of
from tests.fakes.served import served


class FakeBroker:
    """Answers with what it is told to, and counts."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.lifetime = timedelta(hours=1)
        self.asked: list[dict] = []
        self.seconds = 0.0
        broker = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                broker.asked.append({**body, "headers": {name.lower(): value for name, value in self.headers.items()}})
                time.sleep(broker.seconds)
                status = broker.answers.pop(0) if broker.answers else 200
                answer = {"detail": "because"} if status != 200 else broker.credentials()
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"

    def credentials(self) -> dict:
        return {
            "Version": 1,
            "AccessKeyId": f"KEY{len(self.asked)}",
            "SecretAccessKey": "s",
            "SessionToken": "t",
            "Expiration": (datetime.now(UTC) + self.lifetime).isoformat(),
        }

    def __enter__(self) -> "FakeBroker":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker


@pytest.fixture
def environment(broker: FakeBroker) -> dict[str, str]:
    return {"HAWK_TOKEN_BROKER_URL": broker.url, "HAWK_JOB_TOKEN": "job-token", "HAWK_JOB_ID": "a"}


def begin(folder: Path, environment: dict[str, str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-I", "-S", credentials.__file__, str(folder)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(folder: Path, environment: dict[str, str]) -> tuple[int, dict, str]:
    process = begin(folder, environment)
    out, complaint = process.communicate(timeout=60)
    return process.returncode, json.loads(out) if out else {}, complaint


def age(folder: Path, *, left: timedelta) -> None:
    """Let the kept credentials be those of a while ago."""
    path = folder / credentials.CACHE_FILE
    kept = json.loads(path.read_text())
    kept["Expiration"] = (datetime.now(UTC) + left).isoformat()
    kept["RenewAt"] = time.time() - 1
    path.write_text(json.dumps(kept))


def test_credentials_are_fetched_once_and_kept_for_all(tmp_path, broker, environment):
    first, second = run(tmp_path, environment), run(tmp_path, environment)

    assert first == second
    assert first[1]["AccessKeyId"] == "KEY1"
    assert set(first[1]) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    [asked] = broker.asked
    assert (asked["job_id"], asked["job_type"]) == ("a", "eval-set")
    assert asked["headers"]["authorization"] == "Bearer job-token"
    assert stat.S_IMODE((tmp_path / credentials.CACHE_FILE).stat().st_mode) == 0o600


def test_processes_that_ask_at_once_make_one_request(tmp_path, broker, environment):
    broker.seconds = 0.3
    processes = [begin(tmp_path, environment) for _ in range(6)]
    keys = {json.loads(process.communicate(timeout=60)[0])["AccessKeyId"] for process in processes}

    assert keys == {"KEY1"}
    assert len(broker.asked) == 1


def test_credentials_are_renewed_while_they_hold_still(tmp_path, broker, environment):
    run(tmp_path, environment)
    age(tmp_path, left=timedelta(minutes=15))

    assert run(tmp_path, environment)[1]["AccessKeyId"] == "KEY2"


def test_hour_long_ones_are_renewed_before_botocore_would_ask_for_new_ones(tmp_path, environment):
    run(tmp_path, environment)
    kept = json.loads((tmp_path / credentials.CACHE_FILE).read_text())

    assert datetime.fromisoformat(kept["Expiration"]).timestamp() - kept["RenewAt"] == pytest.approx(960, abs=2)


def test_shorter_ones_are_renewed_after_half_their_life(tmp_path, broker, environment):
    broker.lifetime = timedelta(minutes=15)
    run(tmp_path, environment)
    kept = json.loads((tmp_path / credentials.CACHE_FILE).read_text())

    assert datetime.fromisoformat(kept["Expiration"]).timestamp() - kept["RenewAt"] == pytest.approx(450, abs=2)


def test_broker_that_is_away_is_not_asked_at_each_use_while_the_old_ones_hold(tmp_path, broker, environment):
    run(tmp_path, environment)
    age(tmp_path, left=timedelta(minutes=10))
    broker.answers = [503]

    first, second = run(tmp_path, environment), run(tmp_path, environment)

    assert first[1]["AccessKeyId"] == second[1]["AccessKeyId"] == "KEY1"
    assert "hold for" in first[2] and not second[2]
    assert len(broker.asked) == 2


def test_broker_that_comes_back_is_waited_for(tmp_path, broker, environment):
    broker.answers = [503, 409]

    assert run(tmp_path, environment)[1]["AccessKeyId"] == "KEY3"


@pytest.mark.parametrize("status", [401, 403, 422])
def test_refusal_is_final_and_says_why(tmp_path, broker, environment, status):
    broker.answers = [status]

    code, found, complaint = run(tmp_path, environment)

    assert (code, found) == (1, {})
    assert f"{status}: because" in complaint
    assert len(broker.asked) == 1


def test_expired_ones_are_never_given(tmp_path, broker, environment):
    run(tmp_path, environment)
    age(tmp_path, left=timedelta(seconds=30))
    broker.answers = [403]

    assert run(tmp_path, environment)[:2] == (1, {})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"Expiration": "never"}'])
def test_broken_cache_is_replaced(tmp_path, environment, content):
    (tmp_path / credentials.CACHE_FILE).write_text(content)

    assert run(tmp_path, environment)[1]["AccessKeyId"] == "KEY1"


def test_pods_token_goes_along(tmp_path, broker, environment):
    (tmp_path / "pod").write_text("pod-token\n")

    run(tmp_path, environment | {"HAWK_POD_TOKEN_FILE": str(tmp_path / "pod")})

    assert broker.asked[0]["headers"]["x-hawk-pod-token"] == "pod-token"


def test_job_without_a_broker_is_left_as_it_is(tmp_path):
    environment = {"AWS_ACCESS_KEY_ID": "mine"}

    assert use_token_broker(environment, tmp_path) is None
    assert environment == {"AWS_ACCESS_KEY_ID": "mine"}


LIBRARIES = """
import json, sys
import boto3, s3fs
bucket = sys.argv[1]
files = s3fs.S3FileSystem()
with files.open(f"{bucket}/evals/mine-1/from-s3fs.eval", "wb") as file:
    file.write(b"x" * 6_000_000)
assert files.exists(f"{bucket}/evals/mine-1")
assert sorted(files.ls(f"{bucket}/evals/mine-1")), "nothing is listed"
boto3.client("s3").put_object(Bucket=bucket, Key="evals/mine-1/from-boto3.eval", Body=b"x")
refused = []
for name in ("evals/mine-12/log.eval", "evals/other/log.eval"):
    try:
        files.cat(f"{bucket}/{name}")
    except PermissionError:
        refused.append(name)
try:
    boto3.client("s3").put_object(Bucket=bucket, Key="evals/other/mine.eval", Body=b"x")
except Exception as error:
    refused.append(error.response["Error"]["Code"])
print(json.dumps(refused))
"""


def test_libraries_of_strangers_reach_the_jobs_own_folder_and_no_other(
    tmp_path, object_store_server: EmbeddedObjectStore, shared_database_url: str
):
    api = HawkApi(shared_database_url, object_store_server.settings(), tmp_path, log_role_arn=LOG_ROLE_ARN)
    with served(api.app, free_port()) as url:
        api.clear()
        client = api.services.s3
        for name in ("mine-12", "other"):
            client.put_object(Bucket="hawk", Key=f"evals/{name}/log.eval", Body=b"x")
        launched = httpx.post(
            f"{url}/eval_sets", json={"config": config_of(), "eval_set_id": "mine-1"}, headers=api.headers()
        )
        assert launched.status_code == 201, launched.text
        token = mint_job_token(
            api.settings.job_token_key,
            job_id="mine-1",
            permissions=[PUBLIC],
            created_by="researcher",
            lifetime=timedelta(days=1),
        )
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_PROFILE": "somebody",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": object_store_server.url,
            "HAWK_TOKEN_BROKER_URL": f"{url}/token",
            "HAWK_JOB_ID": "mine-1",
            "HAWK_JOB_TOKEN": token,
        }
        fetching = use_token_broker(environment, tmp_path / "a job")
        assert fetching is not None and fetching.wait(timeout=30) == 0

        ended = subprocess.run(
            [sys.executable, "-c", LIBRARIES, "hawk"], env=environment, capture_output=True, text=True, timeout=60
        )

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == ["evals/mine-12/log.eval", "evals/other/log.eval", "AccessDenied"]
    grants = api.rows("select 1 from ops.audit where action = 'credentials.grant'")
    assert len(grants) == 1
