"""The embedded stack as a whole, on real parts: PostgreSQL, SeaweedFS and the mock models."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import httpx
import psutil
import psycopg
import pytest

from hawk.dev import control
from hawk.dev.processes import ProcessIdentity
from hawk.dev.stack import PartPhase, StackPhase, StackState, read_state, stack_environment
from hawk.errors import Conflict, NotFound, Upstream, UserError
from hawk.object_store import s3_client
from hawk.settings import ObjectStoreSettings


def wait_until(condition: Callable[[], bool], *, seconds: float = 20, poll_seconds: float = 0.1) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(poll_seconds)


def start_command(stack, *arguments: str) -> subprocess.Popen[str]:
    """Start `hawk` with the stack's folder as its home."""
    environment = {**os.environ, "HAWK_HOME": str(stack.paths.home)}
    command = [sys.executable, "-m", "hawk.cli.main", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_line(stream: IO[str], text: str) -> None:
    for line in stream:
        if text in line:
            return
    pytest.fail(f"{text!r} was never said")


def identities_of(state: StackState) -> list[ProcessIdentity]:
    return [state.supervisor, *(part.process for part in state.parts.values() if part.process)]


def members_of_groups(state: StackState) -> list[int]:
    """Return the processes in the parts' process groups, grandchildren included."""
    groups = {identity.pid for identity in identities_of(state)}
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) in groups and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, psutil.Error):
            continue
    return found


def supervisors_of(stack) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if "hawk.dev.supervisor" in command and str(stack.paths.home) in command:
            found.append(process.pid)
    return found


def store_settings(environment: dict[str, str]) -> ObjectStoreSettings:
    return ObjectStoreSettings(
        bucket=environment["HAWK_BUCKET"],
        s3_endpoint_url=environment["HAWK_S3_ENDPOINT_URL"],
        s3_access_key_id=environment["HAWK_S3_ACCESS_KEY_ID"],
        s3_secret_access_key=environment["HAWK_S3_SECRET_ACCESS_KEY"],
    )


def put_marks(environment: dict[str, str], text: str) -> None:
    with psycopg.connect(environment["HAWK_DATABASE_URL"]) as connection:
        connection.execute("create table if not exists mark (text text)")
        connection.execute("insert into mark values (%s)", [text])
    settings = store_settings(environment)
    s3_client(settings).put_object(Bucket=settings.bucket, Key=f"mark/{text}", Body=text.encode())


def marks(environment: dict[str, str]) -> tuple[set[str], set[str]]:
    with psycopg.connect(environment["HAWK_DATABASE_URL"]) as connection:
        rows = {row[0] for row in connection.execute("select text from mark")}
    settings = store_settings(environment)
    client = s3_client(settings)
    listed = client.list_objects_v2(Bucket=settings.bucket, Prefix="mark/").get("Contents", [])
    objects = {client.get_object(Bucket=settings.bucket, Key=entry["Key"])["Body"].read().decode() for entry in listed}
    return rows, objects


def test_up_gives_working_parts_and_their_settings(stack) -> None:
    state = stack.up()

    environment = stack_environment(stack.paths)
    with psycopg.connect(environment["HAWK_DATABASE_URL"]) as connection:
        groups = dict(connection.execute("select model_name, model_group from ops.model_group").fetchall())
    assert groups["openai/gpt-4o-mini"] == "model-access-public"
    with psycopg.connect(environment["HAWK_DAGSTER_DATABASE_URL"].replace("+psycopg2", "")) as connection:
        assert connection.execute("select current_database()").fetchone() == ("dagster",)
    settings = store_settings(environment)
    assert s3_client(settings).list_objects_v2(Bucket=settings.bucket)["KeyCount"] >= 0
    assert httpx.get(f"{state.url_of('llm')}/health").status_code == 200
    assert environment["HAWK_OPENAI_UPSTREAM"] == state.url_of("llm")


def test_secrets_are_for_their_owner_only(stack) -> None:
    stack.up()

    private = [stack.paths.environment, stack.paths.keys, stack.paths.root / "postgres" / "password"]
    private += [stack.paths.root / "object-store" / "keys.json", stack.paths.log_of("postgres"), stack.paths.state]

    assert [oct(stat.S_IMODE(path.stat().st_mode)) for path in private] == ["0o600"] * len(private)
    assert stat.S_IMODE((stack.paths.root / "object-store").stat().st_mode) == 0o700
    assert stat.S_IMODE(stack.paths.logs.stat().st_mode) == 0o700


