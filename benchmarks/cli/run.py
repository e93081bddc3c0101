"""How long `hawk` takes to start, beside a bare interpreter and one that imports click; ends with a line of JSON.

python benchmarks/cli/run.py [--rounds 15]

Each round starts every program once, in an order of its own, so that a slow moment of the machine is not one
program's alone; the median of the rounds counts.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET_SECONDS = 0.3
NOTHING_ANSWERS = "http://127.0.0.1:9"
START_UPS = {
    "hawk --help": ["--help"],
    "hawk --version": ["--version"],
    "hawk list eval-sets --help": ["list", "eval-sets", "--help"],
}
# These come as far as the refused connection, with settings, client and the message: all that is ours to make fast.
WHOLE_COMMANDS = {
    "hawk config": ["config"],
    "hawk status mine": ["status", "mine"],
    "hawk list samples mine": ["list", "samples", "mine"],
}
COMMANDS = {**START_UPS, **WHOLE_COMMANDS}
REFERENCES = {"python": ["-c", ""], "python, click": ["-c", "import click"]}


def main() -> None:
    """Measure, print a table, and as the last line the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    hawk = Path(sys.executable).with_name("hawk")
    programs = {
        **{name: [sys.executable, *arguments] for name, arguments in REFERENCES.items()},
        **{name: [str(hawk), *arguments] for name, arguments in COMMANDS.items()},
    }
    with tempfile.TemporaryDirectory() as home:
        seconds = measure(programs, environment_of(Path(home)), rounds=rounds)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"{name:<28} {1000 * median:6.0f} ms   {median / medians['python']:5.1f} x python")
    slowest = {
        kind: max(medians[name] for name in names) for kind, names in (("start_up", START_UPS), ("all", COMMANDS))
    }
    print(
        json.dumps(
            {
                "benchmark": "cli",
                "rounds": rounds,
                "seconds": {name: round(median, 4) for name, median in medians.items()},
                "ratio_to_python": {name: round(medians[name] / medians["python"], 2) for name in COMMANDS},
                "ratio_to_click": {name: round(medians[name] / medians["python, click"], 2) for name in COMMANDS},
                "target_seconds": TARGET_SECONDS,
                "start_up_meets_target": slowest["start_up"] < TARGET_SECONDS,
                "all_meet_target": slowest["all"] < TARGET_SECONDS,
            }
        )
    )


def measure(programs: dict[str, list[str]], environment: dict[str, str], *, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each start, by program; one round before them is not counted, and writes bytecode."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(rounds + 1):
        for name in random.sample(list(programs), len(programs)):
            started = time.perf_counter()
            subprocess.run(programs[name], env=environment, capture_output=True, stdin=subprocess.DEVNULL)
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def environment_of(home: Path) -> dict[str, str]:
    """Return an environment of a signed-in user whose API is away, with nothing else of this machine's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HAWK_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # without .pyc files nothing starts fast
    return {**kept, "HAWK_HOME": str(home), "HAWK_API_URL": NOTHING_ANSWERS, "HAWK_ACCESS_TOKEN": "token"}


if __name__ == "__main__":
    main()
