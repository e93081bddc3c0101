"""`make smoke HAWK_API_URL=…`, or `python -m infra.smoke`: exit code 0 if every step that is offered went well."""

import argparse
import os
import sys

from infra.smoke.instance import Instance
from infra.smoke.steps import STEPS
from infra.smoke.walk import Walk, take_steps


def main() -> int:
    """Walk through the instance and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m infra.smoke", description=__doc__)
    parser.add_argument("api_url", nargs="?", default=os.environ.get("HAWK_API_URL"), help="unset: HAWK_API_URL")
    parser.add_argument("--model", help="model of the set; unset: one that you may use")
    parser.add_argument("--config", help="YAML file of a set of your own")
    arguments = parser.parse_args()
    if not arguments.api_url:
        parser.error("set HAWK_API_URL to the API's address, such as https://api.hawk.example.org")
    options = {name: value for name in ("model", "config") if (value := getattr(arguments, name))}
    with Instance(arguments.api_url) as instance:
        told = take_steps(STEPS, Walk(instance, options), sys.stdout)
    count = {outcome: sum(each.outcome == outcome for each in told) for outcome in {each.outcome for each in told}}
    sys.stdout.write(", ".join(f"{number} {outcome}" for outcome, number in sorted(count.items())) + "\n")
    return 1 if count.get("failed") else 0


if __name__ == "__main__":
    sys.exit(main())
