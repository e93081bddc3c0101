"""Brings the stack's warehouse up to date: its tables, who may use the mock models, and what they would cost.

`python -m hawk.dev.warehouse_setup` does so to the database that the settings name.
"""

import psycopg
from psycopg.rows import dict_row

from hawk.dev.database_logins import let_programs_sign_in
from hawk.dev.mock_models import MODEL_GROUPS
from hawk.model_registry.models import take_listed_prices
from hawk.settings import DatabaseSettings, IdentitySettings
from hawk.warehouse.migrate import migrate


def set_up_warehouse(database_url: str, *, key: str | None = None) -> None:
    """Migrate, let programs sign in, and add the mock models that nobody has given a group yet, with prices.

    Without a key to make passwords of, no program can sign in by its login. Prices are those of the models that the
    mock models stand for.
    """
    migrate(database_url)
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        if key is not None:
            let_programs_sign_in(connection, key=key)
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
    key = IdentitySettings().job_token_key
    set_up_warehouse(
        DatabaseSettings().database_url.get_secret_value(), key=key.get_secret_value() if key is not None else None
    )


if __name__ == "__main__":
    main()
