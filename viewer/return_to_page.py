"""Leads the browser back, after a sign-in, to the page that it asked for; Streamlit would lead it to the first page."""

import base64
import binascii
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOGIN_PATH = "/auth/login"
CALLBACK_PATH = "/oauth2callback"
COOKIE = "hawk_viewer_page"
MINUTES = 10
MAX_CHARACTERS = 3000  # browsers keep cookies of 4,096


class ReturnToPage:
    """ASGI middleware: keeps the page of a sign-in in a cookie that only the sign-in's end gets."""

    def __init__(self, app: ASGIApp, *, is_secure: bool) -> None:
        self._app = app
        self._is_secure = is_secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in (LOGIN_PATH, CALLBACK_PATH):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_with_page(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                if scope["path"] == LOGIN_PATH:
                    self._keep(answer, page_of(headers.get("referer", ""), headers.get("host", "")))
                else:
                    self._lead_back(answer, _kept_page(headers.get("cookie", "")))
            await send(message)

        await self._app(scope, receive, send_with_page)

    def _keep(self, answer: MutableHeaders, page: str) -> None:
        packed = base64.urlsafe_b64encode(page.encode()).decode()
        if page and len(packed) <= MAX_CHARACTERS:
            answer.append("set-cookie", self._cookie(packed, seconds=MINUTES * 60))

    def _lead_back(self, answer: MutableHeaders, page: str) -> None:
        if page and answer.get("location") == "/":
            answer["location"] = page
            answer.append("set-cookie", self._cookie("", seconds=0))

    def _cookie(self, value: str, *, seconds: int) -> str:
        secure = "; Secure" if self._is_secure else ""
        return f"{COOKIE}={value}; Path={CALLBACK_PATH}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def page_of(referrer: str, host: str) -> str:
    """Return path and query of an address of this viewer, else nothing."""
    try:
        parts = urlsplit(referrer)
    except ValueError:
        return ""
    page = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    return page if parts.netloc == host and is_own_page(page) else ""


def is_own_page(page: str) -> bool:
    """Say whether a browser that is sent there stays with this viewer."""
    return page.startswith("/") and not page.startswith(("//", "/\\")) and page.isascii() and page.isprintable()


def _kept_page(cookies: str) -> str:
    try:
        morsel = SimpleCookie(cookies).get(COOKIE)
        page = base64.urlsafe_b64decode(morsel.value).decode() if morsel else ""
    except (CookieError, binascii.Error, UnicodeDecodeError):
        return ""
    return page if is_own_page(page) else ""
