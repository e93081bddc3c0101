"""What the benchmark of the proxy runs: a provider in C, the proxy on one core, and nginx and litellm beside it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import psycopg

from hawk.auth import mint_job_token
from hawk.dev.postgres import EmbeddedPostgres
from hawk.warehouse.migrate import migrate

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
JOB_TOKEN_KEY = "a-key-for-benchmarks-only-32-characters"
SERVER_CORE, OTHER_CORE = "0", "1"
READY_SECONDS = 60.0
LITELLM_READY_SECONDS = 180.0
# It fetches a price list at its start, and refuses to start without a key of its own, unless it is told otherwise.
LITELLM_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    "LITELLM_TELEMETRY": "False",
}

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    upstream provider {{ server 127.0.0.1:{upstream}; keepalive 64; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_buffering off; client_max_body_size 100m;
        }}
    }}
}}
"""
LITELLM = """
model_list:
  - model_name: gpt-4o-mini
    litellm_params: {{model: openai/gpt-4o-mini, api_base: "http://127.0.0.1:{upstream}/v1", api_key: sk-mock}}
"""


class NotAtHand(Exception):
    """Another proxy cannot be measured here; the text says why."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """A process that is pinned to a core and answers at a URL."""

    def __init__(
        self, command: Sequence[str], url: str, *, core: str, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.url = url
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", core, *command],
                cwd=REPOSITORY,
                env={**_clean_environment(), **(environment or {})},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._log = log

    def last_line(self) -> str:
        """Return what the process said last."""
        lines = self._log.read_text(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def wait(self, path: str, *, seconds: float = READY_SECONDS) -> None:
        """Return when something answers there, whatever it says. Raises NotAtHand where nothing ever does."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                urllib.request.urlopen(self.url + path, timeout=2)
                return
            except urllib.error.HTTPError as answer:
                if answer.code != 503:
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise NotAtHand(f"it did not start: {self.last_line()}")
            time.sleep(0.1)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_megabytes(self, field: str = "VmRSS") -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) / 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def build_upstream(folder: Path) -> Path:
    """Return the provider's program. Ends the benchmark where there is no C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or shutil.which("wrk") is None:
        raise SystemExit("The benchmark of the proxy needs a C compiler and wrk: apt-get install gcc wrk.")
    program = folder / "upstream"
    subprocess.run([compiler, "-O2", "-o", program, HERE / "upstream.c"], check=True)
    return program


def start_upstream(program: Path, folder: Path, *, pace_milliseconds: int = 0) -> Server:
    port = free_port()
    pace = {"PACE_MS": str(pace_milliseconds)} if pace_milliseconds else {}
    url = f"http://127.0.0.1:{port}"
    server = Server([str(program), str(port)], url, core=OTHER_CORE, log=folder / "upstream.log", environment=pace)
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.02)


def fill_registry(postgres: EmbeddedPostgres) -> None:
    """Register the model with all that a call is checked against: a price, limits that hold nobody up, a budget."""
    migrate(postgres.url)
    with psycopg.connect(postgres.url) as connection:
        connection.execute("insert into ops.model_group values ('openai/gpt-4o-mini', 'public')")
        connection.execute(
            "insert into ops.model_price (model_name, effective_at, input_usd, output_usd, source, recorded_at)"
            " values ('openai/gpt-4o-mini', '2020-01-01', 0.15, 0.6, 'by hand', now())"
        )
        connection.execute("insert into ops.usage_limit values ('model', 'openai/gpt-4o-mini', 1000, 9000000, null)")
        connection.execute("insert into ops.usage_limit values ('group', 'public', 1000, null, 90000000000)")
        connection.execute("insert into ops.usage_budget values ('eval_set', 'benchmark', 'total', 1000000)")


def start_proxy(upstream: Server, postgres: EmbeddedPostgres, folder: Path) -> Server:
    port = free_port()
    environment = {
        "HAWK_HOME": str(folder / "home"),
        "HAWK_DATABASE_URL": postgres.url,
        "HAWK_ISSUER": "http://127.0.0.1:1",
        "HAWK_JOB_TOKEN_KEY": JOB_TOKEN_KEY,
        "HAWK_PROXY_PORT": str(port),
        "HAWK_OPENAI_UPSTREAM": upstream.url,
        "HAWK_OPENAI_API_KEY": "sk-mock",
    }
    command = [sys.executable, "-m", "proxy"]
    url = f"http://127.0.0.1:{port}"
    server = Server(command, url, core=SERVER_CORE, log=folder / "proxy.log", environment=environment)
    server.wait("/health/ready")
    return server


def start_nginx(upstream: Server, folder: Path) -> Server:
    """Return nginx before the provider. Raises NotAtHand."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise NotAtHand("it is not installed")
    port, upstream_port = free_port(), upstream.url.rpartition(":")[2]
    place = folder / "nginx"
    place.mkdir()
    config = place / "nginx.conf"
    config.write_text(NGINX.format(folder=place, port=port, upstream=upstream_port))
    url = f"http://127.0.0.1:{port}"
    server = Server([program, "-c", str(config), "-p", str(place)], url, core=SERVER_CORE, log=place / "output.log")
    server.wait("/")
    return server


def start_litellm(upstream: Server, folder: Path) -> Server:
    """Return litellm before the provider; HAWK_BENCH_LITELLM names its program. Raises NotAtHand."""
    program = os.environ.get("HAWK_BENCH_LITELLM") or shutil.which("litellm")
    if program is None or not Path(program).exists():
        raise NotAtHand(f"{program or 'litellm'} is not installed (HAWK_BENCH_LITELLM names the program)")
    port = free_port()
    config = folder / "litellm.yaml"
    config.write_text(LITELLM.format(upstream=upstream.url.rpartition(":")[2]))
    command = [program, "--config", str(config), "--port", str(port), "--host", "127.0.0.1"]
    url, log = f"http://127.0.0.1:{port}", folder / "litellm.log"
    server = Server(command, url, core=SERVER_CORE, log=log, environment=LITELLM_ENVIRONMENT)
    server.wait("/health/liveliness", seconds=LITELLM_READY_SECONDS)
    return server


def job_token() -> str:
    return mint_job_token(
        JOB_TOKEN_KEY,
        job_id="benchmark",
        permissions=["public"],
        created_by="benchmark",
        lifetime=timedelta(hours=6),
    )


def _clean_environment() -> dict[str, str]:
    dropped = ("HAWK_", "PYTHONDONTWRITEBYTECODE", "PACE_MS")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
