"""How much one caller may have: unfinished sets, and tokens that do not hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from hawk.api.rate_limit import RateLimit
from tests.fakes.hawk_api import HawkApi, config_of


def create(client, hawk_api: HawkApi, *, account: str = "researcher", **fields):
    return client.post("/eval_sets", json={"config": config_of(), **fields}, headers=hawk_api.headers(account))


class TestUnfinishedSets:
    @pytest.fixture(autouse=True)
    def two_at_a_time(self, hawk_api) -> Iterator[None]:
        capped = hawk_api.settings.model_copy(update={"max_unfinished_sets": 2})
        with other_services(hawk_api, settings=capped):
            yield

    def test_one_more_than_allowed_is_429_and_leaves_nothing(self, client, hawk_api) -> None:
        statuses = [create(client, hawk_api, eval_set_id=f"set-{number}").status_code for number in range(3)]

        assert statuses == [201, 201, 429]
        assert len(hawk_api.rows("select 1 from ops.eval_set")) == 2

    def test_those_of_others_and_ended_ones_do_not_count(self, client, hawk_api) -> None:
        create(client, hawk_api, eval_set_id="theirs", account="public-user")
        create(client, hawk_api, eval_set_id="ended")
        hawk_api.execute("update ops.eval_set set status = 'failed' where eval_set_id = 'ended'")

        assert [create(client, hawk_api, eval_set_id=f"set-{n}").status_code for n in range(2)] == [201, 201]

    def test_force_passes(self, client, hawk_api) -> None:
        answers = [create(client, hawk_api, eval_set_id=f"set-{n}", force=n == 2) for n in range(3)]

        assert answers[-1].status_code == 201


def test_bad_tokens_from_one_address_are_429_in_the_end_and_good_ones_pass(client, hawk_api) -> None:
    bad = {"authorization": "Bearer a.b.c"}

    with other_services(hawk_api, failed_sign_ins=RateLimit(3)):
        assert [client.get("/models", headers=bad).status_code for _ in range(5)] == [401, 401, 401, 429, 429]
        assert client.get("/models", headers=hawk_api.headers()).status_code == 200


@contextmanager
def other_services(hawk_api: HawkApi, **fields) -> Iterator[None]:
    state = hawk_api.app.state
    before, state.services = state.services, replace(hawk_api.services, **fields)
    yield
    state.services = before
