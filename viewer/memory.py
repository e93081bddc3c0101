"""What the viewer remembers of queries: apart for each set of groups, so that nobody gets what others may see.

Nothing else here may use Streamlit's own cache of data, which all sessions share.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from viewer.identity import groups

SECONDS = 15
MAX_ENTRIES = 2000


def remembered[Answer](read: Callable[..., Answer], *values: Any) -> Answer:
    """Return `read(*values)`, not older than some seconds, as it was for somebody of the very same groups.

    `values` are plain: text, numbers, tuples.
    """
    name = f"{read.__module__}.{read.__qualname__}"
    answer: Answer = _kept(tuple(sorted(groups())), name, values, read)
    return answer


@st.cache_data(ttl=SECONDS, max_entries=MAX_ENTRIES, show_spinner=False)
def _kept(of_groups: tuple[str, ...], name: str, values: tuple[Any, ...], _read: Callable[..., Any]) -> Any:
    return _read(*values)
