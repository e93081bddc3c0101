"""Makes the logs that imports are measured with: written by Inspect itself, then copied under fresh ids.

An agent calls a tool in every turn; words are Zipf-distributed, so that logs compress as real ones do. All is seeded,
and nothing is asked of a network.

    M      1 file,  1,000 samples, 15 turns: many messages and events, 110 MB unpacked
    L      1 file,     16 samples, 500 turns of 36 KB: large values, 450 MB unpacked
    L2     1 file,     32 samples as those of L
    F    200 files, 20 samples, 6 turns: many small files, 214 MB unpacked
    F20   20 of F
"""

import json
import random
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zipfile_zstd  # noqa: F401  (teaches zipfile the method of Inspect's logs)
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ModelOutput, ModelUsage, execute_tools, get_model
from inspect_ai.scorer import Score, Scorer, Target, accuracy, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import Tool, tool

MODEL = "mockllm/model"
ZSTANDARD = 93
_ID_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True)
class Shape:
    """What one log is like: so many samples are made by Inspect, and then copied until there are enough."""

    samples: int
    made_samples: int
    turns: int
    reply_words: int
    tool_words: int


SHAPES = {
    "M": Shape(samples=1000, made_samples=200, turns=15, reply_words=40, tool_words=80),
    "L": Shape(samples=16, made_samples=4, turns=500, reply_words=150, tool_words=5600),
    "F": Shape(samples=20, made_samples=20, turns=6, reply_words=40, tool_words=80),
}
SMALL_FILES = 200
MADE_SMALL_FILES = 20


def make_logs(folder: Path) -> None:
    """Make the logs that a folder lacks; each kind is there whole or not at all."""
    for kind, make in (("M", _make_one), ("L", _make_one), ("L2", _make_double), ("F", _make_small), ("F20", _choose)):
        target = folder / kind
        if target.exists():
            continue
        print(f"making the logs of {kind} …", flush=True)
        temporary = folder / f".{kind}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        make(kind, temporary, folder)
        temporary.rename(target)


