"""Brings a database to the tables that this version of Hawk needs; `python -m hawk.warehouse.migrate`.

Everything happens in one transaction under an advisory lock, so that two programs that start at once, or one that
dies midway, leave either the old tables or the new.
"""

import argparse
import logging
from pathlib import Path
from typing import Any, cast

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from sqlalchemy.pool import NullPool

from hawk.errors import Upstream
from hawk.naming import RAW_SCHEMA, WRITER_ROLE
from hawk.settings import DatabaseSettings
from hawk.warehouse.partitions import ensure_partitions
from hawk.warehouse.row_security import SCHEMAS, as_role, make_roles, own_everything, secure_rows

logger = logging.getLogger(__name__)

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_KEY = 0x6861_776B_6D69_6772  # "hawkmigr"; any number will do, as long as nothing else locks it

# lz4 compresses large JSON at a fifth of pglz's cost and within 4 % of its size; not every server is built with it.
_UNCOMPRESSED_COLUMNS = """
select format('alter table %%I.%%I alter column %%I set compression lz4', n.nspname, c.relname, a.attname)
from pg_attribute as a
join pg_class as c on c.oid = a.attrelid
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = %(schema)s and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
  and a.atttypid in ('jsonb'::regtype, 'json'::regtype, 'text'::regtype, 'tsvector'::regtype)
  and a.attcompression <> 'l'
  and exists (select 1 from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals))
"""


def migrate(database_url: str) -> None:
    """Bring the database to the newest revision; does nothing where it stands there already.

    Raises Upstream where the database does not answer.
    """
    with _engine(database_url).begin() as connection:
        connection.execute(sqlalchemy.text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        for schema in SCHEMAS:
            connection.execute(sqlalchemy.schema.CreateSchema(schema, if_not_exists=True))
        driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        make_roles(driver)
        own_everything(driver)
        with as_role(driver, WRITER_ROLE):
            command.upgrade(_alembic_config(connection), "head")
            for (statement,) in connection.exec_driver_sql(_UNCOMPRESSED_COLUMNS, {"schema": RAW_SCHEMA}).all():
                connection.exec_driver_sql(str(statement))
        secure_rows(driver)
        with as_role(driver, WRITER_ROLE):
            ensure_partitions(driver)


def write_revision(database_url: str, message: str) -> None:
    """Write a new file under migrations/versions: the difference between tables.py and this migrated database."""
    with _engine(database_url).begin() as connection:
        command.revision(_alembic_config(connection), message=message, autogenerate=True, rev_id=_next_revision())


def _next_revision() -> str:
    return f"{len(list((_MIGRATIONS / 'versions').glob('[0-9]*.py'))) + 1:04d}"


def _engine(database_url: str) -> sqlalchemy.Engine:
    # psycopg reads the URL itself, so every libpq form works, not only those that SQLAlchemy can parse.
    return sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: _connect(database_url), poolclass=NullPool)


def _connect(database_url: str) -> psycopg.Connection:
    try:
        return psycopg.connect(database_url, connect_timeout=10, application_name="hawk-migrate")
    except psycopg.OperationalError as error:
        raise Upstream("The warehouse database does not answer.", hint="Try again in a moment.") from error


def _alembic_config(connection: sqlalchemy.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def main() -> None:
    """Migrate the database that the settings name, or write a new revision."""
    parser = argparse.ArgumentParser(prog="python -m hawk.warehouse.migrate", description=__doc__)
    parser.add_argument("--new", metavar="MESSAGE", help="write a revision for what changed in tables.py")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    database_url = DatabaseSettings().database_url.get_secret_value()
    if arguments.new:
        write_revision(database_url, arguments.new)
        return
    migrate(database_url)
    logger.info("the warehouse has the newest tables")


if __name__ == "__main__":
    main()
