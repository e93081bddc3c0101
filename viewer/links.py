"""Links between the pages; their paths are relative to app.py, their parameters are filters.

Leaving for a page puts two entries into the browser's history: Streamlit first gives this page's address the next
page's parameters, then changes the page. So a link says from where it was followed, and a page that finds its own
name there, because somebody went back, takes its parameters from that.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from urllib.parse import parse_qs, urlencode

import streamlit as st

EVAL_SETS = "views/eval_sets.py"
EVALS = "views/evals.py"
SAMPLES = "views/samples.py"
SAMPLE = "views/sample.py"
IMPORTS = "views/imports.py"
FROM_PARAMETER = "from"
_LONGEST_FROM = 4000

type Parameters = dict[str, list[str]]


def go(page: str, parameters: Parameters, *, here: str) -> None:
    """Leave this page for another."""
    st.switch_page(page, query_params=with_origin(parameters, here, parameters_of(here)))


def link(page: str, label: str, parameters: Parameters, *, icon: str | None = None) -> None:
    """Show a link to a page."""
    st.page_link(page, label=label, query_params=parameters, icon=icon)


def parameters_of(page: str) -> Parameters:
    """Return the parameters that this page is shown with, which is the one named."""
    own = {name: st.query_params.get_all(name) for name in st.query_params}
    return own_parameters(page, own)


def own_parameters(page: str, parameters: Mapping[str, Sequence[str]]) -> Parameters:
    """Return what of an address is for this page; see above."""
    origin = (parameters.get(FROM_PARAMETER) or [""])[-1]
    name, _, packed = origin.partition("?")
    if name == _name(page):
        return unpacked(packed)
    return {name: list(values) for name, values in parameters.items() if name != FROM_PARAMETER}


def origin_of(page: str, parameters: Mapping[str, Sequence[str]]) -> Parameters | None:
    """Return the parameters of this page if the link was followed from there, else None."""
    name, _, packed = (parameters.get(FROM_PARAMETER) or [""])[-1].partition("?")
    return unpacked(packed) if name == _name(page) else None


def with_origin(parameters: Parameters, page: str, page_parameters: Parameters) -> Parameters:
    """Return parameters that say from where the link was followed, unless that would make it too long to send."""
    origin = f"{_name(page)}?{urlencode(page_parameters, doseq=True)}"
    return {**parameters, FROM_PARAMETER: [origin]} if len(origin) <= _LONGEST_FROM else parameters


def unpacked(packed: str) -> Parameters:
    """Return the parameters in a query string; none where it is no query string."""
    try:
        return parse_qs(packed[:_LONGEST_FROM], max_num_fields=200)
    except ValueError:
        return {}


def _name(page: str) -> str:
    return PurePath(page).stem.replace("_", "-")
