"""Aliases, deactivated models, registered providers and their keys, as calls meet them."""

import json
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from cryptography.fernet import Fernet
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from hawk.model_registry.provider_keys import StoredKeys
from proxy.refusals import Refusal
from proxy.request_body import body_facts, with_model
from tests.proxy.conftest import ServedProxy, fill_registry, job_token, wait_until
from tests.proxy.test_data_path import CHAT, bearer, chat

SECRET_KEY = Fernet.generate_key().decode()


@pytest.fixture
def database(registry: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(registry, autocommit=True) as connection:
        yield connection
        connection.execute("delete from ops.model; delete from ops.model_provider; delete from ops.provider_key")
    fill_registry(registry)


@pytest.fixture
def own(serve, settings, provider) -> ServedProxy:
    return serve(settings, secret_key=SecretStr(SECRET_KEY))


def name(database: psycopg.Connection, model: str, provider_model: str | None, *, is_active: bool = True) -> None:
    database.execute("insert into ops.model_group values (%s, 'public') on conflict do nothing", [model])
    database.execute(
        "insert into ops.model (model_name, provider_model, is_active, changed_by, changed_at)"
        " values (%s, %s, %s, 'admin', now())",
        [model, provider_model, is_active],
    )


def post(proxy: ServedProxy, path: str, body: bytes) -> httpx.Response:
    return httpx.post(proxy.url + path, content=body, headers=bearer(job_token("public")), timeout=20)


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{"model":"fast","x":1}', b'{"model":"gpt-4o-mini-2024","x":1}'),
        (
            b'{ "x" : "\\u00e9 \\"model\\": 1", "model"  :\n "fast" , "n": 1.50}',
            b'{ "x" : "\\u00e9 \\"model\\": 1", "model"  :\n "gpt-4o-mini-2024" , "n": 1.50}',
        ),
        (
            b'{"tools":[{"model":"fast"}],"model":"f\\u0061st","y":{"model":"z"}}',
            b'{"tools":[{"model":"fast"}],"model":"gpt-4o-mini-2024","y":{"model":"z"}}',
        ),
    ],
)
def test_alias_is_replaced_and_every_other_byte_is_as_it_was(own, database, provider, body, sent):
    name(database, "openai/fast", "gpt-4o-mini-2024")
    wait_until(lambda: post(own, CHAT, chat("fast")).status_code == 200)

    assert post(own, CHAT, body).status_code == 200
    assert provider.last.body == sent


def test_alias_of_a_model_that_the_path_names_is_replaced_in_the_path(own, database, provider):
    name(database, "google/fast", "gemini-2.0-flash-001")
    path = "/google/v1beta/models/fast:generateContent?alt=sse"

    wait_until(lambda: post(own, path, b'{"contents": []}').status_code == 200)

    assert provider.last.raw_path == "/base/v1beta/models/gemini-2.0-flash-001:generateContent?alt=sse"


def test_alias_cannot_have_fallbacks(own, database, provider):
    name(database, "openai/fast", "gpt-4o-mini-2024")
    wait_until(lambda: post(own, CHAT, chat("fast")).status_code == 200)

    assert post(own, CHAT, chat("fast", models=["echo"])).status_code == 400


def test_large_body_is_not_copied_to_replace_its_model():
    body = b'{"messages": "' + b"x" * 1_000_000 + b'", "model": "fast"}'

    parts = with_model(body, "slow")

    assert b"".join(parts) == body.replace(b'"fast"', b'"slow"')
    assert [type(part) for part in parts] == [memoryview, bytes, memoryview]


def test_body_without_a_plain_model_has_none_to_replace():
    with pytest.raises(Refusal):
        with_model(b'{"x": 1}', "slow")


def test_deactivated_model_is_404_until_it_is_active_again(own, database, provider):
    name(database, "openai/echo", None, is_active=False)
    wait_until(lambda: post(own, CHAT, chat("echo")).status_code == 404)
    assert "was deactivated" in post(own, CHAT, chat("echo")).json()["error"]["message"]

    database.execute("update ops.model set is_active = true")

    wait_until(lambda: post(own, CHAT, chat("echo")).status_code == 200)


def test_what_the_answer_may_have_at_most_is_read_from_any_dialect():
    assert body_facts(b'{"model": "m", "max_tokens": 7}').output_tokens == 7
    assert body_facts(b'{"model": "m", "max_completion_tokens": 7, "n": 3}').output_tokens == 21
    assert body_facts(b'{"model": "m", "max_output_tokens": 7}').output_tokens == 7
    for odd in (b"-1", b"1.5", b'"many"', b"true", b"null", b"99999999999999999999"):
        assert body_facts(b'{"model": "m", "max_tokens": ' + odd + b"}").output_tokens is None


