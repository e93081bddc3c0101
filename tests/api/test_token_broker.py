"""The token broker on the embedded STS: what its credentials reach, and who is given any."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import RSAKey

from hawk.auth import mint_job_token
from hawk.dev.object_store import EmbeddedObjectStore
from hawk.dev.object_store_rights import LOG_ROLE_ARN
from hawk.errors import TooManyRequests
from hawk.naming import runner_namespace, runner_service_account
from hawk.settings import ObjectStoreSettings
from tests.fakes.hawk_api import PRIVATE, PUBLIC, HawkApi, config_of

CLUSTER = "https://cluster.example"


@pytest.fixture(scope="module")
def cluster_key() -> RSAKey:
    return RSAKey.generate_key(2048)


@pytest.fixture(scope="module")
def brokered(
    object_store_server: EmbeddedObjectStore, shared_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HawkApi]:
    """Return an API whose bucket is the one that the role of sessions is about."""
    home = tmp_path_factory.mktemp("brokered")
    api = HawkApi(shared_database_url, object_store_server.settings(), home, log_role_arn=LOG_ROLE_ARN)
    with TestClient(api.app):
        yield api


@pytest.fixture(scope="module")
def in_cluster(brokered: HawkApi, cluster_key: RSAKey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HawkApi]:
    """Return the same, of a deployment whose jobs are pods."""
    home = tmp_path_factory.mktemp("in-cluster")
    keys = home / "keys.json"
    keys.write_text(json.dumps({"keys": [{**cluster_key.as_dict(private=False), "kid": cluster_key.thumbprint()}]}))
    fields = {"pod_token_issuer": CLUSTER, "pod_token_key_set": keys, "log_role_arn": LOG_ROLE_ARN}
    settings = brokered.settings
    store = ObjectStoreSettings.model_validate(settings.model_dump(include=set(ObjectStoreSettings.model_fields)))
    api = HawkApi(settings.database_url.get_secret_value(), store, home, **fields)
    with TestClient(api.app):
        yield api


@pytest.fixture
def api(brokered: HawkApi) -> HawkApi:
    brokered.clear()
    return brokered


@pytest.fixture
def client(api: HawkApi) -> TestClient:
    return TestClient(api.app, raise_server_exceptions=False)


def launch(client: TestClient, api: HawkApi, eval_set_id: str, *models: str, **fields: Any) -> None:
    body = {"config": config_of(*models, **fields), "eval_set_id": eval_set_id}
    response = client.post("/eval_sets", json=body, headers=api.headers())
    assert response.status_code == 201, response.text


def job_headers(api: HawkApi, job_id: str, *groups: str, **headers: str) -> dict[str, str]:
    token = mint_job_token(
        api.settings.job_token_key,
        job_id=job_id,
        permissions=groups or [PUBLIC],
        created_by="researcher",
        lifetime=timedelta(days=30),
    )
    return {"authorization": f"Bearer {token}", **headers}


def ask(client: TestClient, headers: dict[str, str], job_id: str, **fields: Any):
    return client.post("/token", json={"job_id": job_id, **fields}, headers=headers)


def s3_of(api: HawkApi, credentials: dict[str, Any], service: str = "s3"):
    return boto3.client(
        service,
        endpoint_url=api.settings.s3_endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def may(call: Any, **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDenied", "403", "InvalidRequest"), error
        return False
    return True


def put(api: HawkApi, key: str, body: bytes = b"x") -> None:
    api.services.s3.put_object(Bucket=api.settings.bucket, Key=key, Body=body)


class TestWhatCredentialsReach:
    @pytest.fixture
    def mine(self, client, api):
        """Return S3 as the job `a` has it; `ab` and `b` are others' sets."""
        launch(client, api, "a")
        for key in ("evals/a/log.eval", "evals/ab/log.eval", "evals/b/log.eval", "evals/aa", "scans/a/x", "top"):
            put(api, key)
        return s3_of(api, ask(client, job_headers(api, "a"), "a").json())

    def test_own_folder_is_read_written_listed_and_deleted(self, mine, api) -> None:
        where = {"Bucket": api.settings.bucket}

        assert may(mine.get_object, Key="evals/a/log.eval", **where)
        assert may(mine.put_object, Key="evals/a/new.eval", Body=b"y", **where)
        assert may(mine.put_object, Key="evals/a/.progress/a.json", Body=b"{}", **where)
        assert may(mine.put_object, Key="evals/a/.buffer/x/manifest.json", Body=b"{}", **where)
        assert may(mine.list_objects_v2, Prefix="evals/a/", **where)
        assert may(mine.delete_object, Key="evals/a/new.eval", **where)

    def test_what_says_of_which_models_a_log_is_a_job_does_not_change(self, mine, api) -> None:
        where = {"Bucket": api.settings.bucket, "Key": "evals/a/log.eval"}

        assert not may(mine.put_object_tagging, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}, **where)
        assert not may(mine.delete_object_tagging, **where)

    def test_own_folder_takes_a_log_in_parts(self, mine, api) -> None:
        where = {"Bucket": api.settings.bucket, "Key": "evals/a/big.eval"}
        upload = mine.create_multipart_upload(**where)["UploadId"]
        part = mine.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x" * 1024)

        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        assert may(mine.complete_multipart_upload, **where, UploadId=upload, MultipartUpload=parts)

    @pytest.mark.parametrize("key", ["evals/ab/log.eval", "evals/b/log.eval", "scans/a/x", "top", "evals/aa"])
    def test_nothing_else_is_read_written_copied_or_deleted(self, mine, api, key) -> None:
        where = {"Bucket": api.settings.bucket}

        assert not may(mine.get_object, Key=key, **where)
        assert not may(mine.put_object, Key=key, Body=b"y", **where)
        assert not may(mine.delete_object, Key=key, **where)
        assert not may(mine.create_multipart_upload, Key=key, **where)
        assert not may(mine.put_object_tagging, Key=key, Tagging={"TagSet": []}, **where)
        source = f"{api.settings.bucket}/{key}"
        assert not may(mine.copy_object, Key="evals/a/copy", CopySource=source, **where)

    @pytest.mark.parametrize("prefix", ["", "evals/", "evals/a", "evals/ab/", "evals/b/", "scans/"])
    def test_nothing_else_is_listed(self, mine, api, prefix) -> None:
        assert not may(mine.list_objects_v2, Bucket=api.settings.bucket, Prefix=prefix)

    @pytest.mark.parametrize(
        "name",
        [".models.json", ".config.yaml", ".storage-grants.json", ".online-scan-model.json", ".commands/stop.json"],
    )
    def test_gate_files_are_read_and_never_changed(self, mine, api, name) -> None:
        put(api, f"evals/a/{name}", b"ours")
        where = {"Bucket": api.settings.bucket, "Key": f"evals/a/{name}"}

        assert may(mine.get_object, **where)
        assert not may(mine.put_object, Body=b"theirs", **where)
        assert not may(mine.delete_object, **where)
        assert not may(mine.put_object_tagging, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}, **where)
        assert not may(mine.create_multipart_upload, **where)
        assert not may(mine.copy_object, CopySource=f"{api.settings.bucket}/evals/a/log.eval", **where)
        mine.delete_objects(Bucket=where["Bucket"], Delete={"Objects": [{"Key": where["Key"]}]})
        assert api.services.s3.get_object(**where)["Body"].read() == b"ours"

    @pytest.mark.parametrize("key", ["evals/a/../b/log.eval", "evals/a/./.models.json", "evals/a//.models.json"])
    def test_keys_that_are_not_canonical_lead_nowhere(self, mine, api, key) -> None:
        before = {item["Key"] for item in api.services.s3.list_objects_v2(Bucket=api.settings.bucket)["Contents"]}

        may(mine.put_object, Bucket=api.settings.bucket, Key=key, Body=b"theirs")

        other = api.services.s3.get_object(Bucket=api.settings.bucket, Key="evals/b/log.eval")["Body"].read()
        gate = api.services.s3.get_object(Bucket=api.settings.bucket, Key="evals/a/.models.json")["Body"].read()
        after = {item["Key"] for item in api.services.s3.list_objects_v2(Bucket=api.settings.bucket)["Contents"]}
        assert other == b"x" and b"theirs" not in gate
        assert {name for name in after - before if not name.startswith("evals/a/")} == set()

    def test_session_does_not_make_a_wider_one(self, client, api) -> None:
        launch(client, api, "a")
        sts = s3_of(api, ask(client, job_headers(api, "a"), "a").json(), "sts")

        assert not may(sts.assume_role, RoleArn=LOG_ROLE_ARN, RoleSessionName="wider")

    def test_buckets_are_not_the_jobs_business(self, mine, api) -> None:
        assert not may(mine.create_bucket, Bucket="theirs")
        assert not may(mine.delete_bucket, Bucket=api.settings.bucket)


