"""`hawk benchmarks`: which group one must hold to run a task package."""

import click

from hawk.cli import output
from hawk.cli.arguments import JSON
from hawk.cli.output import Table


@click.group(epilog="Example: hawk benchmarks list")
def benchmarks() -> None:
    """Show and, for administrators, set the groups of benchmarks (task packages)."""


@benchmarks.command(name="list", epilog="Example: hawk benchmarks list")
@JSON
def list_(*, as_json: bool) -> None:
    """List the benchmarks that have a group which you hold; for administrators, all that have one."""
    from hawk.cli.session import open_session

    answer = open_session().client.list_benchmarks()
    if as_json:
        output.say_json(answer)
        return
    rows = [(entry.benchmark, entry.model_group) for entry in answer.benchmarks]
    output.say(Table(("benchmark", "group"), rows))


@benchmarks.command(name="set", epilog="Example: hawk benchmarks set secret-bench model-access-secret")
@click.argument("benchmark")
@click.argument("group")
@JSON
def set_(*, benchmark: str, group: str, as_json: bool) -> None:
    """Let only those run BENCHMARK who hold GROUP, from now on; BENCHMARK is a package's or repository's name."""
    from hawk.cli.session import open_session

    answer = open_session().client.set_benchmark_group(benchmark, group)
    if as_json:
        output.say_json(answer)
        return
    output.say(f"{answer.benchmark} needs {answer.model_group}.")


@benchmarks.command(name="open", epilog="Example: hawk benchmarks open secret-bench")
@click.argument("benchmark")
@JSON
def open_(*, benchmark: str, as_json: bool) -> None:
    """Take the group of BENCHMARK away, so that the models' groups alone decide."""
    from hawk.cli.session import open_session

    answer = open_session().client.open_benchmark(benchmark)
    if as_json:
        output.say_json(answer)
        return
    output.say(f"{answer.benchmark} needs no group of its own any more.")
