"""What a run needs, imported by the process that runs are forked from; see `orchestration.code_server`."""

import gc

import orchestration.dagster_storage
import orchestration.definitions
import orchestration.run_coordinator  # noqa: F401 (each is imported for those forked from here)

# What is imported stays; a fork shares its memory for as long as nobody counts or collects it.
gc.collect()
gc.freeze()