class TestWhoIsGivenAny:
    def test_answer_is_what_credential_process_prints(self, client, api) -> None:
        launch(client, api, "a")

        answer = ask(client, job_headers(api, "a"), "a")

        assert answer.status_code == 200
        assert set(answer.json()) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
        left = datetime.fromisoformat(answer.json()["Expiration"]) - datetime.now(UTC)
        assert timedelta(minutes=58) < left <= timedelta(hours=1)
        assert answer.headers["cache-control"] == "no-store"

    def test_grant_is_written_into_the_audit_without_the_keys(self, client, api) -> None:
        launch(client, api, "a")
        answer = ask(client, job_headers(api, "a"), "a").json()

        [row] = api.rows("select * from ops.audit where action = 'credentials.grant' order by audit_id desc limit 1")

        assert (row["subject"], row["principal_kind"], row["object_id"]) == ("job:a", "job", "a")
        assert answer["SecretAccessKey"] not in str(row) and answer["SessionToken"] not in str(row)

    def test_job_asks_for_itself_only(self, client, api) -> None:
        launch(client, api, "a")
        launch(client, api, "b")

        assert ask(client, job_headers(api, "a"), "b").status_code == 403

    def test_person_is_given_none(self, client, api) -> None:
        launch(client, api, "a")

        assert ask(client, api.headers(), "a").status_code == 403
        assert ask(client, api.headers("admin"), "a").status_code == 403

    def test_job_that_has_ended_is_given_none(self, client, api) -> None:
        launch(client, api, "a")
        for status in ("complete", "failed", "stopped", "deleted"):
            api.execute("update ops.eval_set set status = %s", status)
            assert ask(client, job_headers(api, "a"), "a").status_code == 409

    def test_unknown_job_is_404(self, client, api) -> None:
        assert ask(client, job_headers(api, "nine"), "nine").status_code == 404

    def test_groups_of_the_row_must_be_held(self, client, api) -> None:
        launch(client, api, "a", "openai/secret")

        assert ask(client, job_headers(api, "a", PUBLIC), "a").status_code == 403
        assert ask(client, job_headers(api, "a", PRIVATE), "a").status_code == 200

    def test_groups_of_the_folder_count_though_the_row_has_fewer(self, client, api) -> None:
        launch(client, api, "a")
        put(api, "evals/a/.models.json", json.dumps({"model_names": [], "model_groups": [PRIVATE]}).encode())

        assert ask(client, job_headers(api, "a", PUBLIC), "a").status_code == 403

    def test_groups_of_models_found_in_logs_count(self, client, api) -> None:
        launch(client, api, "a")
        self.import_log(api, "a", model="openai/secret")

        assert ask(client, job_headers(api, "a", PUBLIC), "a").status_code == 403
        assert ask(client, job_headers(api, "a", PUBLIC, PRIVATE), "a").status_code == 200

    def test_set_of_no_groups_is_given_none(self, client, api) -> None:
        launch(client, api, "a")
        put(api, "evals/a/.models.json", b'{"model_names": [], "model_groups": []}')
        api.execute("update ops.eval_set set model_groups = '{}'")

        assert ask(client, job_headers(api, "a", PUBLIC), "a").status_code == 403

    @pytest.mark.parametrize(
        "body",
        [
            {"job_id": "../b"},
            {"job_id": "a*"},
            {"job_id": "A"},
            {"job_id": ""},
            {"job_id": "a/b"},
            {"job_id": "a", "source_eval_set_ids": ["*"]},
            {"job_id": "a", "source_eval_set_ids": ["b/../c"]},
            {"job_id": "a", "source_eval_set_ids": ["a?"]},
            {"job_id": "a", "source_eval_set_ids": ["${aws:username}"]},
            {"job_id": "a", "job_type": "root"},
        ],
        ids=str,
    )
    def test_ids_that_would_mean_more_in_a_policy_are_422(self, client, api, body) -> None:
        assert client.post("/token", json=body, headers=job_headers(api, "a")).status_code == 422

    def test_asking_too_often_is_429_for_that_job_only(self, client, api) -> None:
        launch(client, api, "a")
        launch(client, api, "b")
        with pytest.raises(TooManyRequests):
            for _ in range(2 * api.settings.broker_per_minute):
                api.services.broker_limit.take("job:a a")

        refused = ask(client, job_headers(api, "a"), "a")

        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert ask(client, job_headers(api, "b"), "b").status_code == 200

    def import_log(self, api: HawkApi, eval_set_id: str, *, model: str) -> None:
        api.execute(
            """
            with imported as (
                insert into raw.eval_import (eval_id, eval_set_id, location, etag, size_bytes, last_modified,
                    log_status, sample_count, message_count, event_count, seconds, first_imported_at, imported_at)
                values ('e', %s, 's3://b/k', 'x', 1, now(), 'success', 1, 0, 0, 1, now(), now()) returning import_id)
            insert into raw.eval_model_role (import_id, role, model) select import_id, 'grader', %s from imported
            """,
            eval_set_id,
            model,
        )