def _make_one(kind: str, target: Path, _folder: Path) -> None:
    shape = SHAPES[kind]
    made = _run(kind, shape, target / "made")
    _copy(made, target / made.name, times=shape.samples // shape.made_samples, seed=f"{kind}")
    shutil.rmtree(target / "made")


def _make_double(_kind: str, target: Path, folder: Path) -> None:
    (single,) = (folder / "L").glob("*.eval")
    _copy(single, target / "double.eval", times=2, seed="L2")


def _make_small(kind: str, target: Path, _folder: Path) -> None:
    for number in range(MADE_SMALL_FILES):
        made = _run(kind, SHAPES[kind], target / f"made-{number}", seed=number)
        for copy in range(SMALL_FILES // MADE_SMALL_FILES):
            _copy(made, target / f"{number:02d}-{copy}.eval", times=1, seed=f"F{number}/{copy}")
        shutil.rmtree(target / f"made-{number}")


def _choose(_kind: str, target: Path, folder: Path) -> None:
    for path in sorted((folder / "F").glob("*.eval"))[:: SMALL_FILES // MADE_SMALL_FILES]:
        shutil.copy(path, target)


def _copy(source: Path, target: Path, *, times: int, seed: str) -> None:
    """Write a log with fresh ids of everything, whose samples are those of another, several times over."""
    letters = random.Random(seed)

    def fresh() -> bytes:
        return "".join(letters.choices(_ID_LETTERS, k=22)).encode()

    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", ZSTANDARD, compresslevel=3) as new:
        spec = json.loads(old.read("header.json"))["eval"]
        ids = {spec[name].encode(): fresh() for name in ("eval_id", "run_id", "task_id")}
        summaries = json.loads(old.read("summaries.json"))
        everyones = []
        for number in range(times):
            uuids = {summary["uuid"].encode(): fresh() for summary in summaries}
            for name, data in _samples(old):
                key = json.loads(data)["id"]
                renamed = f"{key}-{number}"
                names = {**ids, **uuids, f'"{key}"'.encode(): f'"{renamed}"'.encode()}
                new.writestr(name.replace(key, renamed), _renamed(data, names))
            everyones += [
                {**summary, "id": f"{summary['id']}-{number}", "uuid": uuids[summary["uuid"].encode()].decode()}
                for summary in summaries
            ]
        new.writestr("summaries.json", json.dumps(everyones))
        for name in old.namelist():
            if name in ("header.json", "reductions.json", "_journal/start.json"):
                new.writestr(name, _renamed(old.read(name), ids))


def _renamed(data: bytes, names: dict[bytes, bytes]) -> bytes:
    for known, other in names.items():
        data = data.replace(known, other)
    return data


def _samples(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    for name in archive.namelist():
        if name.startswith("samples/"):
            yield name, archive.read(name)


def _run(kind: str, shape: Shape, folder: Path, *, seed: int = 0) -> Path:
    letters = random.Random(f"{kind}/{seed}")
    samples = [
        Sample(
            id=f"{kind.lower()}{seed}-{number}",
            input=_text(letters, 120),
            target=letters.choice("ABCD"),
            metadata={"difficulty": letters.choice(["easy", "hard"]), "minutes": letters.randrange(600)},
        )
        for number in range(shape.made_samples)
    ]
    task = Task(
        name=f"bench_{kind.lower()}",
        dataset=MemoryDataset(samples),
        solver=_agent(shape, seed),
        scorer=[_letter(), _length()],
    )
    inspect_eval(task, model=MODEL, log_dir=str(folder), log_format="eval", display="none", log_realtime=False)
    (made,) = folder.glob("*.eval")
    return made


@solver
def _agent(shape: Shape, seed: int) -> Solver:
    async def solve(state: TaskState, _generate: Generate) -> TaskState:
        letters = random.Random(f"{seed}/{state.sample_id}")

        def answer(messages: list[ChatMessage], *_: object) -> ModelOutput:
            turn = sum(message.role == "assistant" for message in messages)
            words = _text(letters, shape.reply_words)
            if turn >= shape.turns - 1:
                output = ModelOutput.from_content(MODEL, f"ANSWER: {letters.choice('ABCD')} {words}")
            else:
                call = {"command": f"step {turn}", "words": shape.tool_words, "key": letters.getrandbits(40)}
                output = ModelOutput.for_tool_call(MODEL, "shell", call, content=words)
            output.usage = ModelUsage(input_tokens=400 + 90 * turn, output_tokens=80, total_tokens=480 + 90 * turn)
            return output

        model, tools = get_model(MODEL, custom_outputs=answer, memoize=False), [_shell()]
        for _ in range(shape.turns):
            state.output = await model.generate(state.messages, tools)
            state.messages.append(state.output.message)
            state.messages.extend((await execute_tools(state.messages, tools)).messages)
        return state

    return solve


@tool(name="shell")
def _shell() -> Tool:
    async def execute(command: str, words: int, key: int) -> str:
        """Run a command.

        Args:
            command: The command.
            words: How much it says.
            key: What it says.
        """
        return f"$ {command}\n{_text(random.Random(key), words)}"

    return execute


@scorer(metrics=[accuracy(), stderr()])
def _letter() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        is_right = f"ANSWER: {target.text}" in state.output.completion
        return Score(value="C" if is_right else "I", explanation=state.output.completion[:300])

    return score


@scorer(metrics=[mean()])
def _length() -> Scorer:
    async def score(state: TaskState, _target: Target) -> Score:
        return Score(value=len(state.messages) / 100.0)

    return score


def _vocabulary() -> tuple[list[str], list[float]]:
    letters = random.Random(1)
    words = [
        "".join(letters.choices("etaoinshrdlcumwfgypbvk", k=2 + min(9, int(letters.expovariate(0.28)))))
        for _ in range(30_000)
    ]
    total, cumulated = 0.0, []
    for place in range(len(words)):
        total += 1.0 / (place + 3)
        cumulated.append(total)
    return words, cumulated


_WORDS, _CUMULATED = _vocabulary()


def _text(letters: random.Random, words: int) -> str:
    chosen = letters.choices(_WORDS, cum_weights=_CUMULATED, k=words)
    return "\n".join(" ".join(chosen[start : start + 14]) for start in range(0, words, 14))
