"""The instance under test: its API, and the command `hawk` as somebody who is signed in there."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TIMEOUT_SECONDS = 30.0
_LAST_OUTPUT = 1500  # characters of what a command said


class Failed(Exception):
    """A step of the walk did not do what it should; the text says what it did."""


class Instance:
    """One deployment, and a folder for what the walk needs; both sign-in and folder are gone at its end."""

    def __init__(self, api_url: str) -> None:
        self.api_url = api_url.rstrip("/")
        self._folder = tempfile.TemporaryDirectory(prefix="hawk-smoke-")
        self.folder = Path(self._folder.name)
        self._http = httpx.Client(base_url=self.api_url, timeout=_TIMEOUT_SECONDS)
        self._signed_in_here = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._signed_in_here:
            subprocess.run(self._command("logout"), env=self._environment, capture_output=True, check=False)
        self._http.close()
        self._folder.cleanup()

    @property
    def is_on_this_machine(self) -> bool:
        return urlsplit(self.api_url).hostname in LOOPBACK

    @cached_property
    def offers(self) -> frozenset[str]:
        """Return what the API says that it has, as `GET /samples`."""
        schema = self.get("/openapi.json", signed=False)
        return frozenset(f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods)

    def offering(self, pattern: str) -> list[str]:
        """Return the offers that match a pattern."""
        return sorted(offer for offer in self.offers if re.search(pattern, offer))

    def sign_in(self) -> str:
        """Sign in unless the environment has a token, and say how."""
        if os.environ.get("HAWK_ACCESS_TOKEN"):
            return "by HAWK_ACCESS_TOKEN"
        # The embedded stack's issuer approves a device's sign-in by itself; elsewhere a person opens the address.
        done = subprocess.run(
            self._command("login", *(["--device"] if self.is_on_this_machine else [])),
            env=self._environment,
            check=False,
        )
        if done.returncode != 0:
            raise Failed(f"`hawk login` ended with {done.returncode}.")
        self._signed_in_here = True
        return "by `hawk login`"

    def hawk(self, *arguments: str, timeout_seconds: float = 120) -> str:
        """Run the command and return what it prints. Raises Failed with its last words."""
        try:
            done = subprocess.run(
                self._command(*arguments),
                env=self._environment,
                cwd=self.folder,
                capture_output=True,
                text=True,
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Failed(f"`hawk {arguments[0]}` had not ended after {timeout_seconds:.0f} s.") from error
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()[-_LAST_OUTPUT:]
            raise Failed(f"`hawk {' '.join(arguments)}` ended with {done.returncode}:\n{said}")
        return done.stdout

    def hawk_json(self, *arguments: str, timeout_seconds: float = 120) -> Any:
        """Run the command with `--json` and return the object that it prints."""
        text = self.hawk(*arguments, "--json", timeout_seconds=timeout_seconds)
        try:
            return json.loads(text)
        except ValueError as error:
            raise Failed(f"`hawk {arguments[0]} --json` prints no JSON: {text[:200]!r}") from error

    def get(self, path: str, *, signed: bool = True, **query: str | int) -> Any:
        """Return an answer of the API. Raises Failed with what came instead."""
        headers = {"authorization": f"Bearer {self._token}"} if signed else {}
        try:
            response = self._http.get(path, params=query, headers=headers)
        except httpx.HTTPError as error:
            raise Failed(f"Nothing answers at {self.api_url}{path}: {type(error).__name__}.") from error
        if not response.is_success:
            raise Failed(f"GET {path} answers {response.status_code}: {response.text[:_LAST_OUTPUT]}")
        try:
            return response.json()
        except ValueError as error:
            raise Failed(f"GET {path} answers no JSON. Is it Hawk's API that answers there?") from error

    @property
    def _token(self) -> str:
        return os.environ.get("HAWK_ACCESS_TOKEN") or self.hawk("auth", "access-token").strip()

    @property
    def _environment(self) -> dict[str, str]:
        own = {"HAWK_API_URL": self.api_url, "HAWK_CONFIG_HOME": str(self.folder / "cli")}
        # A file in the folder, not the keyring of whoever runs this: nothing of it stays.
        return {**os.environ, **own, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}

    def _command(self, *arguments: str) -> Sequence[str]:
        return [sys.executable, "-m", "hawk.cli.main", *arguments]
