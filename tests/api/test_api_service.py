"""What holds for every route: problems, request ids, limits, health."""

import socket

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from hawk.api.app import create_app
from hawk.api.request_context import MAX_BODY_BYTES
from hawk.settings import ApiSettings
from tests.fakes.hawk_api import HawkApi


def problem_of(response, status: int) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return response.json()


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/eval_sets", 405)])
def test_unknown_route_is_a_problem(client, method, path, status) -> None:
    assert problem_of(client.request(method, path), status)["title"]


def test_bug_is_a_problem_without_a_trace(hawk_api: HawkApi, caplog) -> None:
    app = create_app(hawk_api.settings, services=hawk_api.services)

    @app.get("/explode")
    def explode() -> None:
        raise RuntimeError("swordfish at /home/somebody")

    problem = problem_of(TestClient(app, raise_server_exceptions=False).get("/explode"), 500)

    assert "swordfish" not in str(problem)
    assert problem["request_id"] in problem["hint"]
    assert "swordfish at /home/somebody" in caplog.text


@pytest.mark.parametrize("request_id", ["abc-1", "A" * 128])
def test_harmless_request_id_is_kept(client, request_id) -> None:
    assert client.get("/version", headers={"x-request-id": request_id}).headers["x-request-id"] == request_id


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 129, "a;b", "<script>"])
def test_strange_request_id_is_replaced(client, request_id) -> None:
    answered = client.get("/version", headers={"x-request-id": request_id}).headers["x-request-id"]

    assert answered != request_id
    assert len(answered) == 32


def test_every_answer_names_the_servers_version(client) -> None:
    response = client.get("/version")

    assert response.headers["x-hawk-server-version"] == response.json()["version"]


class TestBodyLimit:
    def test_told_length_over_the_limit_is_413(self, client, hawk_api) -> None:
        body = b"{" + b" " * MAX_BODY_BYTES + b"}"
        headers = {**hawk_api.headers(), "content-type": "application/json"}

        assert "larger than" in problem_of(client.post("/eval_sets", content=body, headers=headers), 413)["detail"]

    def test_untold_length_over_the_limit_is_413(self, client, hawk_api) -> None:
        chunks = (b" " * 1024 * 1024 for _ in range(MAX_BODY_BYTES // 1024 // 1024 + 1))
        headers = {**hawk_api.headers(), "content-type": "application/json"}

        problem_of(client.post("/eval_sets", content=chunks, headers=headers), 413)


class TestHealth:
    def test_live_needs_nothing(self, client) -> None:
        assert client.get("/health/live").json() == {"status": "alive"}

    def test_ready_with_everything(self, client) -> None:
        answer = client.get("/health/ready")

        assert answer.status_code == 200
        assert answer.json()["is_ready"]
        assert {name: entry["is_ok"] for name, entry in answer.json()["dependencies"].items()} == {
            "database": True,
            "object_store": True,
            "dagster": True,
        }

    def test_ready_without_dagster_says_so(self, client, hawk_api) -> None:
        hawk_api.dagster.is_down = True

        answer = client.get("/health/ready")

        assert answer.status_code == 200
        assert not answer.json()["dependencies"]["dagster"]["is_ok"]

    def test_not_ready_without_database_and_object_store(self, hawk_api) -> None:
        nowhere = _free_port()
        settings = hawk_api.settings.model_copy(
            update={
                "database_url": SecretStr(f"postgresql://hawk:swordfish@127.0.0.1:{nowhere}/hawk"),
                "s3_endpoint_url": f"http://127.0.0.1:{nowhere}",
                "dagster_url": f"http://127.0.0.1:{nowhere}",
            }
        )
        with TestClient(create_app(ApiSettings.model_validate(settings))) as client:
            answer = client.get("/health/ready")
            listed = client.get("/eval_sets", headers=hawk_api.headers())

        assert answer.status_code == 503
        assert not any(entry["is_ok"] for entry in answer.json()["dependencies"].values())
        assert "swordfish" not in answer.text + listed.text


def test_auth_config_tells_how_to_sign_in_without_a_token(client) -> None:
    answer = client.get("/auth/config").json()

    assert answer["issuer"] == "http://issuer.example"
    assert answer["client_id"] == "hawk-cli"
    assert answer["scopes"] == ["openid", "profile", "email", "offline_access"]
    assert answer["callback_port"] is None


def test_schema_names_every_route(client) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    assert {"/eval_sets", "/eval_sets/{eval_set_id}/status", "/models", "/plan", "/health/ready"} <= set(paths)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
