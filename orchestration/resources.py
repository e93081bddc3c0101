"""What assets, jobs and sensors work with, made from settings when it is first used, never at import."""

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg
from dagster._config.pythonic_config import ConfigurableResourceFactory
from pydantic import ValidationError

from hawk.errors import UserError
from hawk.job_launcher import JobLauncher
from hawk.settings import OrchestrationSettings
from orchestration.run_lock import run_lock


class SettingsResource(ConfigurableResourceFactory[OrchestrationSettings]):
    """Settings of the code location: the environment, else the embedded stack that runs on this machine.

    Every step takes them, so here a run's process shows that it lives, once for all its steps.
    """

    def create_resource(self, context: dg.InitResourceContext) -> OrchestrationSettings:
        return orchestration_settings()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[OrchestrationSettings]:
        settings = self.create_resource(context)
        if context.run is None:  # a sensor's
            yield settings
            return
        with run_lock(settings, context.run.run_id):
            yield settings


class LauncherResource(ConfigurableResourceFactory[JobLauncher]):
    """Starts, watches and ends runner jobs, where the settings say."""

    def create_resource(self, context: dg.InitResourceContext) -> JobLauncher:
        return launcher_of(orchestration_settings())


def orchestration_settings() -> OrchestrationSettings:
    """Return the settings. Raises UserError that names what is missing."""
    try:
        return OrchestrationSettings()
    except ValidationError as error:
        names = ", ".join(f"HAWK_{str(problem['loc'][0]).upper()}" for problem in error.errors())
        raise UserError(
            f"Settings of the code location are missing or wrong: {names}.",
            hint="Set them in the environment of Dagster's code server, or start the embedded stack: hawk dev up.",
        ) from error


def launcher_of(settings: OrchestrationSettings) -> JobLauncher:
    """Return the launcher that the settings name. Raises UserError where it has no cluster."""
    if settings.launcher == "local":
        from orchestration.launchers.local import LocalJobLauncher

        return LocalJobLauncher(settings.home / "jobs", python=settings.runner_python, max_jobs=settings.max_local_jobs)
    from orchestration.launchers.kubernetes_surroundings import kubernetes_launcher

    return kubernetes_launcher(settings)
