"""Makes a database beside the warehouse's where there is none: `python -m hawk.warehouse.create_database NAME`."""

import argparse
import logging

import psycopg
from psycopg import sql

from hawk.errors import Upstream
from hawk.settings import DatabaseSettings

logger = logging.getLogger(__name__)


def create_database(database_url: str, name: str) -> bool:
    """Make the database and say whether it was missing. Raises Upstream where the server does not answer."""
    try:
        # Postgres makes databases outside of transactions only.
        with psycopg.connect(database_url, autocommit=True, connect_timeout=10) as connection:
            if connection.execute("select from pg_database where datname = %s", (name,)).fetchone() is not None:
                return False
            try:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                return False  # another was first
            return True
    except psycopg.OperationalError as error:
        raise Upstream("The warehouse database does not answer.", hint="Try again in a moment.") from error


def main() -> None:
    """Make the database on the server that the settings name."""
    parser = argparse.ArgumentParser(prog="python -m hawk.warehouse.create_database", description=__doc__)
    parser.add_argument("name")
    name: str = parser.parse_args().name
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    was_made = create_database(DatabaseSettings().database_url.get_secret_value(), name)
    logger.info("database %s %s", name, "made" if was_made else "is there")


if __name__ == "__main__":
    main()