class TestProviders:
    def register(self, database, url: str, key_reference: str, *, name: str = "gpu", dialect: str = "openai") -> None:
        database.execute(
            "insert into ops.model_provider values (%s, %s, %s, %s, true, 'admin', now())"
            " on conflict (provider) do update set key_reference = excluded.key_reference",
            [name, dialect, url, key_reference],
        )
        database.execute(f"insert into ops.model_group values ('{name}/echo', 'public') on conflict do nothing")

    def test_registered_provider_is_called_with_the_key_that_its_reference_names(
        self, own, database, provider, monkeypatch
    ):
        path = "/gpu/v1/chat/completions"
        monkeypatch.setenv("GPU_API_KEY", "sk-env")
        self.register(database, f"{provider.url}/their", "env:GPU_API_KEY")
        wait_until(lambda: post(own, path, chat("echo")).status_code == 200)
        assert provider.last.raw_path == "/their/v1/chat/completions"
        assert provider.last.header("authorization") == "Bearer sk-env"

        ciphertext = StoredKeys(SecretStr(SECRET_KEY)).encrypt(SecretStr("sk-stored"))
        database.execute("insert into ops.provider_key values ('gpu', %s, 'admin', now())", [ciphertext])
        self.register(database, provider.url, "stored")
        wait_until(
            lambda: (
                post(own, path, chat("echo")).status_code == 200
                and provider.last.header("authorization") == "Bearer sk-stored"
            )
        )

        database.execute("delete from ops.provider_key")
        wait_until(lambda: post(own, path, chat("echo")).status_code == 503)

    @pytest.mark.parametrize(
        ("url", "key_reference"),
        [
            ("http://evil.example", "none"),
            ("http://169.254.169.254", "none"),
            ("nonsense", "none"),
        ],
    )
    def test_host_that_the_settings_do_not_allow_is_never_called(self, own, database, url, key_reference):
        self.register(database, url, key_reference)
        database.execute("insert into ops.model_group values ('openai/marker', 'public')")
        wait_until(lambda: post(own, CHAT, chat("marker")).status_code == 200)

        assert post(own, "/gpu/v1/chat/completions", chat("echo")).status_code == 404

    @pytest.mark.parametrize("reference", ["env:HAWK_JOB_TOKEN_KEY", "env:PATH", "env:", "file:/etc/passwd", "odd"])
    def test_nothing_else_of_the_environment_is_sent_as_a_key(self, own, database, provider, reference):
        self.register(database, provider.url, reference)
        database.execute("insert into ops.model_group values ('openai/marker', 'public')")
        wait_until(lambda: post(own, CHAT, chat("marker")).status_code == 200)
        calls = len(provider.calls)

        assert post(own, "/gpu/v1/chat/completions", chat("echo")).status_code == 503
        assert len(provider.calls) == calls

    def test_stored_key_stands_in_for_that_of_the_settings(self, own, database, provider):
        ciphertext = StoredKeys(SecretStr(SECRET_KEY)).encrypt(SecretStr("sk-newer"))
        database.execute("insert into ops.provider_key values ('openai', %s, 'admin', now())", [ciphertext])

        wait_until(
            lambda: (
                post(own, CHAT, chat("echo")).status_code == 200
                and provider.last.header("authorization") == "Bearer sk-newer"
            )
        )

    def test_stored_key_that_cannot_be_read_changes_nothing(self, own, database, provider):
        database.execute("insert into ops.provider_key values ('openai', 'rubbish', 'admin', now())")
        database.execute("insert into ops.model_group values ('openai/marker', 'public')")
        wait_until(lambda: post(own, CHAT, chat("marker")).status_code == 200)

        assert provider.last.header("authorization") == "Bearer sk-openai-real"

    def test_key_in_secrets_manager_stays_while_it_is_away_and_goes_with_its_secret(
        self, own, database, provider, monkeypatch
    ):
        import boto3
        from moto import mock_aws

        def sent_key() -> str:
            status = post(own, "/gpu/v1/chat/completions", chat("echo")).status_code
            return str(provider.last.header("authorization")) if status == 200 else str(status)

        def note_a_change(name: str) -> None:
            """Change the registry, and return when the proxy has read it."""
            database.execute("insert into ops.model_group values (%s, 'public')", [f"openai/{name}"])
            wait_until(lambda: post(own, CHAT, chat(name)).status_code == 200)

        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(variable, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        with mock_aws():
            secrets = boto3.client("secretsmanager")
            secrets.create_secret(Name="hawk/keys/gpu", SecretString="sk-secret")
            self.register(database, provider.url, "secret:hawk/keys/gpu")
            wait_until(lambda: sent_key() == "Bearer sk-secret")

            monkeypatch.delenv("AWS_DEFAULT_REGION")
            note_a_change("marker-1")
            assert sent_key() == "Bearer sk-secret"

            monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            secrets.delete_secret(SecretId="hawk/keys/gpu", ForceDeleteWithoutRecovery=True)
            note_a_change("marker-2")
            assert sent_key() == "503"

    @pytest.mark.parametrize("key", ["sk-\u00fcnprintable", "sk-a\nb", " "])
    def test_stored_key_that_no_header_can_hold_harms_nothing_else(self, own, database, provider, key):
        ciphertext = StoredKeys(SecretStr(SECRET_KEY)).encrypt(SecretStr(key))
        database.execute("insert into ops.provider_key values ('openai', %s, 'admin', now())", [ciphertext])
        database.execute("insert into ops.model_group values ('openai/marker', 'public')")

        wait_until(lambda: post(own, CHAT, chat("marker")).status_code == 200)
        assert provider.last.header("authorization") == "Bearer sk-openai-real"

        database.execute("delete from ops.provider_key")
        database.execute("update ops.model_group set model_group = 'private' where model_name = 'openai/marker'")
        wait_until(lambda: post(own, CHAT, chat("marker")).status_code == 403)

    def test_provider_that_is_switched_off_is_404(self, own, database, provider):
        self.register(database, provider.url, "none", name="openai")
        database.execute("update ops.model_provider set is_active = false")

        wait_until(lambda: post(own, CHAT, chat("echo")).status_code == 404)


class TestOtherKinds:
    def test_azure_takes_its_key_in_a_header_of_its_own_and_the_deployment_from_the_path(
        self, serve, settings, database, provider
    ):
        database.execute("insert into ops.model_group values ('openai/azure/gpt-4o', 'public')")
        proxy = serve(settings, azure_upstream=provider.url, azure_api_key=SecretStr("azure-real"))

        answer = post(proxy, "/azure/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", chat("other"))

        assert answer.status_code == 200, answer.text
        assert provider.last.header("api-key") == "azure-real"
        assert provider.last.raw_path == "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"

    def test_vertex_is_paid_by_the_proxys_project_with_a_token_of_its_service_account(
        self, serve, settings, database, provider
    ):
        database.execute("insert into ops.model_group values ('google/vertex/gemini-2.0-flash', 'public')")
        key = RSAKey.generate_key(2048)
        account = {
            "type": "service_account",
            "client_email": "hawk@project.example",
            "private_key": key.as_pem(private=True).decode(),
            "token_uri": f"{provider.url}/token",
        }
        proxy = serve(
            settings,
            vertex_upstream=provider.url,
            vertex_project="ours",
            vertex_location="us-central1",
            vertex_service_account=SecretStr(json.dumps(account)),
        )
        provider.answer_body = json.dumps({"access_token": "ya29.granted", "expires_in": 3600}).encode()
        path = "/vertex/v1/projects/theirs/locations/eu/publishers/google/models/gemini-2.0-flash:generateContent"

        answers = [post(proxy, path, b'{"contents": []}') for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 200]
        token_call, *calls = provider.calls
        assertion = dict(pair.split("=") for pair in token_call.body.decode().split("&"))["assertion"]
        claims = jwt.decode(assertion, key, ["RS256"]).claims
        assert (claims["iss"], claims["aud"]) == ("hawk@project.example", f"{provider.url}/token")
        assert [call.header("authorization") for call in calls] == ["Bearer ya29.granted"] * 2
        assert {call.raw_path for call in calls} == {
            "/v1/projects/ours/locations/us-central1/publishers/google/models/gemini-2.0-flash:generateContent"
        }

    def test_vertex_without_a_granted_token_is_502(self, serve, settings, database, provider):
        database.execute("insert into ops.model_group values ('google/vertex/gemini-2.0-flash', 'public')")
        key = RSAKey.generate_key(2048).as_pem(private=True).decode()
        account = {"client_email": "a", "private_key": key, "token_uri": f"{provider.url}/token"}
        proxy = serve(
            settings,
            vertex_upstream=provider.url,
            vertex_project="ours",
            vertex_location="global",
            vertex_service_account=SecretStr(json.dumps(account)),
        )
        provider.answer_body = b'{"error": "invalid_grant"}'

        answer = post(proxy, "/vertex/v1/publishers/google/models/gemini-2.0-flash:generateContent", b"{}")

        assert answer.status_code == 502
        assert answer.json()["error"]["status"] == "UNAVAILABLE"
