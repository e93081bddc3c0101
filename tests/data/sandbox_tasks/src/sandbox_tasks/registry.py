"""Two tasks: one whose samples compute in their sandbox, one whose sandbox cannot be had."""

from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import match
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import sandbox

COMPOSE = str(Path(__file__).with_name("compose.yaml"))


@solver
def compute() -> Solver:
    """Answer with what Python in the sandbox says of the question."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state = await generate(state)
        result = await sandbox().exec(["python3", "-c", f"print({state.input_text})"])
        state.output.completion = result.stdout or result.stderr
        return state

    return solve


@task
def sums() -> Task:
    samples = [Sample(id=f"sum-{number}", input=f"{number} + {number}", target=str(2 * number)) for number in (1, 2)]
    return Task(
        dataset=MemoryDataset(samples), solver=compute(), scorer=match(numeric=True), sandbox=("docker", COMPOSE)
    )


@task
def built() -> Task:
    return Task(dataset=MemoryDataset([Sample(input="1")]), solver=compute(), sandbox=("docker", "Dockerfile"))
