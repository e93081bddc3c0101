"""The script of the viewer, which `python -m viewer` serves. Each page's state is its URL: every view is a link."""

import sys
from pathlib import Path

import streamlit as st

# Streamlit puts this file's folder on the path, not the one that has the packages.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from viewer import links

st.set_page_config(page_title="Hawk", page_icon="🦅", layout="wide")
st.html(Path(__file__).with_name("style.css"))
st.navigation(
    [
        st.Page(links.EVAL_SETS, title="Eval sets", icon=":material/stacks:", default=True),
        st.Page(links.EVALS, title="Evals", url_path="evals", icon=":material/analytics:"),
        st.Page(links.SAMPLES, title="Samples", url_path="samples", icon=":material/table_rows:"),
        st.Page(links.IMPORTS, title="Imports", icon=":material/move_to_inbox:", url_path="imports"),
        st.Page(links.SAMPLE, title="Sample", url_path="sample", visibility="hidden"),
        # Other names of pages above: the default one has no path of its own, and an eval set is its evals.
        st.Page(links.EVAL_SETS, title="Eval sets", url_path="eval-sets", visibility="hidden"),
        st.Page(links.EVALS, title="Eval set", url_path="eval_set", visibility="hidden"),
    ],
    position="top",
).run()
