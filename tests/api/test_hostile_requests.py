"""What the API does with requests that are made to harm: traps, traversal, addresses to fetch, secrets to spill."""

import logging
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi.routing import APIRoute

from hawk.api.app import NOUNS
from hawk.api.json_bodies import MAX_DEPTH
from hawk.api.request_context import MAX_BODY_BYTES
from tests.fakes.hawk_api import config_of

CANARY = "swordfish-4f1c9a"
ROUTES = [
    (method, route.path)
    for noun in NOUNS
    for route in noun.router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]
WITH_BODY = [(method, path) for method, path in ROUTES if method in ("POST", "PUT", "PATCH")]
OF_A_SET = [(method, path) for method, path in ROUTES if path.startswith("/eval_sets/{eval_set_id}")]
TRAVERSAL = ["..", "../mine", "..%2fmine", "%2e%2e%2fmine", "mine%2f..%2fmine", "mine/", "mine%00", "mine%0a"]


def by_name(route: tuple[str, str]) -> str:
    return " ".join(route)


def filled(path: str, **values: str) -> str:
    return re.sub(r"\{(\w+)(:path)?\}", lambda match: values.get(match[1], "1"), path)


def is_a_problem(answer) -> bool:
    return answer.headers.get("content-type", "").startswith("application/problem+json")


@pytest.mark.parametrize("route", WITH_BODY, ids=by_name)
def test_body_that_is_too_deep_or_too_large_is_refused_by_every_route(client, hawk_api, route) -> None:
    method, path = route
    json_headers = {**hawk_api.headers("admin"), "content-type": "application/json"}
    deep = b'{"config": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    too_deep = client.request(method, filled(path), content=deep, headers=json_headers)
    too_large = client.request(method, filled(path), content=b" " * (MAX_BODY_BYTES + 1), headers=json_headers)

    assert 400 <= too_deep.status_code < 500 and is_a_problem(too_deep)
    assert 400 <= too_large.status_code < 500 and is_a_problem(too_large)


def test_depth_is_said(client, hawk_api) -> None:
    headers = {**hawk_api.headers(), "content-type": "application/json"}
    content = b'{"config": ' + b'{"a":' * 300 + b"1" + b"}" * 301

    answer = client.post("/eval_sets", content=content, headers=headers)

    assert answer.status_code == 422
    assert f"more than {MAX_DEPTH} levels" in answer.json()["detail"]


def test_config_that_is_deeper_than_a_file_may_be_is_refused_with_its_limit(client, hawk_api) -> None:
    metadata: dict = {}
    for _ in range(100):
        metadata = {"a": metadata}

    answer = client.post("/eval_sets", json={"config": config_of(metadata=metadata)}, headers=hawk_api.headers())

    assert answer.status_code == 422
    assert "64 levels" in str(answer.json()["problems"])


@pytest.mark.parametrize("route", OF_A_SET, ids=by_name)
def test_ids_that_climb_reach_no_set(client, hawk_api, route) -> None:
    method, path = route
    assert client.post(
        "/eval_sets", json={"config": config_of(eval_set_id="mine")}, headers=hawk_api.headers()
    ).is_success

    answers = {
        name: client.request(method, path.replace("{eval_set_id}", name), headers=hawk_api.headers())
        for name in TRAVERSAL
    }

    # The client itself tidies up `..`; whatever is asked for then, it is no set of that name.
    passed = {name: answer.status_code for name, answer in answers.items() if answer.status_code not in (404, 405, 422)}
    assert passed == {}


@contextmanager
def listener() -> Iterator[tuple[int, list[object]]]:
    """Give a port on loopback, and who has connected to it."""
    came: list[object] = []
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def accept() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                came.append(address)
                connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)


