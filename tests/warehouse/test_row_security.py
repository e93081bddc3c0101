"""Who sees which rows in Postgres: what hawk.permissions says, whatever a user's session tries."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row, tuple_row

from hawk.auth import Principal
from hawk.errors import UserError
from hawk.permissions import UNRESOLVED_GROUP, may_view, viewable_groups
from hawk.warehouse import sql_users
from hawk.warehouse.partitions import Month
from hawk.warehouse.reader_roles import confirm_sql_user, end_sql_user, follow_identity, reading_as
from hawk.warehouse.tables import RAW_TABLES

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PUBLIC, SECRET = "model-access-public", "model-access-secret"
_IMPORT = """
insert into raw.eval_import (eval_id, eval_set_id, location, etag, size_bytes, last_modified, log_status, sample_count,
    message_count, event_count, seconds, first_imported_at, imported_at)
values (%(eval)s, %(set)s, '', '', 0, now(), 'success', 0, 0, 0, 0, now(), now())
returning import_id
"""
_EVAL = """
insert into raw.eval (import_id, eval_id, eval_set_id, task_name, model, status, is_invalidated, location)
values (%(import_id)s, %(eval)s, %(set)s, 'sums', %(model)s, 'success', false, '')
"""
_SET = """
insert into ops.eval_set (eval_set_id, name, origin, model_names, model_groups, status, created_at, status_changed_at)
values (%(set)s, '', 'api', %(names)s, %(groups)s, 'complete', now(), now())
"""
_SAMPLE = """
insert into raw.sample (import_id, sample_uuid, eval_id, sample_id, epoch, is_invalidated, is_complete, message_count,
    event_count, model_call_count, tool_call_count)
