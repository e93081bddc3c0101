"""The lists: eval sets, evals, samples, imports; their filters and orders."""

from viewer import links
from viewer.filters import Filter, Kind, ListView, Sort
from viewer.import_queries import NEWEST_LOGS

EVAL_SETS = ListView(
    page=links.EVAL_SETS,
    relation="marts.dim_eval_set",
    filters=(
        Filter(
            "search",
            "Search",
            Kind.TEXT,
            searched=("eval_set_id", "name", "array_to_string(tasks, ' ')", "array_to_string(models, ' ')"),
            help="Words of the id, name, tasks or models; all must be found.",
        ),
        Filter("status", "Status", Kind.CHOICES, "status = any({name})"),
        Filter("model", "Model", Kind.CHOICES, "models && {name}"),
        Filter("task", "Task", Kind.CHOICES, "tasks && {name}"),
        Filter("created_by", "Owner", Kind.CHOICES, "created_by = any({name})"),
    ),
    sorts=(
        Sort("newest", "Latest activity", "last_activity_at desc, eval_set_id"),
        Sort("created", "Newest first", "created_at desc nulls last, eval_set_id"),
        Sort("name", "Name", "name, eval_set_id"),
        Sort("samples", "Most samples", "sample_count desc, eval_set_id"),
        Sort("errors", "Most errors", "error_count desc, eval_set_id"),
        Sort("tokens", "Most tokens", "total_tokens desc nulls last, eval_set_id"),
    ),
)

EVALS = ListView(
    page=links.EVALS,
    relation="marts.fct_eval",
    filters=(
        Filter(
            "search",
            "Search",
            Kind.TEXT,
            searched=("eval_id", "task_name", "model", "eval_set_id", "agent", "error_message"),
            help="Words of the ids, task, model, agent or error; all must be found.",
        ),
        Filter("eval_set_id", "Eval set", Kind.CHOICES, "eval_set_id = any({name})"),
        Filter("task", "Task", Kind.CHOICES, "task_name = any({name})"),
        Filter("model", "Model", Kind.CHOICES, "model = any({name})"),
        Filter("status", "Status", Kind.CHOICES, "status = any({name})"),
        Filter("after", "Made from", Kind.DATE, "created_at >= {name}"),
        Filter("before", "Made until", Kind.DATE, "created_at < {name}"),
    ),
    sorts=(
        Sort("newest", "Newest first", "created_at desc nulls last, eval_id"),
        Sort("oldest", "Oldest first", "created_at asc nulls last, eval_id"),
        Sort("score", "Highest score", "mean_score desc nulls last, eval_id"),
        Sort("worst", "Lowest score", "mean_score asc nulls last, eval_id"),
        Sort("errors", "Most errors", "error_count desc, eval_id"),
        Sort("tokens", "Most tokens", "total_tokens desc nulls last, eval_id"),
        Sort("slowest", "Longest", "total_seconds desc nulls last, eval_id"),
    ),
)

_KEY = "eval_id, sample_uuid"

SAMPLES = ListView(
    page=links.SAMPLES,
    relation="marts.fct_sample",
    filters=(
        Filter(
            "search",
            "Search",
            Kind.TEXT,
            searched=(
                "sample_id",
                "sample_uuid",
                "task_name",
                "model",
                "eval_set_id",
                "input_text",
                "output_text",
                "error_message",
            ),
            help="Words of the ids, task, model, input, output or error; all must be found.",
        ),
        Filter("task", "Task", Kind.CHOICES, "task_name = any({name})"),
        Filter("model", "Model", Kind.CHOICES, "model = any({name})"),
        Filter("status", "Status", Kind.CHOICES, "status = any({name})"),
        Filter("eval_set_id", "Eval set", Kind.CHOICES, "eval_set_id = any({name})"),
        Filter("eval_id", "Eval", Kind.CHOICES, "eval_id = any({name})"),
        Filter("sample_id", "Sample", Kind.CHOICES, "sample_id = any({name})"),
        Filter("scorer", "Scorer", Kind.CHOICES, "headline_scorer = any({name})"),
        Filter("score_min", "Score from", Kind.NUMBER, "score >= {name}"),
        Filter("score_max", "Score to", Kind.NUMBER, "score <= {name}"),
        Filter("epoch", "Epoch", Kind.INTEGER, "epoch = {name}"),
        Filter("after", "Ended from", Kind.DATE, "completed_at >= {name}"),
        Filter("before", "Ended until", Kind.DATE, "completed_at < {name}"),
        Filter(
            "attempts",
            "Replaced attempts too",
            Kind.FLAG,
            "is_canonical",
            help="Show attempts that a later one replaced, not only those that count.",
        ),
    ),
    sorts=(
        Sort("newest", "Newest first", f"completed_at desc nulls last, {_KEY}"),
        Sort("oldest", "Oldest first", f"completed_at asc nulls last, {_KEY}"),
        Sort("sample", "Sample", f"task_name, model, sample_id, epoch, {_KEY}"),
        Sort("score", "Highest score", f"score desc nulls last, {_KEY}"),
        Sort("worst", "Lowest score", f"score asc nulls last, {_KEY}"),
        Sort("tokens", "Most tokens", f"total_tokens desc nulls last, {_KEY}"),
        Sort("slowest", "Longest", f"total_seconds desc nulls last, {_KEY}"),
        Sort("messages", "Most messages", f"message_count desc, {_KEY}"),
    ),
)

IMPORTS = ListView(
    page=links.IMPORTS,
    relation=NEWEST_LOGS,
    filters=(
        Filter(
            "search",
            "Search",
            Kind.TEXT,
            searched=("log", "eval_set_id", "reason"),
            help="Words of the file's name, its set or the reason; all must be found.",
        ),
        Filter("status", "State", Kind.CHOICES, "status = any({name})"),
        Filter("eval_set_id", "Eval set", Kind.CHOICES, "eval_set_id = any({name})"),
        Filter("source", "Found by", Kind.CHOICES, "source = any({name})"),
    ),
    sorts=(
        Sort("newest", "Latest change", "state_changed_at desc, log_inbox_id"),
        Sort("waiting", "Longest known", "discovered_at, log_inbox_id"),
        Sort("largest", "Largest", "size_bytes desc, log_inbox_id"),
        Sort("tries", "Most tries", "attempts desc, log_inbox_id"),
        Sort("name", "Name", "log, log_inbox_id"),
    ),
)
