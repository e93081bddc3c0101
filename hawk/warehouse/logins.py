"""Lets programs sign in to the database: `python -m hawk.warehouse.logins`, after each migration.

Migrations make the roles, without passwords; here they get those of HAWK_LOGIN_PASSWORDS, `{"hawk_api": "…"}`.
"""

import logging
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from hawk.errors import Upstream, UserError
from hawk.settings import LoginSettings

logger = logging.getLogger(__name__)


def let_in(connection: psycopg.Connection[Any], passwords: Mapping[str, str]) -> None:
    """Give each login its password. Raises UserError, and changes nothing, where one of them is no role."""
    found = connection.execute("select rolname from pg_roles where rolname = any (%s)", (list(passwords),)).fetchall()
    missing = sorted(set(passwords) - {str(name) for (name,) in found})
    if missing:
        raise UserError(
            f"The database has no role {', '.join(missing)}.",
            hint="Migrate it first (python -m hawk.warehouse.migrate), or correct HAWK_LOGIN_PASSWORDS.",
            value=missing,
        )
    with connection.transaction():
        for login, password in passwords.items():
            # A statement that defines has no parameters; psycopg writes the literal.
            statement = sql.SQL("alter role {} login password {}").format(sql.Identifier(login), sql.Literal(password))
            connection.execute(statement)


def main() -> None:
    """Let the logins of the settings in."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    settings = LoginSettings()
    passwords = {login: secret.get_secret_value() for login, secret in settings.login_passwords.items()}
    try:
        with psycopg.connect(settings.database_url.get_secret_value(), connect_timeout=10) as connection:
            let_in(connection, passwords)
    except psycopg.OperationalError as error:
        raise Upstream("The warehouse database does not answer.", hint="Try again in a moment.") from error
    logger.info("logins may sign in: %s", ", ".join(sorted(passwords)))


if __name__ == "__main__":
    main()
