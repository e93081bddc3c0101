"""Statistics of evaluations, on arrays: no database, no Dagster. docs/reference/statistics.md has each definition."""
