"""A stand-in for `python -m runner` in a pod: acts as the job's config says, a word for each attempt.

Pods of one Job are all alike, so attempts are counted in a ConfigMap of the sandbox namespace, with the rights that
a runner has there. The images of tests have this as `runner/__main__.py`, beside the real keeper.
"""

import json
import os
import ssl
import sys
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import scripted_runner

SERVER = "https://kubernetes.default.svc"
CONFIG_MAP = "attempts"


def main() -> int:
    options = scripted_runner.parse(sys.argv[1:])
    options.attempt_number = count_attempt()
    words = json.loads(options.job_file.read_text())["config"]["metadata"]["script"]
    word = words[min(options.attempt_number, len(words)) - 1]
    if word in ("gorge", "show-environment"):
        print(f"attempt {options.attempt_number}: {word}", flush=True)
    if word == "gorge":
        hoard = []
        while True:
            hoard.append(bytearray(os.urandom(1024) * 1024))
    if word == "show-environment":
        print(json.dumps(sorted(os.environ)), flush=True)
        return scripted_runner.end(options, 0, "Completed", "All 1 tasks ended with success.")
    return scripted_runner.run(options)


def count_attempt() -> int:
    config = json.loads(Path(os.environ["KUBECONFIG"]).read_text())
    namespace = config["contexts"][0]["context"]["namespace"]
    place = f"{SERVER}/api/v1/namespaces/{namespace}/configmaps"
    authority = config["clusters"][0]["cluster"]["certificate-authority"]
    context = ssl.create_default_context(cafile=authority)
    token = Path(config["users"][0]["user"]["tokenFile"]).read_text()

    def ask(method: str, url: str, body: dict[str, object] | None = None) -> dict[str, object]:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(
            url,
            method=method,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {token}", "Content-Type": kind},
        )
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return json.load(answer)

    try:
        count = int(ask("GET", f"{place}/{CONFIG_MAP}")["data"]["count"]) + 1
        ask("PATCH", f"{place}/{CONFIG_MAP}", {"data": {"count": str(count)}})
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        count = 1
        ask("POST", place, {"metadata": {"name": CONFIG_MAP}, "data": {"count": "1"}})
    return count


if __name__ == "__main__":
    sys.exit(main())
