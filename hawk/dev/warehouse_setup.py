"""Brings the stack's warehouse up to date: its tables, who may use the mock models, and what they would cost.

`python -m hawk.dev.warehouse_setup` does so to the database that the settings name.
"""

import psycopg
from psycopg.rows import dict_row

from hawk.dev.mock_models import MODEL_GROUPS
from hawk.model_registry.models import take_listed_prices
from hawk.settings import DatabaseSettings
from hawk.warehouse.migrate import migrate


def set_up_warehouse(database_url: str) -> None:
    """Migrate, and add the mock models that nobody has given a group yet, with prices of the models they stand for."""
    migrate(database_url)
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        connection.cursor().executemany(
            "insert into ops.model_group (model_name, model_group) values (%s, %s) on conflict do nothing",
            list(MODEL_GROUPS.items()),
        )
        unpriced = connection.execute(
            "select model_name from ops.model_group left join ops.model_price using (model_name)"
            " where input_usd is null and model_name = any(%s)",
            [list(MODEL_GROUPS)],
        ).fetchall()
        for row in unpriced:
            take_listed_prices(connection, row["model_name"])


def main() -> None:
    """Set up the warehouse that the settings name."""
    set_up_warehouse(DatabaseSettings().database_url.get_secret_value())


if __name__ == "__main__":
    main()
