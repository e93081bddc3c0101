"""The process that Dagster's runs are forked from."""

import json
import subprocess
import sys
from pathlib import Path

from dagster._grpc import server

REPOSITORY = Path(__file__).parents[2]
RUN_LOOKS_AROUND = """
import multiprocessing
from orchestration import code_server

if __name__ == "__main__":
    code_server.fork_runs()
    from dagster._grpc import server
    context = multiprocessing.get_context("forkserver")
    look = (
        "import json, sys; before = sorted(sys.modules);"
        "from orchestration.preloaded import gc;"
        "print(json.dumps({'modules': before, 'frozen': gc.get_freeze_count()}))"
    )
    run = context.Process(target=exec, args=(look,))
    run.start()
    run.join()
    assert server.DagsterApiServer.__name__ == "ForkingApiServer"
"""


def test_run_begins_with_our_definitions_imported(tmp_path: Path):
    program = tmp_path / "looks_around.py"
    program.write_text(RUN_LOOKS_AROUND)

    done = subprocess.run(
        [sys.executable, program], cwd=REPOSITORY, env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert {"orchestration.definitions", "orchestration.dagster_storage", "dagster"} <= set(seen["modules"])
    assert seen["frozen"] > 0


def test_dagster_has_the_names_that_are_replaced():
    assert callable(server.get_python_environment_entry_point)
    assert issubclass(server.DagsterApiServer, server.DagsterApiServicer)
    assert "_mp_ctx" in server.DagsterApiServer.__init__.__code__.co_names
