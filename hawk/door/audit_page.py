"""The audit as a page, for administrators: what was done and denied, by whom, to what, from where, when."""

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from psycopg.rows import DictRow
from starlette.responses import HTMLResponse, Response

from hawk.api.database import Database
from hawk.audit import newest_entries

PATH = "/door/audit"
ROWS = 100
FILTERS = {
    "subject": "who",
    "action": "what",
    "outcome": "allowed or denied",
    "object_id": "of what",
    "request_id": "request",
}
MAX_TEXT = 300
# Texts of strangers are shown here: nothing on the page runs, and nothing is fetched.
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}

_STYLE = """
body { font: 14px system-ui, sans-serif; margin: 2rem; color: #1c2430; }
form { display: flex; gap: .5rem; flex-wrap: wrap; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #dde2ea; vertical-align: top; }
td { overflow-wrap: anywhere; } td.denied { color: #b3261e; font-weight: 600; }
"""
_COLUMNS = ("when (UTC)", "who", "what", "", "of", "door", "from", "request", "more")


def audit_page(database: Database, query: Mapping[str, str]) -> Response:
    """Return the page that a query asks for; filters that cannot be meant are left out."""
    filters = {name: text for name in FILTERS if (text := _text(query.get(name)))}
    before = query.get("before", "")
    with database.connection() as connection:
        rows, next_before = newest_entries(
            connection, limit=ROWS, **filters, before=int(before) if _is_number(before) else None
        )
    return HTMLResponse(_page(rows, filters, next_before), headers=HEADERS)


def _page(rows: Sequence[DictRow], filters: Mapping[str, str], next_before: int | None) -> str:
    fields = "".join(
        f'<input name="{name}" placeholder="{label}" value="{_shown(filters.get(name))}">'
        for name, label in FILTERS.items()
    )
    head = "".join(f"<th>{column}</th>" for column in _COLUMNS)
    body = "".join(_row(row) for row in rows) or f'<tr><td colspan="{len(_COLUMNS)}">Nothing like that.</td></tr>'
    older = urlencode({**filters, "before": next_before})
    more = f'<p><a href="{PATH}?{html.escape(older)}">Older</a></p>' if next_before else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Audit</title><style>{_STYLE}</style>'
        f"<h1>Audit</h1><p>What was done and denied, newest first.</p><form>{fields}<button>Show</button></form>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}</html>"
    )


def _row(row: DictRow) -> str:
    cells = (
        f"{row['occurred_at']:%Y-%m-%d %H:%M:%S}",
        row["subject"] or row["email"],
        row["action"],
        row["outcome"],
        " ".join(part for part in (row["object_kind"], row["object_id"]) if part),
        row["door"],
        row["client_address"],
        row["request_id"],
        json.dumps(row["detail"], ensure_ascii=False) if row["detail"] else "",
    )
    kind = ' class="denied"' if row["outcome"] == "denied" else ""
    return "<tr>" + "".join(f"<td{kind if cell == 'denied' else ''}>{_shown(cell)}</td>" for cell in cells) + "</tr>"


def _shown(value: Any) -> str:
    return html.escape("" if value is None else str(value), quote=True)


def _text(value: str | None) -> str:
    text = (value or "").strip()
    return text if len(text) <= MAX_TEXT and "\0" not in text else ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
