"""Parameters that several lists take."""

from typing import Annotated

from fastapi import Query

from hawk.api.keyset import MAX_CURSOR_CHARACTERS

# Postgres holds no NUL; all else that a text may have is only ever a parameter of a query.
Text = Annotated[str | None, Query(max_length=300, pattern=r"^[^\x00]*$")]
Limit = Annotated[int, Query(ge=1, le=500, description="Most rows of the page.")]
Cursor = Annotated[
    str | None,
    Query(max_length=MAX_CURSOR_CHARACTERS, pattern=r"^[^\x00]*$", description="`next_cursor` of the page before."),
]
