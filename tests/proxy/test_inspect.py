"""Inspect's own clients for OpenAI, Anthropic and Google work through the proxy, to models that answer by rules."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import GenerateConfig, Model, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate, use_tools
from inspect_ai.tool import Tool, tool
from pydantic import SecretStr

from hawk.provider_environment import provider_environment
from tests.proxy.conftest import ServedProxy, fill_registry, job_token, wait_until

ROUTES = {"openai": "openai/v1", "anthropic": "anthropic", "google": "google"}
MODELS = ("openai/gpt-4o-mini", "anthropic/claude-3-5-haiku-latest", "google/gemini-2.0-flash")
GROUP = "model-access-public"
COMPATIBLE = (
    "deepseek",
    "fireworks",
    "openai-api/hf-inference-providers",
    "moonshot",
    "openai-api/nvidia",
    "openai-api/vllm",
    "openai-api/xai",
    "openrouter",
    "perplexity",
    "sambanova",
    "together",
)


@pytest.fixture
def mock_proxy(serve, mock_settings) -> ServedProxy:
    return serve(mock_settings)


@pytest.fixture
def example_tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples" / "tasks" / "src"))
    yield
    for name in [name for name in sys.modules if name.startswith("hawk_examples")]:
        del sys.modules[name]


def model(proxy: ServedProxy, name: str, *groups: str, **arguments) -> Model:
    provider = name.partition("/")[0]
    return get_model(
        name,
        base_url=f"{proxy.url}/{ROUTES[provider]}",
        api_key=job_token(*(groups or (GROUP,))),
        memoize=False,
        **arguments,
    )


def run(task: Task, evaluated: Model, tmp_path: Path, **options) -> EvalLog:
    return eval(task, model=evaluated, log_dir=str(tmp_path), display="none", **options)[0]


@tool
def calculator() -> Tool:
    async def execute(expression: str) -> str:
        """Work out a sum.

        Args:
            expression: The sum.
        """
        return {"6 * 7": "42"}[expression]

    return execute


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("arguments", [{}, {"streaming": True}], ids=["whole", "streaming"])
def test_eval_with_a_tool_succeeds(mock_proxy, tmp_path, name, arguments):
    task = Task(
        dataset=[Sample(input="What is 6 * 7?", target="42")],
        solver=[use_tools(calculator()), generate()],
        scorer=includes(),
    )

    log = run(task, model(mock_proxy, name, **arguments), tmp_path)

    assert log.status == "success", log.error
    assert log.results.scores[0].metrics["accuracy"].value == 1.0
    assert [message.role for message in log.samples[0].messages] == ["user", "assistant", "tool", "assistant"]
    usage = log.stats.model_usage[name]
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0


def test_openai_responses_api_succeeds(mock_proxy, tmp_path):
    task = Task(dataset=[Sample(input="What is the capital of France?", target="Paris")], scorer=includes())

    for arguments in ({"responses_api": True}, {"responses_api": True, "streaming": True}):
        log = run(task, model(mock_proxy, "openai/gpt-4o-mini", **arguments), tmp_path)

        assert log.status == "success", log.error
        assert log.results.scores[0].metrics["accuracy"].value == 1.0


def test_example_tasks_show_which_model_is_better(mock_proxy, tmp_path, example_tasks):
    from hawk_examples.registry import arithmetic, capitals, flaky

    expected = {
        ("arithmetic", "openai/gpt-4o-mini"): 0.9,
        ("arithmetic", "anthropic/claude-3-5-haiku-latest"): 0.6,
        ("capitals", "openai/gpt-4o-mini"): 0.9,
        ("capitals", "anthropic/claude-3-5-haiku-latest"): 0.5,
        ("flaky", "openai/gpt-4o-mini"): 1.0,
        ("flaky", "anthropic/claude-3-5-haiku-latest"): 4 / 6,
    }
    models = [model(mock_proxy, name) for name in MODELS[:2]]

    logs = eval([arithmetic(), capitals(), flaky()], model=models, log_dir=str(tmp_path), display="none")

    scores = {(log.eval.task, log.eval.model): log.results.scores[0].metrics["accuracy"].value for log in logs}
    assert {log.status for log in logs} == {"success"}
    assert scores == pytest.approx(expected)


def test_ledger_knows_which_sample_each_call_was_for(
    serve, mock_settings, database_url, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    """The runner's hook tells; it is registered for the process, and works where a job is told of the proxy."""
    import psycopg

    from hawk.naming import PROXY_URL_VARIABLE
    from runner.inside.call_facts import install_call_facts

    monkeypatch.setenv(PROXY_URL_VARIABLE, "http://proxy")
    install_call_facts()
    proxy = serve(mock_settings, ledger_folder=tmp_path / "ledger", ledger_copy_seconds=0.1)
    samples = [Sample(id="zwölf", input="What is 2 + 2?", target="4"), Sample(input="What is 1 + 1?", target="2")]
    models = [model(proxy, name) for name in MODELS]

    logs = eval(
        Task(dataset=samples, scorer=includes(), name="sums"),
        model=models,
        epochs=2,
        log_dir=str(tmp_path),
        display="none",
    )

    expected = {
        (log.eval.eval_id, "sums", sample.uuid, str(sample.id).replace("ö", "?"), sample.epoch, log.eval.model)
        for log in logs
        for sample in log.samples
    }
    with psycopg.connect(database_url, autocommit=True) as connection:
        columns = "eval_id, task_name, sample_uuid, sample_id, epoch, model_name"
        query = f"select {columns} from ops.model_call where usage_state = 'reported'"
        wait_until(lambda: len(connection.execute(query).fetchall()) == 12)
        rows = set(connection.execute(query).fetchall())
        used = connection.execute(
            "select model_name, sum(input_tokens)::int, sum(output_tokens)::int from ops.model_call group by 1"
        ).fetchall()
    assert rows == expected
    # What the proxy counted is what Inspect's own log counts.
    of_logs = {log.eval.model: log.stats.model_usage[log.eval.model] for log in logs}
    assert sorted(used) == sorted((name, use.input_tokens, use.output_tokens) for name, use in of_logs.items())
    assert all(configured.config.extra_headers is None for configured in models)


