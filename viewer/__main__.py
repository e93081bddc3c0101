"""Serve the viewer, until SIGTERM: `python -m viewer`.

Streamlit signs people in (OIDC, with PKCE where the issuer knows it); its settings for that are ours, by other names.
"""

from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from streamlit.starlette import App

from hawk.issuer_keys import DISCOVERY_PATH
from hawk.settings import ViewerSettings
from viewer.return_to_page import CALLBACK_PATH, ReturnToPage

SCRIPT = Path(__file__).with_name("app.py")
SCOPES = "openid profile email"


def main() -> None:
    """Serve until SIGTERM."""
    settings = ViewerSettings()
    create_app(settings).run(
        config={
            "server.address": settings.viewer_host,
            "server.port": settings.viewer_port,
            "server.headless": True,
            "server.fileWatcherType": "none",
            "browser.gatherUsageStats": False,
            "client.toolbarMode": "viewer",
            "client.showErrorDetails": "none",
        }
    )


def create_app(settings: ViewerSettings) -> App:
    """Return the viewer as an ASGI app."""
    is_secure = settings.public_url.startswith("https:")
    return App(
        SCRIPT,
        secrets={"auth": sign_in_settings(settings)},
        middleware=[Middleware(ReturnToPage, is_secure=is_secure)],
    )


def sign_in_settings(settings: ViewerSettings) -> dict[str, Any]:
    """Return what Streamlit wants to know in order to sign people in."""
    secret = settings.viewer_client_secret
    return {
        "redirect_uri": settings.public_url + CALLBACK_PATH,
        "cookie_secret": settings.viewer_cookie_key.get_secret_value(),
        "client_id": settings.viewer_client_id,
        # Streamlit wants one; a public client sends none.
        "client_secret": secret.get_secret_value() if secret else "none",
        "server_metadata_url": settings.issuer.rstrip("/") + DISCOVERY_PATH,
        "expose_tokens": ["access"],
        "client_kwargs": {
            "scope": SCOPES,
            "token_endpoint_auth_method": "client_secret_post" if secret else "none",
        },
    }


if __name__ == "__main__":
    main()
