import asyncio
import json

import pytest

from hawk.api.log_stream import Output, lines_after, log_events, place_after
from hawk.errors import Upstream
from tests.fakes.hawk_api import config_of


def output(*lines: str, attempt: int | None = 1, has_ended: bool = False) -> Output:
    return Output(attempt, lines, has_ended, "complete" if has_ended else "launched")


def numbered(first: int, last: int) -> list[str]:
    return [f"line {number}" for number in range(first, last)]


def events(*outputs: Output | Exception, **options) -> list[str]:
    """Return the events of a stream that sees one output after the other."""
    seen = iter(outputs)

    def look() -> Output:
        now = next(seen)
        if isinstance(now, Exception):
            raise now
        return now

    async def collect() -> list[str]:
        return [event async for event in log_events(look, poll_seconds=0, **{"first_lines": 100, **options})]

    return asyncio.run(collect())


def lines_of(stream: list[str]) -> list[str]:
    data = [json.loads(line[6:]) for event in stream for line in event.splitlines() if line.startswith("data: ")]
    return [line for each in data for line in each.get("lines", [])]


def test_each_line_comes_once_until_the_set_has_ended() -> None:
    stream = events(output("a"), output("a", "b"), output("a", "b"), output("a", "b", "c", has_ended=True))

    assert lines_of(stream) == ["a", "b", "c"]
    assert stream[-1].startswith("event: end\n") and '"complete"' in stream[-1]


def test_new_attempt_is_shown_from_its_beginning() -> None:
    stream = events(output("a", "b"), output("a", attempt=2), output("a", attempt=2, has_ended=True))

    assert lines_of(stream) == ["a", "b", "a"]


@pytest.mark.parametrize("sent", [1, 5, 12, 29])
@pytest.mark.parametrize("kept_from", [0, 3, 20])
def test_who_comes_back_goes_on_where_he_was(sent: int, kept_from: int) -> None:
    place = place_after(output(*numbered(0, sent)))

    fresh = list(lines_after(output(*numbered(kept_from, 30)), place))

    assert fresh == numbered(max(sent, kept_from), 30)


def test_same_lines_again_and_again_are_not_sent_twice() -> None:
    assert lines_after(output(*["tick"] * 20), place_after(output(*["tick"] * 20))) == ()


def test_place_of_somebody_else_shows_all() -> None:
    assert lines_after(output("a", "b"), "nonsense") == ("a", "b")


def test_failing_database_ends_the_stream_with_its_reason() -> None:
    stream = events(output("a"), Upstream("The warehouse database does not answer."))

    assert stream[-1].startswith("event: error\n") and "does not answer" in stream[-1]


def test_stream_ends_with_the_callers_token() -> None:
    assert lines_of(events(output("a"), expires_in=-1.0)) == ["a"]


def test_quiet_stream_has_a_heartbeat() -> None:
    assert ": nothing new\n\n" in events(output(), output("a", has_ended=True), heartbeat_seconds=-1.0)


def test_lines_of_strangers_cannot_forge_events() -> None:
    [event] = [each for each in events(output("a\ndata: x\n\nevent: end", has_ended=True)) if "lines" in each]

    assert event.count("\n") == 4  # id, event, data, and the end


class TestRoute:
    @pytest.fixture(autouse=True)
    def printed(self, client, hawk_api) -> None:
        body = {"config": config_of(), "eval_set_id": "mine"}
        assert client.post("/eval_sets", json=body, headers=hawk_api.headers()).status_code == 201
        hawk_api.execute(
            "insert into ops.attempt (eval_set_id, job_name, attempt_number, launcher, phase, last_log_lines,"
            " started_at, updated_at) values ('mine', 'mine', 1, 'local', 'succeeded', %s, now(), now())",
            "one\ntwo",
        )
        hawk_api.execute("update ops.eval_set set status = 'complete'")

    def stream(self, client, hawk_api, account: str = "researcher", **headers: str):
        sent = {**hawk_api.headers(account), "accept": "text/event-stream", **headers}
        return client.get("/eval_sets/mine/logs", headers=sent)

    def test_streams_where_events_are_accepted(self, client, hawk_api) -> None:
        answer = self.stream(client, hawk_api)

        assert answer.headers["content-type"].startswith("text/event-stream")
        assert '"lines": ["one", "two"]' in answer.text

    def test_goes_on_behind_the_last_event(self, client, hawk_api) -> None:
        place = place_after(output("one"))

        assert '"lines": ["two"]' in self.stream(client, hawk_api, **{"last-event-id": place}).text

    def test_of_a_set_that_may_not_be_seen_is_a_problem(self, client, hawk_api) -> None:
        hawk_api.execute("update ops.eval_set set model_groups = '{model-access-private}'")

        answer = self.stream(client, hawk_api, "public-user")

        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")

    def test_too_many_of_one_person_are_refused(self, client, hawk_api, monkeypatch) -> None:
        monkeypatch.setattr(hawk_api.services.log_streams, "_most", 0)

        assert self.stream(client, hawk_api).status_code == 429
