"""The operational tables, which Hawk's programs keep; here so that the lineage of models shows where they come from."""

import dagster as dg

from assets.keys import EVAL_JOBS, EVAL_LOGS, OPS_GROUP, OWNERS
from hawk.naming import OPS_SCHEMA

_TABLES = {
    "eval_set": ("Eval sets that were ever asked for or imported. One row per eval set.", [EVAL_JOBS]),
    "attempt": ("Tries of runner jobs, kept after their launcher has forgotten them. One row per try.", [EVAL_JOBS]),
    "log_inbox": ("The importer's queue. One row per version of a log seen on S3.", [EVAL_LOGS]),
    "model_call": ("The proxy's ledger. One row per model call that was forwarded.", []),
    "model_spend": ("Sums of the proxy's ledger. One row per day, eval set, user and model.", []),
    "model_price": ("What models cost since when. One row per model, moment and least number of input tokens.", []),
    "model_group": ("Which group one must hold to use or see a model. One row per model.", []),
}

ops_tables = [
    dg.AssetSpec(
        key=[OPS_SCHEMA, name],
        deps=deps,
        group_name=OPS_GROUP,
        owners=list(OWNERS),
        kinds={"postgres"},
        tags={"hawk/layer": "ops"},
        description=f"{description}\n\nKept by the API, the launchers and the sensors while they work.",
        metadata={"dagster/table_name": f"{OPS_SCHEMA}.{name}"},
    )
    for name, (description, deps) in _TABLES.items()
]
