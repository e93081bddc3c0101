"""Brings a database to the roles, owners, policies and grants that decide who sees which rows.

Part of each migration and free of any history, so that a table that a revision adds is protected by the same run.
What the policies say stands in row_security.sql; see docs/decisions/access-sets.md.
"""

from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from hawk.naming import (
    API_ROLE,
    INTERMEDIATE_SCHEMA,
    LOGIN_ROLES,
    MARTS_SCHEMA,
    OPS_SCHEMA,
    RAW_SCHEMA,
    READER_ROLE,
    ROLE_KEEPER_ROLE,
    SERVICE_ROLE,
    STAGING_SCHEMA,
    VIEWER_ROLE,
    WRITER_ROLE,
)

SCHEMAS = (OPS_SCHEMA, RAW_SCHEMA, STAGING_SCHEMA, INTERMEDIATE_SCHEMA, MARTS_SCHEMA)
# Readers have no use for these, and their rows are of no eval that one could ask about.
CLOSED_TABLES = ("message_search", "search_queue")
# What the API's own checks need of every eval, whoever asks: its models and its place, and nothing that was said.
HEADER_TABLES = ("eval_import", "eval", "eval_model", "eval_model_role", "eval_model_usage")
READABLE_OPS_TABLES = ("eval_set", "attempt", "log_inbox", "model_group")

# Which samples there are and how they ended, for telling the denied from what does not exist; nothing that was said.
SAMPLE_COLUMNS = (
    "import_id", "sample_uuid", "eval_id", "sample_id", "epoch", "target", "error_message", "limit_type", "is_complete",
    "message_count", "total_tokens", "started_at", "completed_at",
)  # fmt: skip

_FOLDER = Path(__file__).parent
_FUNCTIONS_OF_ROLES = (
    "make_group_roles()",
    "follow_groups()",
    "reader_role(text[])",
    "confirm_sql_user(text, text[], double precision)",
    "let_sql_user_sign_in(text, text)",
    "end_sql_user(text)",
)
_FUNCTIONS_OF_READERS = (
    "ops.visible_access_sets(name)",
    "ops.visible_bits(name)",
    "raw.find_messages(tsquery, text[], bigint, text, integer, integer, integer)",
    "raw.find_messages_for(name, tsquery, text[], bigint, text, integer, integer, integer)",
)
_NOT_OURS_YET = """
select format(
    'alter %%s %%s owner to %%I',
    case class.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end,
    class.oid::regclass, %(owner)s::text
)
from pg_class as class
where class.relnamespace = any (%(schemas)s::regnamespace[]) and class.relkind in ('r', 'p', 'v', 'S')
    and class.relowner <> %(owner)s::regrole
    and not exists (  -- a sequence that belongs to a column follows its table
        select from pg_depend
        where classid = 'pg_class'::regclass and objid = class.oid and deptype in ('a', 'i') and class.relkind = 'S'
    )
union all
select format('alter function %%s owner to %%I', function.oid::regprocedure, %(owner)s::text)
from pg_proc as function
where function.pronamespace = any (%(schemas)s::regnamespace[])
    and function.proowner not in (%(owner)s::regrole, %(keeper)s::regrole)
union all
select format('alter schema %%s owner to %%I', namespace.oid::regnamespace, %(owner)s::text)
from pg_namespace as namespace
where namespace.oid = any (%(schemas)s::regnamespace[]) and namespace.nspowner <> %(owner)s::regrole
"""
_RAW_TABLES = """
select class.relname, class.relispartition from pg_class as class
where class.relnamespace = %s::regnamespace and class.relkind in ('r', 'p') order by 1
"""
# Whatever was there before its access set was: the set first, because its evals look at it.
_PLACE_ALL = """
with sets as (update ops.eval_set set model_groups = model_groups where access_set_id is null returning 1)
select count(*) from sets
"""
_PLACE_IMPORTS = """
update raw.eval_import set access_set_id = ops.access_set_of_import(import_id, eval_set_id) where access_set_id is null
"""
_FOLLOW_GROUPS = """
create or replace trigger groups_have_roles
after insert or update on ops.{table} for each statement execute function ops.follow_groups()
"""
_SERVICES_POLICY = "create policy all_for_services on {table} to {roles} using (true) with check (true)"


