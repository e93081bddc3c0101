"""A database is made once, whatever its name, and whoever asks at the same time."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from hawk.errors import Upstream
from hawk.warehouse.create_database import create_database

ODD_NAME = 'odd "name"; drop'


@pytest.fixture
def server(database_url: str):
    yield database_url
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f'drop database if exists "{ODD_NAME.replace(chr(34), chr(34) * 2)}"')


def test_missing_database_is_made_once_however_many_ask(server: str):
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: create_database(server, ODD_NAME), range(4)))

    assert made.count(True) == 1
    assert not create_database(server, ODD_NAME)


def test_server_that_does_not_answer_is_upstreams_fault():
    with pytest.raises(Upstream):
        create_database("postgresql://nobody@127.0.0.1:9/none", "x")
