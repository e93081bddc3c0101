"""The list of imports, which only the viewer has."""

from hawk.listing.filters import Filter, Kind, ListView, Sort
from viewer.import_queries import NEWEST_LOGS

IMPORTS = ListView(
    name="imports",
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
        Sort(
            "newest",
            "Latest change",
            (
                "-state_changed_at",
                "log_inbox_id",
            ),
        ),
        Sort(
            "waiting",
            "Longest known",
            (
                "discovered_at",
                "log_inbox_id",
            ),
        ),
        Sort(
            "largest",
            "Largest",
            (
                "-size_bytes",
                "log_inbox_id",
            ),
        ),
        Sort(
            "tries",
            "Most tries",
            (
                "-attempts",
                "log_inbox_id",
            ),
        ),
        Sort(
            "name",
            "Name",
            (
                "log",
                "log_inbox_id",
            ),
        ),
    ),
    key=("log_inbox_id",),
)
