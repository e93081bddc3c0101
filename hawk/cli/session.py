"""Where the CLI is and who uses it: settings, the API's client, a token that is refreshed, the last id."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hawk.cli.token_store import StoredTokens, TokenStore
from hawk.errors import NotSignedIn, UserError
from hawk.settings import CliSettings

if TYPE_CHECKING:
    from hawk.cli.client import HawkClient
    from hawk.cli.oidc import OidcClient

LAST_ID_FILE = "last-eval-set-id"


@dataclass(frozen=True)
class Session:
    """One command's use of the API."""

    settings: CliSettings

    @property
    def api_url(self) -> str:
        """Return the API's address. Raises UserError where none is known."""
        if not self.settings.api_url:
            raise UserError(
                "No API is known.",
                hint="Start everything on this machine with `hawk dev up`, or set HAWK_API_URL.",
                field="HAWK_API_URL",
            )
        return self.settings.api_url.rstrip("/")

    @cached_property
    def client(self) -> "HawkClient":
        from hawk.cli.client import HawkClient

        return HawkClient(self.api_url, self.access_token)

    @cached_property
    def tokens(self) -> TokenStore:
        return TokenStore(self.settings.config_home)

    def access_token(self) -> str:
        """Return a token that holds, refreshed where need be; never asks anybody. Raises NotSignedIn."""
        if self.settings.access_token is not None:
            return self.settings.access_token.get_secret_value()
        stored = self.tokens.load(self.api_url)
        if stored is not None and stored.is_fresh:
            return stored.access_token
        with self.tokens.lock():
            return self._refreshed().access_token

    def oidc(self, *, login_hint: str | None = None) -> "OidcClient":
        """Return the client of the issuer that the API believes."""
        from hawk.cli.oidc import OidcClient

        config = self.client.auth_config()
        return OidcClient(
            config.issuer,
            config.client_id,
            config.scopes,
            login_hint=login_hint,
            callback_port=config.callback_port,
        )

    def remember(self, eval_set_id: str) -> None:
        """Let commands that are given no id mean this set."""
        folder = self.settings.config_home
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._last_id_path.write_text(eval_set_id + "\n")

    def eval_set_id(self, given: str | None) -> str:
        """Return the id that was given, else the last one. Raises UserError where there is neither."""
        if given:
            return given
        try:
            remembered = self._last_id_path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            remembered = ""
        if not remembered:
            raise UserError(
                "No eval set id was given, and none was launched from here yet.",
                hint="Name one; see them with `hawk list eval-sets`.",
                field="eval_set_id",
            )
        return remembered

    def close(self) -> None:
        if "client" in self.__dict__:  # made by its first use
            self.client.close()

    @property
    def _last_id_path(self) -> Path:
        return self.settings.config_home / LAST_ID_FILE

    def _refreshed(self) -> StoredTokens:
        from hawk.cli.oidc import OidcClient

        # Another command may have refreshed while this one waited for the lock.
        stored = self.tokens.load(self.api_url)
        if stored is None:
            raise NotSignedIn("You are not signed in.", hint="Sign in: hawk login.")
        if stored.is_fresh:
            return stored
        if stored.refresh_token is None:
            raise NotSignedIn("Your sign-in has expired.", hint="Sign in again: hawk login.")
        tokens = OidcClient(stored.issuer, stored.client_id, scopes=[]).refresh(stored.refresh_token)
        self.tokens.save(self.api_url, tokens)
        return tokens


def open_session() -> Session:
    """Return the session of the command that runs; its connections are closed when the command ends."""
    session = Session(CliSettings())
    context = click.get_current_context(silent=True)
    if context is not None:
        context.call_on_close(session.close)
    return session
