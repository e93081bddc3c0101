import psycopg
import pytest
from psycopg.rows import dict_row

from hawk.audit import AuditEntry, record
from hawk.auth import Principal

ALICE = Principal(subject="alice", email="alice@example.com")


@pytest.fixture
def connection(database_url):
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def test_row_says_who_did_what_to_what_from_where_and_when(connection):
    entry = AuditEntry(
        door="api",
        action="eval_set.stop",
        object_kind="eval_set",
        object_id="mine",
        client_address="192.0.2.1",
        request_id="r-1",
        detail={"action": "score"},
    )

    record(connection, entry, ALICE)

    [row] = connection.execute("select * from ops.audit_trail").fetchall()
    assert (row["subject"], row["email"], row["action"], row["outcome"]) == (
        "alice",
        "alice@example.com",
        "eval_set.stop",
        "allowed",
    )
    assert (row["object_kind"], row["object_id"], row["client_address"], row["request_id"]) == (
        "eval_set",
        "mine",
        "192.0.2.1",
        "r-1",
    )
    assert row["detail"] == {"action": "score"}
    assert row["occurred_at"].tzinfo is not None


@pytest.mark.parametrize(
    "statement",
    [
        "update ops.audit set subject = 'bob'",
        "update ops.audit set subject = 'bob' where false",
        "delete from ops.audit",
        "truncate ops.audit",
        "truncate ops.audit, ops.eval_set cascade",
        "insert into ops.audit (audit_id, door, action, outcome) values (1, 'api', 'request', 'denied')"
        " on conflict (audit_id) do update set subject = 'bob'",
    ],
)
def test_nobody_changes_what_is_written(connection, statement):
    record(connection, AuditEntry(door="api", action="request"), ALICE)

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        connection.execute(statement)

    assert connection.execute("select subject from ops.audit").fetchall() == [{"subject": "alice"}]


def test_hostile_text_is_stored_cut_and_harmless(connection):
    entry = AuditEntry(door="api", action="request", object_id="a\0b\ud800" + "x" * 10_000, detail={"path": "\0" * 999})

    record(connection, entry, None)

    [row] = connection.execute("select * from ops.audit").fetchall()
    assert row["object_id"].startswith("a\ufffdb?x")
    assert len(row["object_id"]) == len(row["detail"]["path"]) == 500
    assert row["subject"] is None
