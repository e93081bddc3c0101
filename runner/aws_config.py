"""Lets every AWS library in the job get its credentials from the token broker, whoever wrote the code that uses it."""

import subprocess
import sys
from collections.abc import MutableMapping
from pathlib import Path

from runner import credentials

FOLDER = ".aws"
# Any of these would be believed before, or instead of, our configuration.
OVERRIDING = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)


def use_token_broker(environment: MutableMapping[str, str], folder: Path) -> subprocess.Popen[bytes] | None:
    """Point AWS libraries to the broker, if the job has one, and begin to fetch the first credentials.

    Returns the process that fetches them, for the caller to reap; None where there is no broker.
    """
    if not environment.get(credentials.URL_VARIABLE):
        return None
    place = folder / FOLDER
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [sys.executable, "-I", "-S", str(Path(credentials.__file__).absolute()), str(place)]
    # botocore splits the command as a shell would.
    quoted = " ".join(f'"{part}"' if " " in part else part for part in command)
    config = place / "config"
    config.write_text(f"[default]\ncredential_process = {quoted}\n")
    for name in OVERRIDING:
        environment.pop(name, None)
    # A file of whoever owns the home folder must not win either; there is none at this path.
    environment.update(AWS_CONFIG_FILE=str(config), AWS_SHARED_CREDENTIALS_FILE=str(place / "none"))
    environment["AWS_EC2_METADATA_DISABLED"] = "true"
    return subprocess.Popen(command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
