"""A sample's conversation: who said what, which tools were called with what, and what they answered."""

import json
from collections.abc import Sequence
from typing import Any

import streamlit as st

from viewer import sample_queries, text_blocks
from viewer.database import Row
from viewer.inert import plain

_ICONS = {
    "system": ":material/settings:",
    "user": ":material/person:",
    "assistant": ":material/smart_toy:",
    "tool": ":material/build:",
}
_COLORS = {"system": "gray", "user": "blue", "assistant": "primary", "tool": "orange"}


def show_conversation(import_id: int, sample_uuid: str, message_count: int) -> None:
    """Show the messages, some hundred at a time."""
    if not message_count:
        st.caption("The log has no messages of this sample.")
        return
    start = _start(message_count)
    messages = sample_queries.messages(import_id, sample_uuid, start=start)
    found = sample_queries.attachments(import_id, sample_uuid, _texts(messages))
    for message in messages:
        _show_message(message, found)


def _start(message_count: int) -> int:
    at_once = sample_queries.MESSAGES_AT_ONCE
    if message_count <= at_once:
        return 0
    pages = -(-message_count // at_once)
    page = st.pagination(pages, key="transcript/page")
    return (page - 1) * at_once


def _texts(messages: Sequence[Row]) -> list[str]:
    return [json.dumps([message["content"], message["tool_calls"], message["tool_error"]]) for message in messages]


def _show_message(message: Row, found: dict[str, str]) -> None:
    role, index = message["role"], message["message_index"]
    key = f"message/{index}"
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(plain(role), icon=_ICONS.get(role), color=_COLORS.get(role, "gray"))  # type: ignore[arg-type]  # a str
            st.caption(_about(message), width="stretch")
            st.caption(f"\\#{index + 1}", width="content")
        reasoning, others = _parts(message["content"])
        for number, text in enumerate(reasoning):
            with st.expander("Reasoning", icon=":material/psychology:"):
                text_blocks.prose(sample_queries.with_attachments(text, found), key=f"{key}/reasoning/{number}")
        if message["text"]:
            show = text_blocks.source if role == "tool" else text_blocks.prose
            show(message["text"], key=key)
        for number, part in enumerate(others):
            with st.expander(f"Content of kind {plain(part.get('type', '?'))}", icon=":material/attachment:"):
                text_blocks.data(part, key=f"{key}/part/{number}")
        for number, call in enumerate(message["tool_calls"] or []):
            _show_tool_call(call, found, key=f"{key}/call/{number}")
        if message["tool_error"]:
            st.error(plain(_error_text(message["tool_error"]), most=1000), icon=":material/error:")
        if not (message["text"] or reasoning or others or message["tool_calls"] or message["tool_error"]):
            st.caption("Empty")


def _about(message: Row) -> str:
    words = [message["tool_name"], message["model"]]
    if message["source"] and message["source"] != "generate":
        words.append(f"from {message['source']}")
    return plain(" · ".join(word for word in words if word))


def _parts(content: Any) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the reasoning in a message's content, and the parts that are neither that nor text."""
    if not isinstance(content, list):
        return [], []
    parts = [part for part in content if isinstance(part, dict)]
    thoughts = [part for part in parts if part.get("type") == "reasoning"]
    reasoning = [str(part.get("summary") or part.get("reasoning") or "") for part in thoughts]
    return [text for text in reasoning if text], [
        part for part in parts if part.get("type") not in ("text", "reasoning")
    ]


def _show_tool_call(call: Any, found: dict[str, str], *, key: str) -> None:
    call = call if isinstance(call, dict) else {"function": "?", "arguments": call}
    st.caption(f":material/build: calls **{plain(call.get('function', '?'))}**")
    text_blocks.source(sample_queries.with_attachments(call_text(call.get("arguments")), found), key=key)
    if call.get("parse_error"):
        st.error(plain(call["parse_error"], most=1000), icon=":material/error:")


def call_text(arguments: Any) -> str:
    """Return a call's arguments as a person reads them: one text as it stands, several by name."""
    if not isinstance(arguments, dict):
        return json.dumps(arguments, indent=2, ensure_ascii=False)
    if len(arguments) == 1 and isinstance(only := next(iter(arguments.values())), str):
        return only
    lines = [
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in arguments.items()
    ]
    return "\n".join(lines)


def _error_text(error: Any) -> str:
    if isinstance(error, dict):
        return f"{error.get('type', 'error')}: {error.get('message', '')}"
    return str(error)
