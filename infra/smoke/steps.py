"""The steps: sign in, launch a set, watch it, read its log, find its results, take them along, delete."""

import json
from pathlib import Path

import yaml

from hawk.warehouse.reader import open_file
from infra.smoke.instance import Failed, Instance
from infra.smoke.walk import Step, Walk

SAMPLES = 2
NAME = "smoke"
_EXAMPLES = Path(__file__).parents[2] / "examples" / "tasks"
_WATCH_SECONDS = 1800.0  # a node that has to be started first is among it
# Of a cluster's runners: a package that any of them can install.
_PUBLIC_TASK = {"package": "inspect-evals", "name": "inspect_evals", "items": [{"name": "arc_easy"}]}
_LOCAL_TASK = {"package": str(_EXAMPLES), "name": "hawk_examples", "items": [{"name": "capitals"}]}


def answers(walk: Walk) -> str:
    ready = walk.instance.get("/health/ready", signed=False)
    away = [name for name, each in ready["dependencies"].items() if not each["is_ok"]]
    if away:
        raise Failed(f"The API answers, but not: {', '.join(away)}.")
    version = walk.instance.get("/version", signed=False)["version"]
    return f"version {version}, with {', '.join(ready['dependencies'])}"


def signs_in(walk: Walk) -> str:
    return walk.instance.sign_in()


def refuses_strangers(walk: Walk) -> str:
    try:
        walk.instance.get("/eval_sets", signed=False)
    except Failed as refusal:
        if "answers 401" in str(refusal):
            return "without a token there is nothing to see"
        raise
    raise Failed("GET /eval_sets answers somebody who has no token.")


def knows_models(walk: Walk) -> str:
    names = walk.instance.hawk_json("models")["models"]
    wanted = walk.options.get("model")
    if wanted is None and not names:
        raise Failed("You may use no model. Have an administrator register one, and be in its group.")
    walk.facts["model"] = wanted or next((name for name in names if "gpt-4o-mini" in name), names[0])
    return f"{len(names)} models; the walk uses {walk.facts['model']}"


def launches(walk: Walk) -> str:
    path = walk.instance.folder / "smoke.eval-set.yaml"
    own = walk.options.get("config")
    path.write_text(Path(own).read_text() if own else yaml.safe_dump(smoke_config(walk.instance, walk.facts["model"])))
    answer = walk.instance.hawk_json("eval-set", "run", str(path), "--skip-confirm")
    walk.eval_set_id = answer["eval_set_id"]
    return walk.eval_set_id


def smoke_config(instance: Instance, model: str) -> dict[str, object]:
    """Return a set of two samples with one model; its package is one that the instance's runners can have."""
    provider, _, item = model.partition("/")
    return {
        "name": NAME,
        "tasks": [_LOCAL_TASK if instance.is_on_this_machine else _PUBLIC_TASK],
        "models": [{"package": provider, "name": provider, "items": [{"name": item}]}],
        "limit": SAMPLES,
    }


def ends_well(walk: Walk) -> str:
    walk.instance.hawk("watch", walk.eval_set_id, timeout_seconds=_WATCH_SECONDS)
    status = walk.instance.hawk_json("status", walk.eval_set_id)
    if status["status"] != "complete":
        raise Failed(f"The set is {status['status']}: {status.get('status_reason') or 'no reason given'}")
    return f"complete; runner's output: {len(walk.instance.hawk('logs', walk.eval_set_id).splitlines())} lines"


def reads_the_log(walk: Walk) -> str:
    folder = walk.instance.folder / "logs"
    walk.instance.hawk("download", walk.eval_set_id, "--output-dir", str(folder))
    logs = sorted(folder.rglob("*.eval"))
    if not logs:
        raise Failed("`hawk download` brought no log.")
    for path in logs:
        log = open_file(path)
        try:
            if log.header.status != "success":
                raise Failed(f"The log {path.name} says {log.header.status}.")
            walk.expected_samples += sum(1 for _ in log.samples())
        finally:
            log.close()
    return f"{len(logs)} log, {walk.expected_samples} samples, {sum(log.stat().st_size for log in logs)} bytes"