class TestScans:
    def test_scan_reads_its_sources_and_writes_them_not(self, client, api) -> None:
        for name in ("scan", "source", "other"):
            launch(client, api, name)
            put(api, f"evals/{name}/log.eval")
        answer = ask(client, job_headers(api, "scan"), "scan", job_type="scan", source_eval_set_ids=["source"])
        s3, where = s3_of(api, answer.json()), {"Bucket": api.settings.bucket}

        assert may(s3.get_object, Key="evals/source/log.eval", **where)
        assert may(s3.list_objects_v2, Prefix="evals/source/", **where)
        assert may(s3.put_object, Key="scans/scan/result.parquet", Body=b"x", **where)
        assert not may(s3.put_object, Key="evals/source/log.eval", Body=b"y", **where)
        assert not may(s3.get_object, Key="evals/other/log.eval", **where)
        assert not may(s3.put_object, Key="evals/scan/log.eval", Body=b"y", **where)

    @pytest.mark.parametrize("source", ["secret", "nine"])
    def test_source_that_may_not_be_seen_is_403(self, client, api, source) -> None:
        launch(client, api, "scan")
        launch(client, api, "secret", "openai/secret")

        answer = ask(client, job_headers(api, "scan"), "scan", job_type="scan", source_eval_set_ids=[source])

        assert answer.status_code == 403

    def test_source_with_a_model_of_no_group_is_nobodys(self, client, api) -> None:
        launch(client, api, "scan")
        launch(client, api, "source")
        TestWhoIsGivenAny().import_log(api, "source", model="mockllm/model")

        answer = ask(client, job_headers(api, "scan"), "scan", job_type="scan", source_eval_set_ids=["source"])

        assert answer.status_code == 403

    def test_more_sources_than_a_session_holds_are_422(self, client, api) -> None:
        launch(client, api, "scan")
        sources = [f"{'s' * 40}-{number}" for number in range(12)]
        for source in sources:
            launch(client, api, source)

        answer = ask(client, job_headers(api, "scan"), "scan", job_type="scan", source_eval_set_ids=sources)

        assert answer.status_code == 422
        assert answer.json()["field"] == "source_eval_set_ids"


