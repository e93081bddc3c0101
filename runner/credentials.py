"""Prints the job's AWS credentials, for `credential_process`: `python -I -S runner/credentials.py CACHE_FOLDER`.

Every process of the job, strangers' packages included, gets its credentials through here, with any AWS library. They
are kept in one file for all of them, and fetched anew by one at a time, well before they end. Starts in some
milliseconds, often: so the standard library only, and little of it.
"""

import fcntl
import json
import os
import sys
import time
from datetime import datetime
from typing import Any, NoReturn

URL_VARIABLE = "HAWK_TOKEN_BROKER_URL"
TOKEN_VARIABLE = "HAWK_JOB_TOKEN"  # noqa: S105 - names of variables
TYPE_VARIABLE = "HAWK_JOB_TYPE"
POD_TOKEN_VARIABLE = "HAWK_POD_TOKEN_FILE"  # noqa: S105 - another
POD_TOKEN_FILE = "/var/run/secrets/hawk-token-broker/token"  # noqa: S105 - a path
CACHE_FILE = "credentials.json"

# botocore asks again at each request once less than 15 minutes are left, so ours must be newer by then.
REFRESH_SECONDS = 960.0
LAST_SECONDS = 60.0  # with less left they may end under way
PATIENCE_SECONDS = 120.0  # while there are none that hold
PAUSE_SECONDS = 30.0  # between tries while the old ones hold
LONGEST_WAIT_SECONDS = 15.0
TIMEOUT_SECONDS = 10.0
QUICK_TIMEOUT_SECONDS = 3.0
FINAL_STATUSES = (400, 401, 403, 404, 422)


class Refused(Exception):
    """The broker says no, and would say so again."""


class Unanswered(Exception):
    """The broker does not answer, or not yet with yes."""


def credentials(folder: str) -> dict[str, Any]:
    """Return credentials that hold for more than a minute, from the folder's cache or fetched. Raises Refused."""
    cached = _read(folder)
    if cached and _is_fresh(cached):
        return cached
    with open(os.path.join(folder, "credentials.lock"), "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cached = _read(folder)  # another process may have fetched them meanwhile
        if cached and _is_fresh(cached):
            return cached
        if cached and _seconds_left(cached) > LAST_SECONDS:
            return _renewed(folder, cached)
        return _write(folder, _fetch_patiently())


def _renewed(folder: str, cached: dict[str, Any]) -> dict[str, Any]:
    """Return newer ones, or the cached where the broker does not answer at once: they hold still."""
    if time.time() < cached.get("TryAgainAt", 0):
        return cached
    try:
        return _write(folder, _fetch(QUICK_TIMEOUT_SECONDS))
    except Unanswered as error:
        _complain(f"{error} Those in use hold for {_seconds_left(cached):.0f} s.")
        return _write(folder, cached | {"TryAgainAt": time.time() + PAUSE_SECONDS})


def _fetch_patiently() -> dict[str, Any]:
    gives_up_at, wait = time.monotonic() + PATIENCE_SECONDS, 0.25
    while True:
        try:
            return _fetch(TIMEOUT_SECONDS)
        except Unanswered as error:
            if time.monotonic() + wait > gives_up_at:
                raise
            _complain(str(error))
        # Not all jobs at the same moment: the process id is as good as a random number.
        time.sleep(wait * (0.8 + 0.4 * (os.getpid() % 100) / 100))
        wait = min(wait * 2, LONGEST_WAIT_SECONDS)


def _fetch(timeout: float) -> dict[str, Any]:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    body = {"job_id": os.environ["HAWK_JOB_ID"], "job_type": os.environ.get(TYPE_VARIABLE, "eval-set")}
    headers = {"content-type": "application/json", "authorization": f"Bearer {os.environ[TOKEN_VARIABLE]}"}
    pod_token = _pod_token()
    if pod_token:
        headers["x-hawk-pod-token"] = pod_token
    request = Request(os.environ[URL_VARIABLE], json.dumps(body).encode(), headers)  # noqa: S310 - the platform's own
    try:
        with urlopen(request, timeout=timeout) as response:  # noqa: S310 - the broker of our settings
            answer: dict[str, Any] = json.load(response)
    except HTTPError as error:
        reason = f"The token broker answers {error.code}: {_detail(error)}"
        raise (Refused if error.code in FINAL_STATUSES else Unanswered)(reason) from None
    except (OSError, ValueError) as error:
        raise Unanswered(f"The token broker does not answer ({type(error).__name__}).") from None
    lifetime = _seconds_left(answer)
    # Shorter sessions than usual are renewed after half their life, else each use would fetch.
    return answer | {"RenewAt": time.time() + max(lifetime - REFRESH_SECONDS, lifetime / 2)}


def _detail(error: Any) -> str:
    try:
        return str(json.loads(error.read(10_000))["detail"])
    except (OSError, ValueError, KeyError, TypeError):
        return "no reason given"


def _pod_token() -> str:
    try:
        with open(os.environ.get(POD_TOKEN_VARIABLE, POD_TOKEN_FILE)) as file:
            return file.read().strip()
    except OSError:
        return ""


def _is_fresh(cached: dict[str, Any]) -> bool:
    return time.time() < cached.get("RenewAt", 0) and _seconds_left(cached) > LAST_SECONDS


def _seconds_left(cached: dict[str, Any]) -> float:
    return datetime.fromisoformat(cached["Expiration"]).timestamp() - time.time()


def _read(folder: str) -> dict[str, Any] | None:
    try:
        with open(os.path.join(folder, CACHE_FILE)) as file:
            cached: dict[str, Any] = json.load(file)
        _seconds_left(cached)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return cached


def _write(folder: str, content: dict[str, Any]) -> dict[str, Any]:
    draft = os.path.join(folder, f"{CACHE_FILE}.{os.getpid()}")
    handle = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(content, file)
    os.replace(draft, os.path.join(folder, CACHE_FILE))
    return content


def _complain(text: str) -> None:
    sys.stderr.write(f"credentials: {text}\n")


def main(folder: str) -> NoReturn:
    """Print the credentials and end; with 1 and a reason where there are none."""
    try:
        found = credentials(folder)
    except (Refused, Unanswered, KeyError, OSError) as error:
        _complain(str(error) if isinstance(error, Refused | Unanswered) else f"{type(error).__name__}: {error}")
        sys.exit(1)
    shown = ("Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    sys.stdout.write(json.dumps({name: found[name] for name in shown}) + "\n")
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