def test_every_server_listens_on_loopback_only(stack) -> None:
    state = stack.up()

    groups = {identity.pid for identity in identities_of(state)}
    listeners = [
        connection.laddr.ip
        for connection in psutil.net_connections(kind="inet")
        if connection.pid and connection.status == psutil.CONN_LISTEN and os.getpgid(connection.pid) in groups
    ]

    assert len(listeners) >= 3
    assert set(listeners) == {"127.0.0.1"}


def test_second_up_finds_the_first(stack) -> None:
    first = stack.up()

    is_new = control.start_stack(stack.paths, parts=("llm", "postgres"))

    assert not is_new
    assert identities_of(control.await_ready(stack.paths)) == identities_of(first)


def test_second_up_with_another_address_is_refused(stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.up()
    monkeypatch.setattr(control, "bindable_address", lambda text: text)  # CI machines may have loopback only

    with pytest.raises(Conflict, match="listening on loopback only"):
        control.start_stack(stack.paths, bind_address="192.0.2.77")


@pytest.mark.parametrize("parts", [(), ("viewer",)], ids=["all", "viewer"])
def test_second_up_that_asks_for_more_parts_is_refused(stack, parts: tuple[str, ...]) -> None:
    stack.up()

    with pytest.raises(Conflict, match="with only warehouse, object-store, llm and what these need"):
        control.start_stack(stack.paths, parts=parts)


def test_a_supervisor_beside_a_running_one_gives_way(stack) -> None:
    state = stack.up()

    other = subprocess.run(
        [sys.executable, "-m", "hawk.dev.supervisor", "--home", str(stack.paths.home)], capture_output=True, text=True
    )

    assert other.returncode == Conflict.exit_code
    assert "Another supervisor" in other.stderr
    assert read_state(stack.paths) == state


def test_part_that_dies_is_started_again_on_its_port(stack) -> None:
    before = stack.up().parts["llm"]

    os.kill(before.process.pid, signal.SIGKILL)
    wait_until(lambda: read_state(stack.paths).parts["llm"].restarts == before.restarts + 1)
    after = control.await_ready(stack.paths).parts["llm"]
    assert "SIGKILL" in after.reason
    wait_until(lambda: read_state(stack.paths).parts["llm"].phase == PartPhase.READY)

    after = read_state(stack.paths).parts["llm"]
    assert after.process != before.process
    assert after.port == before.port
    assert httpx.get(f"{after.url}/health").status_code == 200


def test_database_that_is_killed_comes_back_with_its_data(stack) -> None:
    before = stack.up().parts["postgres"]
    environment = stack_environment(stack.paths)
    put_marks(environment, "before-the-database-died")

    os.kill(before.process.pid, signal.SIGKILL)
    wait_until(lambda: read_state(stack.paths).parts["postgres"].restarts == before.restarts + 1)
    wait_until(lambda: read_state(stack.paths).parts["postgres"].phase == PartPhase.READY)

    assert "before-the-database-died" in marks(environment)[0]


def test_killed_supervisor_leaves_what_the_next_up_repairs(stack) -> None:
    before = stack.up()
    environment = stack_environment(stack.paths)
    put_marks(environment, "before-the-kill")

    os.kill(before.supervisor.pid, signal.SIGKILL)
    with pytest.raises(NotFound):
        wait_until(lambda: not read_state(stack.paths).is_alive)
        stack_environment(stack.paths)
    after = stack.up()

    assert not any(identity.is_alive() for identity in identities_of(before))
    assert after.ports == before.ports
    rows, objects = marks(stack_environment(stack.paths))
    assert "before-the-kill" in rows
    assert "before-the-kill" in objects


def test_down_after_a_killed_supervisor_ends_what_it_left(stack) -> None:
    before = stack.up()
    # A stopped process does not see that its parent died.
    os.kill(before.parts["llm"].process.pid, signal.SIGSTOP)
    os.kill(before.supervisor.pid, signal.SIGKILL)
    wait_until(lambda: not before.supervisor.is_alive())

    did_run = control.stop_stack(stack.paths)

    assert did_run
    assert members_of_groups(before) == []
    assert read_state(stack.paths).phase == StackPhase.STOPPED


def test_sigterm_leaves_no_process_and_keeps_data(stack) -> None:
    before = stack.up()
    put_marks(stack_environment(stack.paths), "before-sigterm")

    os.kill(before.supervisor.pid, signal.SIGTERM)
    wait_until(lambda: not before.supervisor.is_alive())

    assert members_of_groups(before) == []
    assert not stack.paths.environment.exists()
    state = read_state(stack.paths)
    assert state.phase == StackPhase.STOPPED
    assert {part.phase for part in state.parts.values()} == {PartPhase.STOPPED, PartPhase.DONE}
    stack.up()
    rows, objects = marks(stack_environment(stack.paths))
    assert "before-sigterm" in rows
    assert "before-sigterm" in objects


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_up_in_the_foreground_leaves_no_process(stack, number: signal.Signals) -> None:
    control.stop_stack(stack.paths)
    up = start_command(stack, "dev", "up", "--foreground", "--part", "llm")
    wait_for_line(up.stderr, "The stack runs until you press Ctrl-C.")
    state = read_state(stack.paths)

    up.send_signal(number)
    said, _ = up.communicate(timeout=30)

    assert up.returncode == 130
    assert state.url_of("llm") in said
    assert members_of_groups(state) == []


def has_a_supervisor(stack) -> bool:
    return bool(supervisors_of(stack))


def has_a_state(stack) -> bool:
    state = read_state(stack.paths)
    return state is not None and [state.supervisor.pid] == supervisors_of(stack)


def has_a_part(stack) -> bool:
    return has_a_state(stack) and any(part.process for part in read_state(stack.paths).parts.values())


@pytest.mark.parametrize("moment", [has_a_supervisor, has_a_state, has_a_part])
def test_ctrl_c_while_the_stack_starts_leaves_no_process(stack, moment: Callable[[object], bool]) -> None:
    control.stop_stack(stack.paths)
    up = start_command(stack, "dev", "up", "--part", "llm")
    wait_until(lambda: moment(stack), poll_seconds=0.02)
    (supervisor,) = supervisors_of(stack)
    # Held still, so that the stack surely is not up yet when the interruption arrives.
    os.kill(supervisor, signal.SIGSTOP)

    up.send_signal(signal.SIGINT)
    os.kill(supervisor, signal.SIGCONT)
    up.communicate(timeout=30)

    assert up.returncode == 130
    assert supervisors_of(stack) == []
    state = read_state(stack.paths)
    assert state is None or members_of_groups(state) == []


def test_up_says_why_a_part_does_not_start(tmp_path: Path, stack) -> None:
    stack.up(parts=("object-store",))
    control.stop_stack(stack.paths)
    data = stack.paths.root / "object-store" / "data"
    aside = data.rename(tmp_path / "aside")
    data.write_text("not a folder")

    try:
        with pytest.raises(Upstream, match=r"S3 .* could not be started"):
            stack.up(parts=("object-store",))
    finally:
        data.unlink()
        aside.rename(data)

    state = read_state(stack.paths)
    assert state.phase == StackPhase.FAILED
    assert state.parts["object-store"].phase == PartPhase.FAILED
    assert not state.is_alive


def test_unknown_part_is_refused_with_the_known_ones(stack) -> None:
    control.stop_stack(stack.paths)

    with pytest.raises(Upstream, match=r"no part 'postgress'.*postgres, object-store"):
        stack.up(parts=("postgress",))


def test_home_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    from hawk.dev.stack import StackPaths

    (tmp_path / "file").write_text("")

    with pytest.raises(UserError, match=r"cannot be written: Not a directory\. Set HAWK_HOME"):
        control.start_stack(StackPaths(tmp_path / "file" / "home"))


def test_state_file_that_is_broken_is_as_none(tmp_path: Path) -> None:
    from hawk.dev.stack import StackPaths

    paths = StackPaths(tmp_path)
    paths.root.mkdir()
    paths.state.write_text('{"supervisor": 3')

    assert read_state(paths) is None
    assert control.stop_stack(paths) is False