def make_roles(connection: psycopg.Connection[Any]) -> None:
    """Make the roles that own, keep roles, serve and read; nobody can sign in by them yet.

    The owner stands above policies where the host lets us make such a role. Where it does not, row security is not
    forced, which leaves the owner's rows to the owner.
    """
    for role in (WRITER_ROLE, ROLE_KEEPER_ROLE, READER_ROLE, SERVICE_ROLE, *LOGIN_ROLES):
        if not _value(connection, "select exists (select from pg_roles where rolname = %s)", role):
            _run(connection, "create role {} nologin", role)
    if not _value(connection, "select rolbypassrls from pg_roles where rolname = %s", WRITER_ROLE):
        _try(connection, "alter role {} bypassrls", WRITER_ROLE)
    if not _value(connection, "select rolcreaterole from pg_roles where rolname = %s", ROLE_KEEPER_ROLE):
        _run(connection, "alter role {} createrole", ROLE_KEEPER_ROLE)
    for role in (WRITER_ROLE, ROLE_KEEPER_ROLE):
        if not _value(connection, "select pg_has_role(current_user, %s, 'SET')", role):
            _run(connection, "grant {} to current_user with inherit true, set true", role)
    _run(connection, "grant {} to {} with admin option, inherit false, set false", READER_ROLE, ROLE_KEEPER_ROLE)
    for login, default_role in LOGIN_ROLES.items():
        _run(connection, "alter role {} noinherit", login)
        if default_role is not None:
            _run(connection, "grant {} to {} with inherit false, set true", default_role, login)
            _run(connection, "alter role {} set role = {}", login, default_role)


def own_everything(connection: psycopg.Connection[Any]) -> None:
    """Give all that our schemas hold to the owner's role."""
    names = {"owner": WRITER_ROLE, "keeper": ROLE_KEEPER_ROLE, "schemas": list(SCHEMAS)}
    with connection.cursor(row_factory=tuple_row) as cursor:
        for (statement,) in cursor.execute(_NOT_OURS_YET, names).fetchall():
            cursor.execute(statement)
    _run(connection, "grant usage, create on schema ops to {}", ROLE_KEEPER_ROLE)


def secure_rows(connection: psycopg.Connection[Any]) -> None:
    """Bring functions, policies and grants up to date; belongs behind the revisions, in their transaction."""
    own_everything(connection)
    with as_role(connection, WRITER_ROLE):
        _script(connection, "row_security.sql")
        for table in ("model_group", "benchmark_group", "access_set"):
            _run(connection, "grant select on ops.{} to {}", table, ROLE_KEEPER_ROLE)
        _run(connection, "grant select, insert, update on ops.sql_user to {}", ROLE_KEEPER_ROLE)
    with as_role(connection, ROLE_KEEPER_ROLE):
        _script(connection, "reader_roles.sql")
        for function in _FUNCTIONS_OF_ROLES:
            _run_as_is(connection, f"revoke execute on function ops.{function} from public")
            _run_as_is(connection, f"grant execute on function ops.{function} to {WRITER_ROLE}, {SERVICE_ROLE}")
        _run(connection, "grant execute on function ops.reader_role(text[]) to {}, {}", API_ROLE, VIEWER_ROLE)
    with as_role(connection, WRITER_ROLE):
        for table in ("model_group", "benchmark_group", "access_set"):
            _run_as_is(connection, _FOLLOW_GROUPS.format(table=table))
        _run_as_is(connection, "select ops.make_group_roles()")
        _run_as_is(connection, _PLACE_ALL)
        _run_as_is(connection, _PLACE_IMPORTS)
        # A table with row changes that triggers have still to follow cannot be altered.
        _run_as_is(connection, "set constraints all immediate")
        _protect_tables(connection)
        _grant(connection)