def error_of(failing: Model) -> BaseException:
    """Return what the client raises; a whole eval would take seconds to draw the traceback."""
    with pytest.raises(Exception) as caught:
        asyncio.run(failing.generate("Hi"))
    return caught.value


@pytest.mark.parametrize("name", MODELS)
def test_client_without_the_group_is_told_why(mock_proxy, name):
    error = error_of(model(mock_proxy, name, "another-group"))

    assert f"you lack {GROUP}" in str(error)


@pytest.mark.parametrize("name", ["openai/nobody-knows", "anthropic/nobody-knows", "google/nobody-knows"])
def test_client_of_an_unknown_model_is_told_at_once(mock_proxy, name):
    assert "nobody has registered" in str(error_of(model(mock_proxy, name)))


@pytest.mark.parametrize("name", MODELS)
def test_client_whose_token_does_not_hold_is_told_at_once(mock_proxy, name):
    route = ROUTES[name.partition("/")[0]]
    stranger = get_model(name, base_url=f"{mock_proxy.url}/{route}", api_key="sk-mine", memoize=False)

    assert "not a JSON Web Token" in str(error_of(stranger))


def test_model_that_always_fails_fails_with_its_500(mock_proxy):
    failing = model(mock_proxy, "openai/always-500", config=GenerateConfig(max_retries=0))

    assert "InternalServerError" in repr(error_of(failing))


def test_clients_of_compatible_providers_work_unchanged(
    serve, mock_settings, mock_models_port, database_url, monkeypatch: pytest.MonkeyPatch
):
    """With the variables that a runner gets, and nothing else."""
    import psycopg

    mock = f"http://127.0.0.1:{mock_models_port}"
    upstreams = {name.removeprefix("openai-api/"): mock for name in COMPATIBLE}
    names = [f"{provider}/llama" for provider in COMPATIBLE]
    with psycopg.connect(database_url) as connection:
        connection.cursor().executemany(
            "insert into ops.model_group values (%s, %s)", [(name, GROUP) for name in names]
        )
    proxy = serve(mock_settings, provider_upstreams=upstreams)
    for variable, value in provider_environment(proxy.url, job_token(GROUP), names).items():
        monkeypatch.setenv(variable, value)

    async def ask_all() -> list[str]:
        outputs = [await get_model(name, memoize=False).generate("What is 2 + 2?") for name in names]
        return [output.completion for output in outputs]

    answers = asyncio.run(ask_all())

    assert len(answers) == len(COMPATIBLE)
    assert all("ANSWER" in answer for answer in answers), answers


GEMINI_ANSWER = (
    b'{"candidates": [{"content": {"role": "model", "parts": [{"text": "4"}]}, "finishReason": "STOP"}],'
    b' "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1, "totalTokenCount": 5}}'
)
CHAT_ANSWER = (
    b'{"id": "1", "object": "chat.completion", "created": 1, "model": "echo", "choices": [{"index": 0,'
    b' "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}],'
    b' "usage": {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}}'
)


@pytest.mark.parametrize(
    ("name", "answer", "path", "key"),
    [
        (
            "google/vertex/echo",
            GEMINI_ANSWER,
            "/v1beta1/publishers/google/models/echo:generateContent",
            ("x-goog-api-key", "vertex-real"),
        ),
        (
            "openai/azure/echo",
            CHAT_ANSWER,
            "/openai/deployments/echo/chat/completions",
            ("api-key", "azure-real"),
        ),
    ],
)
def test_clients_of_vertex_and_azure_work_unchanged(
    serve, settings, registry, provider, monkeypatch: pytest.MonkeyPatch, name, answer, path, key
):
    import psycopg

    with psycopg.connect(registry, autocommit=True) as connection:
        connection.execute("insert into ops.model_group values (%s, 'public')", [name])
    proxy = serve(
        settings,
        vertex_upstream=provider.url,
        vertex_api_key=SecretStr("vertex-real"),
        azure_upstream=provider.url,
        azure_api_key=SecretStr("azure-real"),
    )
    provider.answer_body, provider.answer_headers = answer, {"content-type": "application/json"}
    for variable, value in provider_environment(proxy.url, job_token("public"), [name]).items():
        monkeypatch.setenv(variable, value)

    output = asyncio.run(get_model(name, memoize=False).generate("What is 2 + 2?"))
    fill_registry(registry)

    assert output.completion == "4"
    assert provider.last.raw_path.partition("?")[0] == path
    assert provider.last.header(key[0]) == key[1]


def test_provider_of_openai_compatible_models_works(serve, mock_settings, mock_models_port, tmp_path, database_url):
    import psycopg

    with psycopg.connect(database_url) as connection:
        connection.execute("insert into ops.model_group values ('openai-api/vllm/llama', %s)", [GROUP])
    proxy = serve(mock_settings, provider_upstreams={"vllm": f"http://127.0.0.1:{mock_models_port}"})
    llama = get_model("openai-api/vllm/llama", base_url=f"{proxy.url}/vllm/v1", api_key=job_token(GROUP), memoize=False)

    log = run(Task(dataset=[Sample(input="What is 2 + 2?", target="4")], scorer=includes()), llama, tmp_path)

    assert log.status == "success", log.error
