"""Keys of providers, where administrators said they are: in the environment, in Secrets Manager, stored encrypted.

Read when the registry changes and every few minutes, so that a key that was rotated is taken. The proxy alone reads
them; nothing here logs or repeats one.
"""

import asyncio
import logging
import os
import re
from collections.abc import Mapping

from pydantic import SecretStr

from hawk.errors import HawkError, NotFound, Upstream
from hawk.model_registry.provider_keys import StoredKeys, secret_from_secrets_manager
from hawk.settings import ProxySettings
from proxy.providers import Provider, allowed_hosts, providers_of, registered_provider
from proxy.registered import ProviderRow, Registered

READ_AGAIN_SECONDS = 300.0
# Nothing else of the environment, Hawk's own keys above all, can be sent to a provider.
_ENVIRONMENT_NAME = re.compile(r"(?!HAWK_)[A-Z][A-Z0-9_]*_API_KEY")

logger = logging.getLogger(__name__)


class Providers:
    """The providers by name: those of the settings, and above them those that were registered."""

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings
        self._of_settings = providers_of(settings)
        self._allowed = allowed_hosts(settings)
        self._stored = StoredKeys(settings.secret_key) if settings.secret_key else None
        self._registered = Registered()
        self._last_of: dict[ProviderRow, Provider] = {}
        self._task: asyncio.Task[None] | None = None
        self.now: Mapping[str, Provider] = self._of_settings

    def start(self) -> None:
        self._task = asyncio.create_task(self._read_again_and_again())

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def replace(self, registered: Registered) -> None:
        """Go by another reading of the registry."""
        self._registered = registered
        await self._read()

    async def _read_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(READ_AGAIN_SECONDS)
            if self._registered.provider_rows:
                await self._read()

    async def _read(self) -> None:
        registered = self._registered
        known = {**self._of_settings}
        found = {row: await self._provider(row, registered) for row in self._rows_of_stored_keys(registered)}
        known |= {row.name: provider for row, provider in found.items() if provider is not None and provider.has_key}
        last_of: dict[ProviderRow, Provider] = {}
        for row in registered.provider_rows:
            known.pop(row.name, None)
            provider = await self._provider(row, registered) if row.is_active else None
            if provider is not None:
                known[row.name] = last_of[row] = provider
        if registered is self._registered:  # else another reading has overtaken this one
            self.now, self._last_of = known, last_of

    async def _provider(self, row: ProviderRow, registered: Registered) -> Provider | None:
        """Return a registered provider, as it was last where its key cannot be asked for now; None if unusable."""
        try:
            return registered_provider(row, await self._key(row, registered), allowed=self._allowed)
        except Upstream as error:
            logger.warning("a provider's key is as it was last", extra={"provider": row.name, "problem": str(error)})
            return self._last_of.get(row)
        except HawkError as error:
            logger.warning("a provider cannot be used", extra={"provider": row.name, "problem": str(error)})
            return None

    def _rows_of_stored_keys(self, registered: Registered) -> list[ProviderRow]:
        """Return providers of the settings whose key was handed in since, as if they were registered."""
        of_settings = [self._of_settings[name] for name in registered.stored_keys if name in self._of_settings]
        return [
            ProviderRow(provider.name, provider.kind, provider.upstream, "stored", is_active=True)
            for provider in of_settings
            if provider.kind != "vertex"
        ]

    async def _key(self, row: ProviderRow, registered: Registered) -> SecretStr | None:
        kind, _, name = row.key_reference.partition(":")
        match kind:
            case "env":
                return SecretStr(os.environ.get(name, "")) if _ENVIRONMENT_NAME.fullmatch(name) else None
            case "secret":
                return await self._key_in_secrets_manager(name)
            case "stored":
                return self._stored_key(row, registered)
        return None

    async def _key_in_secrets_manager(self, name: str) -> SecretStr | None:
        """Return the key, None where its secret is gone. Raises Upstream."""
        try:
            return await asyncio.to_thread(secret_from_secrets_manager, name)
        except NotFound as error:
            logger.warning("a provider's key is gone", extra={"problem": str(error)})
            return None

    def _stored_key(self, row: ProviderRow, registered: Registered) -> SecretStr | None:
        ciphertext = registered.stored_keys.get(row.name)
        if ciphertext is None or self._stored is None:
            return None
        try:
            return self._stored.decrypt(ciphertext)
        except HawkError as error:
            logger.warning("a provider's key cannot be read", extra={"provider": row.name, "problem": str(error)})
            return None
