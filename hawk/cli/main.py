"""The command `hawk`: finds the sub-command, and turns whatever ends it into a message and an exit code.

A command's module is imported when it runs, so that `hawk --help` needs none of them.
"""

import importlib
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from hawk.cli import output
from hawk.errors import HawkError, UserError

INTERRUPTED = 130  # 128 and SIGINT, as shells have it
UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h


@dataclass(frozen=True)
class CommandEntry:
    """Where a command is, as `module:function`, and its line in the list of commands."""

    target: str
    summary: str


COMMANDS: Mapping[str, CommandEntry] = {
    "eval-set": CommandEntry("hawk.cli.eval_set:eval_set", "Launch an eval set from its YAML file."),
    "resume": CommandEntry("hawk.cli.resume:resume", "Launch an eval set that has ended again."),
    "local": CommandEntry("hawk.cli.local:local", "Run an eval set on this machine."),
    "watch": CommandEntry("hawk.cli.watch:watch", "Watch an eval set until its results stand in the marts."),
    "status": CommandEntry("hawk.cli.status:status", "Show how an eval set stands."),
    "logs": CommandEntry("hawk.cli.logs:logs", "Show what an eval set's runner prints."),
    "stacktrace": CommandEntry("hawk.cli.stacktrace:stacktrace", "Show where an eval set's runner is."),
    "web": CommandEntry("hawk.cli.web:web", "Open an eval set's logs in Inspect's own viewer."),
    "transcript": CommandEntry("hawk.cli.transcripts:transcript", "Print what was said in a sample."),
    "transcripts": CommandEntry("hawk.cli.transcripts:transcripts", "Write what was said in a set's samples to files."),
    "download": CommandEntry("hawk.cli.download:download", "Download the logs of an eval set."),
    "download-artifacts": CommandEntry(
        "hawk.cli.download:download_artifacts", "Download what the samples of an eval set left behind."
    ),
    "list": CommandEntry("hawk.cli.list:list_", "List eval sets, evals, samples and jobs."),
    "import": CommandEntry("hawk.cli.import_logs:import_logs", "Bring logs of this machine into the warehouse."),
    "imports": CommandEntry("hawk.cli.imports:imports", "How far logs are on their way into the warehouse."),
    "edit-samples": CommandEntry("hawk.cli.edits:edit_samples", "Edit scores and samples, with their history kept."),
    "edits": CommandEntry("hawk.cli.edits:edits", "Follow edits, and approve those of others."),
    "stop": CommandEntry("hawk.cli.actions:stop", "End an eval set early."),
    "retry": CommandEntry("hawk.cli.actions:retry", "Run an eval set that has ended again."),
    "delete": CommandEntry("hawk.cli.actions:delete", "End an eval set and remove what runs for it."),
    "models": CommandEntry("hawk.cli.models:models", "List models, and keep them, for administrators."),
    "usage": CommandEntry("hawk.cli.usage:usage", "What models were used for, and what may be spent."),
    "secrets": CommandEntry("hawk.cli.secrets:secrets", "Keys of model providers, for administrators."),
    "why": CommandEntry("hawk.cli.why:why", "Explain what you may see and use, and why."),
    "benchmarks": CommandEntry("hawk.cli.benchmarks:benchmarks", "Which groups benchmarks need."),
    "audit": CommandEntry("hawk.cli.audit:audit", "What was done and denied, for administrators."),
    "login": CommandEntry("hawk.cli.login:login", "Sign in."),
    "logout": CommandEntry("hawk.cli.login:logout", "Forget the sign-in on this machine."),
    "auth": CommandEntry("hawk.cli.login:auth", "Print an access token, for programs."),
    "version": CommandEntry("hawk.cli.about:version", "Print the versions of command line and API."),
    "config": CommandEntry("hawk.cli.about:config", "Print where the command line looks."),
    "completion": CommandEntry("hawk.cli.completion:completion", "Print what lets a shell complete commands."),
    "dev": CommandEntry("hawk.cli.dev:dev", "The embedded stack: everything Hawk needs, on this machine."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def __init__(self, *args: Any, entries: Mapping[str, CommandEntry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        module_name, _, function_name = entry.target.partition(":")
        command = getattr(importlib.import_module(module_name), function_name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.target} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.entries.items()])


class RootGroup(LazyGroup):
    """The outermost loop: no exception of a command passes it."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            output.note("Interrupted.")
            ctx.exit(INTERRUPTED)
        except HawkError as problem:
            output.error(problem)
            _show_traceback(ctx, problem)
            ctx.exit(problem.exit_code)
        except Exception as problem:
            missing = _missing_setting(problem)
            output.error(missing or f"{type(problem).__name__}: {problem}")
            _show_traceback(ctx, problem)
            if missing:
                ctx.exit(UserError.exit_code)
            if not ctx.params.get("debug"):
                output.note("This was not expected; `hawk --debug …` shows where it happened.")
            ctx.exit(UNEXPECTED)


@click.command(cls=RootGroup, entries=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hawk-dagster", prog_name="hawk")
@click.option("--debug", is_flag=True, help="Show tracebacks and the log.")
def main(*, debug: bool) -> None:
    """Run Inspect AI evaluations from a YAML file; their results come to stand in a warehouse."""
    # httpx's own command line would bring a third of a start's imports along, and httpx does without it.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None is how Python keeps a module out
    level = logging.DEBUG if debug else logging.WARNING
    logging.basicConfig(level=level, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def _show_traceback(ctx: click.Context, problem: BaseException) -> None:
    if ctx.params.get("debug"):
        output.traceback_of(problem)


def _missing_setting(problem: Exception) -> str:
    """Return what to set where a settings class could not be built, '' where the problem is another."""
    if "pydantic" not in sys.modules:
        return ""
    from pydantic import ValidationError

    if not isinstance(problem, ValidationError) or not problem.title.endswith("Settings"):
        return ""
    faults = [
        f"HAWK_{'_'.join(str(part) for part in fault['loc'])}".upper() + f": {fault['msg']}"
        for fault in problem.errors()
    ]
    return "; ".join(faults) + ". Start the embedded stack with `hawk dev up`, or set these in the environment."


if __name__ == "__main__":
    main()