def with_addresses(host: str) -> list[dict]:
    """Return configs that name an address in every place that takes one."""
    item = [{"name": "task"}]
    return [
        config_of(tasks=[{"package": f"git+http://{host}/a/b@main", "name": "b", "items": item}]),
        config_of(tasks=[{"package": f"b @ http://{host}/b-1.0.tar.gz", "name": "b", "items": item}]),
        config_of(packages=[f"b @ git+http://{host}/a/b"]),
        config_of(runner={"image": f"{host}/runner:1.4"}),
        config_of(
            models=[
                {
                    "package": "inspect-ai",
                    "items": [{"name": "openai/small", "args": {"base_url": f"http://{host}/v1"}}],
                }
            ]
        ),
        config_of(checkpoint={"enabled": True, "checkpoints_location": f"http://{host}/x"}),
    ]


def test_addresses_in_a_config_are_never_called_by_the_api(client, hawk_api) -> None:
    with listener() as (port, came):
        statuses = set()
        for number, config in enumerate(with_addresses(f"127.0.0.1:{port}")):
            body = {"config": {**config, "eval_set_id": f"set-{number}"}}
            statuses.add(client.post("/plan", json={"config": config}, headers=hawk_api.headers()).status_code)
            statuses.add(client.post("/eval_sets", json=body, headers=hawk_api.headers()).status_code)
            client.get(f"/eval_sets/set-{number}/status", headers=hawk_api.headers())
        provider = {"upstream": f"http://127.0.0.1:{port}", "dialect": "openai"}
        client.put("/admin/providers/vllm", json=provider, headers=hawk_api.headers("admin"))

    assert statuses <= {200, 201, 422}
    assert 201 in statuses
    assert came == []


def test_canary_secret_is_nowhere_but_with_its_job(client, hawk_api, caplog) -> None:
    """Give a secret in every way, right and wrong, and look for it in answers, logs, tables, objects, runs."""
    caplog.set_level(logging.DEBUG)
    config = config_of(runner={"secrets": [{"name": "TOKEN"}]})
    bodies: list[dict] = [
        {"config": config, "eval_set_id": "mine", "secrets": {"TOKEN": CANARY}},
        {"config": config, "eval_set_id": "mine", "secrets": {"TOKEN": CANARY}},  # is active
        {"config": config, "secrets": {"OTHER": CANARY}},
        {"config": config, "secrets": {"a b": CANARY}},
        {"config": config, "secrets": {"TOKEN": {"deep": CANARY}}},
        {"config": config, "secrets": CANARY},
        {"config": {"name": 1}, "secrets": {"TOKEN": CANARY}},
        {"config": config, "eval_set_id": "../x", "secrets": {"TOKEN": CANARY}},
    ]
    answers = [client.post("/eval_sets", json=body, headers=hawk_api.headers()) for body in bodies]
    hawk_api.execute("update ops.eval_set set status = 'failed'")
    resume = {"secrets": {"TOKEN": CANARY}}
    answers.append(client.post("/eval_sets/mine/resume", json=resume, headers=hawk_api.headers()))
    answers.append(client.put("/admin/provider-keys/openai", json={"key": CANARY}, headers=hawk_api.headers("admin")))
    answers += [client.get(filled(path, eval_set_id="mine"), headers=hawk_api.headers()) for _, path in OF_A_SET]
    assert [answers[0].status_code, answers[8].status_code, answers[9].status_code] == [201, 201, 200]

    places = {
        "answers": "".join(answer.text + str(answer.headers) for answer in answers),
        "log": caplog.text + "".join(str(record.__dict__) for record in caplog.records),
        "tables": "".join(everything_in(hawk_api)),
        "objects": "".join(objects_of(hawk_api)),
        "dagster": str(hawk_api.dagster.launches),
    }
    assert "mine" in places["tables"] and "mine" in places["objects"] and "mine" in places["dagster"]
    assert [place for place, text in places.items() if CANARY in text] == []


def everything_in(hawk_api) -> Iterator[str]:
    tables = hawk_api.rows("select schemaname, tablename from pg_tables where schemaname in ('ops', 'raw')")
    for table in tables:
        name = f"{table['schemaname']}.{table['tablename']}"
        for row in hawk_api.rows(f"select t::text as text from {name} as t"):
            yield row["text"]


def objects_of(hawk_api) -> Iterator[str]:
    s3, bucket = hawk_api.services.s3, hawk_api.settings.bucket
    for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        yield item["Key"] + s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().decode()