def _protect_tables(connection: psycopg.Connection[Any]) -> None:
    with connection.cursor(row_factory=tuple_row) as cursor:
        tables = cursor.execute(_RAW_TABLES, [RAW_SCHEMA]).fetchall()
    for table, is_partition in tables:
        is_closed = is_partition or table in CLOSED_TABLES
        _value(connection, f"select ops.{'close' if is_closed else 'protect'}_rows(%s)", f"{RAW_SCHEMA}.{table}")
    for table in READABLE_OPS_TABLES:
        relation = f"{OPS_SCHEMA}.{table}"
        _value(connection, "select ops.protect_rows(%s)", relation)
        _let_services(connection, relation)
    for table in (*HEADER_TABLES, "sample"):
        _let_services(connection, f"{RAW_SCHEMA}.{table}")


def _let_services(connection: psycopg.Connection[Any], relation: str) -> None:
    known = "select exists (select from pg_policy where polrelid = %s::regclass and polname = 'all_for_services')"
    if not _value(connection, known, relation):
        _run_as_is(connection, _SERVICES_POLICY.format(table=relation, roles=f"{SERVICE_ROLE}, {ROLE_KEEPER_ROLE}"))


def _grant(connection: psycopg.Connection[Any]) -> None:
    for schema in SCHEMAS:
        _run(connection, "grant usage on schema {} to {}, {}", schema, READER_ROLE, SERVICE_ROLE)
    _run(connection, "grant usage on schema ops to {}, {}", API_ROLE, VIEWER_ROLE)
    _run(connection, "grant select, insert, update, delete on all tables in schema ops to {}", SERVICE_ROLE)
    _run(connection, "revoke insert, update, delete on ops.access_set, ops.sql_user from {}", SERVICE_ROLE)
    _run(connection, "grant usage on all sequences in schema ops to {}", SERVICE_ROLE)
    for table in HEADER_TABLES:
        _run(connection, "grant select on raw.{} to {}", table, SERVICE_ROLE)
    _run_as_is(connection, f"grant select ({', '.join(SAMPLE_COLUMNS)}) on raw.sample to {SERVICE_ROLE}")
    for function in _FUNCTIONS_OF_READERS:
        _run_as_is(connection, f"revoke execute on function {function} from public")
        _run_as_is(connection, f"grant execute on function {function} to {READER_ROLE}, {SERVICE_ROLE}")
    for function in ("access_set_of(text[], text[])", "access_set_of_import(bigint, text)"):
        _run_as_is(connection, f"revoke execute on function ops.{function} from public")


class as_role:  # noqa: N801 - a context manager, named as it reads
    """Take a role for a part of the transaction."""

    def __init__(self, connection: psycopg.Connection[Any], role: str) -> None:
        self._connection, self._role = connection, role

    def __enter__(self) -> None:
        _run(self._connection, "set local role {}", self._role)

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._connection.execute("reset role")


def _script(connection: psycopg.Connection[Any], name: str) -> None:
    # Without parameters psycopg sends the whole file at once.
    connection.execute((_FOLDER / name).read_bytes())


def _run(connection: psycopg.Connection[Any], statement: str, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _run_as_is(connection: psycopg.Connection[Any], statement: str) -> None:
    connection.execute(statement.encode())


def _try(connection: psycopg.Connection[Any], statement: str, *names: str) -> None:
    try:
        with connection.transaction():
            _run(connection, statement, *names)
    except psycopg.errors.InsufficientPrivilege:
        pass


def _value(connection: psycopg.Connection[Any], query: str, *values: object) -> Any:
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(query.encode(), values).fetchone()
    return row[0] if row else None