def reads_a_transcript(walk: Walk) -> str:
    folder = walk.instance.folder / "transcripts"
    walk.instance.hawk("transcripts", walk.eval_set_id, "--output-dir", str(folder))
    files = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size]
    if not files:
        raise Failed("`hawk transcripts` wrote nothing.")
    return f"{len(files)} files"


def finds_results(walk: Walk) -> str:
    evals = walk.instance.get("/evals", eval_set_id=walk.eval_set_id)["evals"]
    if not evals or any(each["status"] != "success" for each in evals):
        raise Failed(f"The marts have of the set: {[(each['task_name'], each['status']) for each in evals]}.")
    found = walk.instance.get("/samples", eval_set_id=walk.eval_set_id)["samples"]
    if len(found) != walk.expected_samples:
        raise Failed(f"The marts have {len(found)} samples of the {walk.expected_samples} of the logs.")
    return f"{len(evals)} eval, {len(found)} samples, mean score {evals[0].get('mean_score')}"


def accounts_for_calls(walk: Walk) -> str:
    usage = walk.instance.get("/usage", eval_set_id=walk.eval_set_id)
    if not usage["rows"]:
        raise Failed("The ledger knows of no call to a model.")
    return "the ledger has the set's calls"


def exports(walk: Walk) -> str:
    rows = walk.instance.hawk_json("list", "samples", walk.eval_set_id)["samples"]
    path = walk.instance.folder / "samples.json"
    path.write_text(json.dumps(rows))
    if {row["eval_set_id"] for row in rows} != {walk.eval_set_id}:
        raise Failed("The list of the set's samples has those of others, or none.")
    return f"{len(rows)} rows in {path.stat().st_size} bytes of JSON"


def not_written_yet(walk: Walk) -> str:
    raise Failed("The instance offers this, and the walk has no step for it yet: write it in infra/smoke/steps.py.")


def deletes(walk: Walk) -> str:
    if not walk.eval_set_id:
        return "nothing was launched"
    walk.instance.hawk("delete", "--yes", walk.eval_set_id)
    if walk.instance.offering("^GET /jobs$"):
        jobs = walk.instance.get("/jobs", search=walk.eval_set_id)["jobs"]
        if jobs:
            raise Failed(f"Something of {walk.eval_set_id} still runs: {jobs}")
    return "nothing of it runs; logs and results stay, as with every set"


_API = "the API's output (`kubectl -n hawk logs deployment/hawk-api`, `hawk dev logs api`)"
_RUNS = "the set's run in Dagster, and `hawk status` and `hawk logs` of it"
_IMPORT = "`hawk imports`, the sensor `log_inbox` and the runs of `import_logs` in Dagster"

STEPS = (
    Step("the API and what it needs answer", answers, f"{_API}; `curl $HAWK_API_URL/health/ready`"),
    Step("strangers are refused", refuses_strangers, _API),
    Step("sign in", signs_in, "HAWK_ISSUER and the client at the issuer: docs/deploy.md, 'Sign-in'"),
    Step("see models", knows_models, "`hawk why MODEL`, `hawk models`: docs/how-to/keep-models-and-keys.md"),
    Step("launch a set", launches, f"{_API}; the run of `launch_eval_set` in Dagster"),
    Step("watch it to its end", ends_well, f"{_RUNS}; for a pod that waits, `kubectl get nodeclaims`"),
    Step(
        "read its log through the gateway",
        reads_the_log,
        f"{_API}; rights of the role hawk-api",
        needs=r"^GET .*/files/content$",
    ),
    Step("read a transcript", reads_a_transcript, _API, needs=r"^GET .*/transcripts$"),
    Step("find it in the marts", finds_results, _IMPORT, needs="^GET /evals$"),
    Step("find its calls in the ledger", accounts_for_calls, "the proxy's output and its disk", needs="^GET /usage$"),
    Step("scan it", not_written_yet, _RUNS, needs=r"^POST /scans"),
    Step("edit a score", not_written_yet, _API, needs=r"^(POST|PATCH|PUT) .*(/scores|score_edits|/score)"),
    Step("take its samples along", exports, _API, needs="^GET /samples$"),
    Step("delete it", deletes, "`hawk list jobs`, the schedule `janitor` in Dagster", cleans_up=True),
)