class TestPods:
    """Where jobs are pods, the pod's own projected token must come along."""

    @pytest.fixture
    def pod_client(self, in_cluster: HawkApi) -> TestClient:
        in_cluster.clear()
        return TestClient(in_cluster.app, raise_server_exceptions=False)

    def pod_token(self, key: RSAKey, job_id: str = "a", **claims: Any) -> str:
        subject = f"{runner_namespace('inspect', job_id)}:{runner_service_account('eval-set', job_id)}"
        body = {
            "iss": CLUSTER,
            "aud": ["hawk-token-broker"],
            "sub": f"system:serviceaccount:{subject}",
            "exp": int(time.time()) + 600,
            **claims,
        }
        return jwt.encode({"alg": "RS256", "kid": key.thumbprint()}, body, key)

    def test_jobs_token_and_its_pods_are_enough(self, pod_client, in_cluster, cluster_key) -> None:
        launch(pod_client, in_cluster, "a")
        headers = job_headers(in_cluster, "a") | {"x-hawk-pod-token": self.pod_token(cluster_key)}

        assert ask(pod_client, headers, "a").status_code == 200

    def test_owners_token_and_the_pods_are_enough(self, pod_client, in_cluster, cluster_key) -> None:
        launch(pod_client, in_cluster, "a")
        pod = {"x-hawk-pod-token": self.pod_token(cluster_key)}

        assert ask(pod_client, in_cluster.headers() | pod, "a").status_code == 200
        assert ask(pod_client, in_cluster.headers("admin") | pod, "a").status_code == 403
        assert ask(pod_client, in_cluster.headers("public-user") | pod, "a").status_code == 403

    def test_jobs_token_without_its_pods_is_403(self, pod_client, in_cluster) -> None:
        launch(pod_client, in_cluster, "a")

        assert ask(pod_client, job_headers(in_cluster, "a"), "a").status_code == 403

    @pytest.mark.parametrize(
        ("claims", "status"),
        [
            ({"sub": f"system:serviceaccount:{runner_namespace('inspect', 'b')}:hawk-eval-set-runner-b"}, 403),
            ({"sub": "system:serviceaccount:default:hawk-eval-set-runner-a"}, 403),
            ({"sub": "alice"}, 401),
            ({"sub": "x:system:serviceaccount:a:b"}, 401),
            ({"aud": ["https://kubernetes.default.svc"]}, 401),
            ({"iss": "https://other.example"}, 401),
            ({"exp": int(time.time()) - 600}, 401),
        ],
        ids=["other job", "other namespace", "no account", "odd subject", "audience", "issuer", "expired"],
    )
    def test_pods_token_of_another_is_refused(self, pod_client, in_cluster, cluster_key, claims, status) -> None:
        launch(pod_client, in_cluster, "a")
        headers = job_headers(in_cluster, "a") | {"x-hawk-pod-token": self.pod_token(cluster_key, **claims)}

        assert ask(pod_client, headers, "a").status_code == status

    def test_pods_token_signed_by_a_stranger_is_401(self, pod_client, in_cluster) -> None:
        launch(pod_client, in_cluster, "a")
        headers = job_headers(in_cluster, "a") | {"x-hawk-pod-token": self.pod_token(RSAKey.generate_key(2048))}

        assert ask(pod_client, headers, "a").status_code == 401

    @pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30."])
    def test_text_that_is_no_pods_token_is_refused(self, pod_client, in_cluster, token) -> None:
        launch(pod_client, in_cluster, "a")

        assert ask(pod_client, job_headers(in_cluster, "a") | {"x-hawk-pod-token": token}, "a").status_code == 401


def test_api_without_a_role_gives_none(client_without_role, api) -> None:
    assert client_without_role.status_code == 503


@pytest.fixture
def client_without_role(api: HawkApi, client: TestClient, tmp_path: Path):
    launch(client, api, "a")
    roleless = api.settings.model_copy(update={"log_role_arn": None})
    from dataclasses import replace

    from hawk.api.app import create_app

    services = replace(api.services, broker=replace(api.services.broker, settings=roleless))
    return ask(TestClient(create_app(roleless, services=services)), job_headers(api, "a"), "a")
