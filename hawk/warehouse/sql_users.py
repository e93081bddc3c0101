"""Gives people logins of their own to the warehouse, or takes them: `python -m hawk.warehouse.sql_users`.

Run by an administrator, by a login that may take `hawk_services`. What somebody's groups are he reads from the identity
provider; from then on the API changes them whenever the person's token says others.
"""

import argparse
import sys
from collections.abc import Sequence

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hawk.settings import DatabaseSettings
from hawk.warehouse.connection import connect
from hawk.warehouse.reader_roles import confirm_sql_user, end_sql_user

CONFIRMED_DAYS = 7.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Make, renew or end a login, and print how its person connects."""
    given = _parser().parse_args(arguments)
    settings = DatabaseSettings()
    with connect(settings, autocommit=True) as connection:
        if given.act == "end":
            end_sql_user(connection, given.subject)
            sys.stdout.write(f"{given.subject} has no login any more.\n")
            return
        user = confirm_sql_user(connection, given.subject, given.group, days=given.days, by_iam=given.iam)
    server = conninfo_to_dict(settings.database_url.get_secret_value())
    place = {name: server[name] for name in ("host", "port", "dbname", "sslmode") if name in server}
    secret = {} if user.password is None else {"password": user.password}
    sys.stdout.write(f'psql "{make_conninfo("", **place, user=user.role_name, **secret)}"\n')
    sys.stdout.write(f"Until {user.confirmed_until:%Y-%m-%d %H:%M %Z}; then it sees nothing and must be renewed.\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hawk.warehouse.sql_users", description=__doc__)
    acts = parser.add_subparsers(dest="act", required=True)
    let = acts.add_parser("let", help="make a login, or renew it with these groups and another password")
    let.add_argument("subject", help="the person, as `sub` of tokens has it")
    let.add_argument("--group", action="append", default=[], help="a group that the person may see; repeat it")
    let.add_argument("--days", type=float, default=CONFIRMED_DAYS, help="until the groups must be confirmed again")
    let.add_argument("--iam", action="store_true", help="sign in by IAM token, on RDS and Aurora")
    end = acts.add_parser("end", help="take the login and all its groups")
    end.add_argument("subject")
    return parser


if __name__ == "__main__":
    main()