values (%(import_id)s, %(eval)s, %(eval)s, '1', 1, false, true, 0, 0, 0, 0)
"""


@pytest.fixture(scope="module")
def owner(shared_database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Return a connection above all policies."""
    with psycopg.connect(shared_database_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def warehouse(owner: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """Return the owner's connection to a warehouse with a public and a secret eval, and nothing else."""
    clear(owner)
    register(owner, {"lab/public": PUBLIC, "lab/secret": SECRET})
    add_eval(owner, "public-eval", "lab/public")
    add_eval(owner, "secret-eval", "lab/secret")
    return owner


def clear(owner: psycopg.Connection[Any]) -> None:
    owner.execute("delete from raw.eval_import")
    for table in ("eval_set", "model_group", "benchmark_group", "sql_user"):
        owner.execute(f"delete from ops.{table}".encode())


def register(owner: psycopg.Connection[Any], groups: dict[str, str]) -> None:
    with owner.cursor() as cursor:
        cursor.executemany("insert into ops.model_group values (%s, %s)", list(groups.items()))


def add_eval(
    owner: psycopg.Connection[Any], eval_id: str, model: str, *, eval_set_id: str = "", called: Sequence[str] = ()
) -> int:
    with owner.transaction():
        names = {"eval": eval_id, "set": eval_set_id or eval_id, "model": model}
        row = owner.execute(_IMPORT, names).fetchone()
        assert row is not None
        names["import_id"] = row["import_id"]
        owner.execute(_EVAL, names)
        owner.execute(_SAMPLE, names)
        for name in called:
            owner.execute(
                "insert into raw.eval_model_usage (import_id, model) values (%s, %s)", [row["import_id"], name]
            )
    return int(row["import_id"])


def seen_by(connection: psycopg.Connection[Any], groups: Sequence[str], table: str = "raw.eval") -> set[str]:
    with reading_as(connection, groups), connection.cursor(row_factory=tuple_row) as cursor:
        return {row[0] for row in cursor.execute(f"select eval_id from {table}".encode())}


def sql_session(database_url: str, owner: psycopg.Connection[Any], *groups: str) -> psycopg.Connection[Any]:
    """Return a session that somebody with these groups opens by his own role."""
    user = confirm_sql_user(owner, "ada", groups, days=7)
    login = make_conninfo(database_url, user=user.role_name, password=user.password)
    return psycopg.connect(login, autocommit=True, row_factory=tuple_row)


def test_rows_are_for_those_who_hold_the_groups(warehouse) -> None:
    for table in ("raw.eval_import", "raw.eval", "raw.sample"):
        assert seen_by(warehouse, [PUBLIC], table) == {"public-eval"}
        assert seen_by(warehouse, [PUBLIC, SECRET], table) == {"public-eval", "secret-eval"}
        assert seen_by(warehouse, [], table) == set()
        assert seen_by(warehouse, ["", UNRESOLVED_GROUP, "model-access-unheard-of"], table) == set()


def test_an_eval_needs_the_groups_of_all_models_that_it_called_and_of_its_set(warehouse) -> None:
    add_eval(warehouse, "graded", "lab/public", called=["lab/secret"])
    add_eval(warehouse, "calls-unknown", "lab/public", called=["lab/unknown"])
    warehouse.execute(_SET, {"set": "s", "names": ["lab/public"], "groups": [PUBLIC, "model-access-benchmark"]})
    add_eval(warehouse, "of-a-secret-benchmark", "lab/public", eval_set_id="s")

    assert seen_by(warehouse, [PUBLIC]) == {"public-eval"}
    assert seen_by(warehouse, [PUBLIC, SECRET]) == {"public-eval", "secret-eval", "graded"}
    assert seen_by(warehouse, [PUBLIC, "model-access-benchmark"]) == {"public-eval", "of-a-secret-benchmark"}


def test_a_change_of_the_registry_counts_at_once_for_all_that_there_is(warehouse) -> None:
    warehouse.execute(_SET, {"set": "s", "names": ["lab/secret"], "groups": [SECRET]})
    warehouse.execute("update ops.model_group set model_group = %s where model_name = 'lab/secret'", [PUBLIC])

    assert seen_by(warehouse, [PUBLIC]) == {"public-eval", "secret-eval"}
    assert groups_of_set(warehouse, "s") == [PUBLIC]

    warehouse.execute("delete from ops.model_group where model_name = 'lab/public'")

    assert seen_by(warehouse, [PUBLIC, SECRET]) == {"secret-eval"}


def test_a_set_keeps_its_benchmarks_group_when_its_model_leaves_that_group(warehouse) -> None:
    warehouse.execute("insert into ops.benchmark_group values ('secret-bench', %s)", [SECRET])
    warehouse.execute(_SET, {"set": "s", "names": ["lab/secret"], "groups": [SECRET]})
    warehouse.execute("delete from ops.benchmark_group")

    warehouse.execute("update ops.model_group set model_group = %s where model_name = 'lab/secret'", [PUBLIC])

    assert groups_of_set(warehouse, "s") == [PUBLIC, SECRET]


def test_evals_follow_when_their_set_gets_another_group(warehouse) -> None:
    warehouse.execute(_SET, {"set": "s", "names": ["lab/public"], "groups": [PUBLIC]})
    add_eval(warehouse, "of-the-set", "lab/public", eval_set_id="s")
    assert "of-the-set" in seen_by(warehouse, [PUBLIC])

    warehouse.execute("update ops.eval_set set model_groups = %s where eval_set_id = 's'", [[PUBLIC, SECRET]])

    assert "of-the-set" not in seen_by(warehouse, [PUBLIC])
    assert "of-the-set" in seen_by(warehouse, [PUBLIC, SECRET])


def groups_of_set(owner: psycopg.Connection[Any], eval_set_id: str) -> list[str]:
    row = owner.execute("select model_groups from ops.eval_set where eval_set_id = %s", [eval_set_id]).fetchone()
    assert row is not None
    return list(row["model_groups"])


GROUPS = st.sampled_from(["", UNRESOLVED_GROUP, "g1", "g2", "g3:read", "g'\"4"])
MODELS = st.sampled_from(["m1", "m2", "m3", "m4", "none", "unknown/one"])
EVALS = st.lists(
    st.fixed_dictionaries(
        {
            "model": MODELS,
            "called": st.lists(MODELS, max_size=2, unique=True),
            "set": st.none()
            | st.fixed_dictionaries({"names": st.lists(MODELS, max_size=2), "bench": GROUPS | st.none()}),
        }
    ),
    max_size=5,
)
HELD = st.lists(st.builds(str.__add__, GROUPS, st.sampled_from(["", ":read", ":write"])), max_size=4, unique=True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    registry=st.dictionaries(MODELS, GROUPS), evals=EVALS, held=HELD, later=st.dictionaries(MODELS, GROUPS, max_size=2)
)
@example(registry={}, evals=[{"model": "none", "called": [], "set": None}], held=["g1"], later={})
def test_python_and_sql_agree_on_who_may_see_what(owner, registry, evals, held, later) -> None:
    clear(owner)
    register(owner, registry)
    for number, made in enumerate(evals):
        if made["set"]:
            groups = [group_in(registry, name) for name in made["set"]["names"] if name != "none"]
            groups += [] if made["set"]["bench"] is None else [made["set"]["bench"]]
            owner.execute(_SET, {"set": f"e{number}", "names": made["set"]["names"], "groups": groups})
        add_eval(owner, f"e{number}", made["model"], called=made["called"])
    for name, group in later.items():
        owner.execute("insert into ops.model_group values (%s, %s) on conflict (model_name)"
                      " do update set model_group = excluded.model_group", [name, group])  # fmt: skip
    person = Principal(subject="ada", permissions=frozenset(held))

    by_python = {
        f"e{number}" for number, made in enumerate(evals) if may_view(person, required_of(made, registry | later))
    }

    assert seen_by(owner, sorted(viewable_groups(person.permissions))) == by_python


def group_in(registry: dict[str, str], model: str) -> str:
    return registry.get(model) or UNRESOLVED_GROUP


def required_of(made: dict[str, Any], registry: dict[str, str]) -> set[str]:
    of_set = made["set"] or {"names": [], "bench": None}
    models = {made["model"], *made["called"], *of_set["names"]} - {"none"}
    benchmark = set() if of_set["bench"] is None else {of_set["bench"]}
    return {group_in(registry, model) for model in models} | benchmark


@pytest.mark.parametrize(
    "attempt",
    [
        "set role hawk_writer",
        "set role hawk_reader",
        "set role hawk_roles",
        "set role hawk_services",
        "set role {secret_role}",
        "set role {public_role}",
        "set session authorization {secret_role}",
        "select set_config('role', '{secret_role}', false)",
        "select set_config('is_superuser', 'on', false)",
        "set local role {secret_role}",
        "grant {secret_role} to current_user",
        "alter role current_user bypassrls",
        "select ops.reader_role('{{{secret}}}')",
        "select ops.confirm_sql_user('ada', '{{{secret}}}', 7)",
        "select ops.let_sql_user_sign_in('ada', null)",
        "alter table raw.eval disable row level security",
        "create policy mine on raw.eval using (true)",
        "insert into ops.model_group values ('x', 'y')",
        "update raw.eval set model = 'lab/public'",
        "select * from ops.access_set",
        "select * from ops.sql_user",
        "select * from raw.message_search",
        "select * from raw.search_queue",
        "select * from raw.{partition}",
        "create view public.mine as select * from raw.eval",
        "copy raw.eval to program 'cat'",
    ],
)
def test_a_sql_users_session_wins_nothing_by(attempt, warehouse, shared_database_url) -> None:
    names = warehouse.execute("select ops.group_role(%s) as secret, ops.group_role(%s) as public", [SECRET, PUBLIC])
    roles = names.fetchone()
    statement = attempt.format(
        secret_role=roles["secret"],
        public_role=roles["public"],
        secret=SECRET,
        partition=Month.of(datetime.now(UTC)).partition_of("event"),
    )
    with sql_session(shared_database_url, warehouse, PUBLIC) as session:
        with pytest.raises(psycopg.Error):
            session.execute(statement.encode())

        assert session.execute("select eval_id from raw.eval").fetchall() == [("public-eval",)]


@pytest.mark.parametrize(
    "harmless",
    [
        "reset role",
        "reset all",
        "reset session authorization",
        "set row_security = off",
        "set session_replication_role = default",
        "select set_config('hawk.groups', '{model-access-secret}', false)",
        "select set_config('role', 'none', false)",
        "set role none",
        "set search_path = pg_temp",
    ],
)
def test_a_sql_users_session_sees_no_more_after(harmless, warehouse, shared_database_url) -> None:
    with sql_session(shared_database_url, warehouse, PUBLIC) as session:
        try:
            session.execute(harmless.encode())
            found = session.execute("select eval_id from raw.eval").fetchall()
        except psycopg.errors.InsufficientPrivilege:  # row_security = off makes queries fail, which shows nothing too
            found = [("public-eval",)]

        assert found == [("public-eval",)]


def test_a_function_of_a_users_own_sees_no_row_before_the_policy_does(warehouse, shared_database_url) -> None:
    with sql_session(shared_database_url, warehouse, PUBLIC) as session:
        session.execute("create temporary table heard (eval_id text)")
        session.execute(
            "create function pg_temp.hear(name text) returns boolean language plpgsql cost 0.0000001 as"
            " $$ begin insert into heard values (name); return true; end $$"
        )
        session.execute("select count(*) from raw.eval where pg_temp.hear(eval_id)")

        assert session.execute("select * from heard").fetchall() == [("public-eval",)]


def test_one_asks_only_for_roles_that_one_has(warehouse, shared_database_url) -> None:
    both = warehouse.execute("select ops.reader_role(%s) as role", [[PUBLIC, SECRET]]).fetchone()["role"]
    with sql_session(shared_database_url, warehouse, PUBLIC) as session:
        seen = session.execute("select ops.visible_access_sets(%s)", [both]).fetchone()
        hits = session.execute(
            "select * from raw.find_messages_for(%s, 'word', null, null, null, null, 3, 50)", [both]
        ).fetchall()

    assert seen == ([],)
    assert hits == []


def test_words_are_found_in_messages_that_one_may_see(warehouse, shared_database_url) -> None:
    warehouse.execute(
        "insert into raw.message_search select import_id, eval_id, 0, to_tsvector('simple', 'needle') from raw.eval"
    )
    with sql_session(shared_database_url, warehouse, PUBLIC) as session:
        found = session.execute("select sample_uuid from raw.find_messages('needle', null, null, null, null, 3, 50)")

        assert found.fetchall() == [("public-eval",)]


def test_a_sql_user_has_the_groups_that_his_token_says(warehouse, shared_database_url) -> None:
    with sql_session(shared_database_url, warehouse, PUBLIC) as session:
        follow_identity(warehouse, "ada", [SECRET])
        assert session.execute("select eval_id from raw.eval").fetchall() == [("secret-eval",)]

        warehouse.execute("update ops.sql_user set confirmed_until = now() - interval '1 s'")
        assert session.execute("select eval_id from raw.eval").fetchall() == []

        confirm_sql_user(warehouse, "ada", [PUBLIC, SECRET], days=7)
        assert len(session.execute("select eval_id from raw.eval").fetchall()) == 2

        end_sql_user(warehouse, "ada")
        assert session.execute("select eval_id from raw.eval").fetchall() == []


def test_an_administrator_makes_and_ends_logins_by_a_command(
    warehouse, shared_database_url, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("HAWK_DATABASE_URL", shared_database_url)
    sql_users.main(["let", "bob", "--group", PUBLIC])
    command = capsys.readouterr().out.splitlines()[0]
    login = command.removeprefix('psql "').removesuffix('"')
    with psycopg.connect(login, autocommit=True) as session:
        assert session.execute("select eval_id from raw.eval").fetchall() == [("public-eval",)]

    sql_users.main(["end", "bob"])

    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(login)


def test_iam_is_refused_where_the_server_has_none(warehouse) -> None:
    with pytest.raises(UserError, match="rds_iam"):
        confirm_sql_user(warehouse, "ada", [PUBLIC], days=7, by_iam=True)


def test_logins_of_programs_have_no_rights_before_they_take_a_role(warehouse, shared_database_url) -> None:
    for login in ("hawk_api", "hawk_viewer"):  # the API's takes the role of services first
        warehouse.execute(f"alter role {login} login password 'for-a-test'".encode())
        with psycopg.connect(make_conninfo(shared_database_url, user=login, password="for-a-test")) as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("select * from raw.message")
            connection.rollback()
            assert seen_by(connection, [PUBLIC]) == {"public-eval"}
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("select * from raw.sample")
        warehouse.execute(f"alter role {login} nologin".encode())


def test_dagsters_login_writes_and_sees_everything(warehouse, shared_database_url) -> None:
    warehouse.execute("alter role hawk_dagster login password 'for-a-test'")
    with psycopg.connect(make_conninfo(shared_database_url, user="hawk_dagster", password="for-a-test")) as connection:
        connection.execute("update raw.eval set task_name = 'other'")
        connection.execute("create table marts.made (access_set_id integer)")
        connection.execute("select ops.protect_rows('marts.made')")
        assert connection.execute("select count(*) from raw.eval").fetchone() == (2,)
        connection.rollback()
    warehouse.execute("alter role hawk_dagster nologin")


def test_services_read_headers_only(warehouse) -> None:
    with warehouse.transaction():
        warehouse.execute("set local role hawk_services")
        assert len(warehouse.execute("select * from raw.eval").fetchall()) == 2
        with pytest.raises(psycopg.errors.InsufficientPrivilege), warehouse.transaction():
            warehouse.execute("select * from raw.message")


def test_every_raw_table_and_partition_has_forced_row_security(warehouse) -> None:
    tables = warehouse.execute(
        "select relname, relrowsecurity and relforcerowsecurity as is_closed, relispartition as is_partition,"
        " exists (select from pg_policy where polrelid = class.oid and polname = 'seen_by_groups') as has_policy"
        " from pg_class as class where relnamespace = 'raw'::regnamespace and relkind in ('r', 'p')"
    ).fetchall()

    assert {table.name for table in RAW_TABLES} <= {table["relname"] for table in tables}
    assert [table["relname"] for table in tables if not table["is_closed"]] == []
    hidden = {table["relname"] for table in tables if not table["has_policy"] and not table["is_partition"]}
    assert hidden == {"message_search", "search_queue"}


def test_every_view_runs_with_the_rights_of_its_reader(warehouse) -> None:
    views = warehouse.execute(
        "select oid::regclass::text as name from pg_class where relkind = 'v' and relnamespace = any"
        " ('{ops,raw,staging,intermediate,marts}'::regnamespace[])"
        " and not coalesce(reloptions, '{}') @> '{security_invoker=true}'"
    ).fetchall()

    assert views == []


def test_where_the_host_grants_no_bypass_the_owner_sees_its_rows_and_readers_theirs(warehouse) -> None:
    with warehouse.transaction(force_rollback=True):
        warehouse.execute("alter role hawk_writer nobypassrls")
        for table in ("eval_import", "eval"):
            warehouse.execute("select ops.protect_rows(%s)", [f"raw.{table}"])
        with warehouse.transaction():
            warehouse.execute("set local role hawk_writer")
            assert len(warehouse.execute("select * from raw.eval").fetchall()) == 2
            warehouse.execute("reset role")

        assert seen_by(warehouse, [PUBLIC]) == {"public-eval"}


def test_a_new_raw_table_without_an_import_is_refused(warehouse) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="who may see"), warehouse.transaction():
        warehouse.execute("create table raw.secrets_of_the_future (what text)")
        warehouse.execute("select ops.protect_rows('raw.secrets_of_the_future')")
