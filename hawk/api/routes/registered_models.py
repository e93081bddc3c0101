"""Models, providers and their keys, for administrators; the proxies hear of changes by themselves."""

from typing import Annotated

import httpx
from fastapi import APIRouter, Path, Request

from hawk.api.request_audit import Audit
from hawk.api.services import Admin, ServicesHere
from hawk.errors import NotFound, Upstream, UserError
from hawk.model_registry.contracts import (
    NAME_PATTERN,
    AddModelRequest,
    DiscoveredModel,
    DiscoveryResponse,
    ModelResponse,
    ProviderKeyResponse,
    ProviderListResponse,
    ProviderResponse,
    RegisteredModelsResponse,
    SetProviderKeyRequest,
    SetProviderRequest,
    UpdateModelRequest,
)
from hawk.model_registry.models import add_model, registered_models, set_active, update_model
from hawk.model_registry.provider_keys import StoredKeys, check_key, check_key_reference

router = APIRouter(prefix="/admin", tags=["models"])

Model = Annotated[str, Path(max_length=200, pattern=NAME_PATTERN)]
Provider = Annotated[str, Path(max_length=60, pattern=r"^[a-z0-9][a-z0-9-]*$")]
DISCOVERY_SECONDS = 30.0


@router.get("/models")
def list_registered(services: ServicesHere, admin: Admin) -> RegisteredModelsResponse:
    """Return all models with all that is known of them, deactivated ones included."""
    with services.database.connection() as connection:
        return RegisteredModelsResponse(models=registered_models(connection))


@router.post("/models", status_code=201)
def add(request: AddModelRequest, services: ServicesHere, admin: Admin, audit: Audit) -> ModelResponse:
    """Register a model. 409 where it is registered already."""
    with services.database.connection() as connection, connection.transaction():
        audit.record(
            connection,
            admin,
            "model.add",
            object_kind="model",
            object_id=request.model_name,
            model_group=request.model_group,
        )
        return add_model(connection, request, changed_by=admin.subject)


@router.post("/models/{name:path}/activate")
def activate(name: Model, services: ServicesHere, admin: Admin, audit: Audit) -> ModelResponse:
    """Let the model be used again."""
    with services.database.connection() as connection, connection.transaction():
        audit.record(connection, admin, "model.activate", object_kind="model", object_id=name)
        return set_active(connection, name, is_active=True, changed_by=admin.subject)


@router.post("/models/{name:path}/deactivate")
def deactivate(name: Model, services: ServicesHere, admin: Admin, audit: Audit) -> ModelResponse:
    """Let the model be used no more: calls get 404; what it has made stays as visible as it was."""
    with services.database.connection() as connection, connection.transaction():
        audit.record(connection, admin, "model.deactivate", object_kind="model", object_id=name)
        return set_active(connection, name, is_active=False, changed_by=admin.subject)


@router.patch("/models/{name:path}")
def update(
    name: Model, request: UpdateModelRequest, services: ServicesHere, admin: Admin, audit: Audit
) -> ModelResponse:
    """Change what is set in the request."""
    changed = request.model_dump(mode="json", exclude_unset=True, exclude={"prices", "note"})
    with services.database.connection() as connection, connection.transaction():
        audit.record(connection, admin, "model.update", object_kind="model", object_id=name, **changed)
        return update_model(connection, name, request, changed_by=admin.subject)


@router.get("/providers")
def list_providers(services: ServicesHere, admin: Admin) -> ProviderListResponse:
    """Return the providers that were registered, and the names of stored keys; never a key."""
    with services.database.connection() as connection:
        rows = connection.execute("select * from ops.model_provider order by provider").fetchall()
        keys = connection.execute("select provider from ops.provider_key order by provider").fetchall()
    stored = [row["provider"] for row in keys]
    providers = [ProviderResponse(**row, has_stored_key=row["provider"] in stored) for row in rows]
    return ProviderListResponse(providers=providers, stored_keys=stored)


@router.put("/providers/{name}")
def set_provider(
    name: Provider, request: SetProviderRequest, services: ServicesHere, admin: Admin, audit: Audit
) -> ProviderResponse:
    """Register a provider, or change one. The proxy calls it only where its settings allow its host."""
    check_key_reference(request.key_reference)
    if not request.upstream.startswith(("https://", "http://")):
        raise UserError(f"{request.upstream!r} is no base URL.", hint="Use https://host.", field="upstream")
    values = {"provider": name, "changed_by": admin.subject, **request.model_dump()}
    with services.database.connection() as connection, connection.transaction():
        audit.record(
            connection, admin, "provider.set", object_kind="provider", object_id=name, upstream=request.upstream
        )
        row = connection.execute(
            """
            insert into ops.model_provider
                (provider, dialect, upstream, key_reference, is_active, changed_by, changed_at)
            values (%(provider)s, %(dialect)s, %(upstream)s, %(key_reference)s, %(is_active)s, %(changed_by)s, now())
            on conflict (provider) do update set
                dialect = excluded.dialect, upstream = excluded.upstream, key_reference = excluded.key_reference,
                is_active = excluded.is_active, changed_by = excluded.changed_by, changed_at = excluded.changed_at
            returning *
            """,
            values,
        ).fetchone()
    return ProviderResponse.model_validate(row)


@router.delete("/providers/{name}")
def remove_provider(name: Provider, services: ServicesHere, admin: Admin, audit: Audit) -> ProviderResponse:
    """Forget a registered provider; one of the proxy's settings is as it was before. 404 where there is none."""
    with services.database.connection() as connection, connection.transaction():
        audit.record(connection, admin, "provider.remove", object_kind="provider", object_id=name)
        row = connection.execute("delete from ops.model_provider where provider = %s returning *", [name]).fetchone()
        if row is None:
            raise NotFound(f"No provider {name!r} is registered.", value=name)
    return ProviderResponse.model_validate(row)


@router.put("/provider-keys/{name}")
def set_key(
    name: Provider, request: SetProviderKeyRequest, services: ServicesHere, admin: Admin, audit: Audit
) -> ProviderKeyResponse:
    """Store a provider's key, encrypted, in place of the one it had; the proxies use it within seconds."""
    ciphertext = StoredKeys(services.settings.secret_key).encrypt(check_key(request.key))
    with services.database.connection() as connection, connection.transaction():
        audit.record(connection, admin, "provider_key.set", object_kind="provider", object_id=name)
        connection.execute(
            """
            insert into ops.provider_key (provider, ciphertext, changed_by, changed_at) values (%s, %s, %s, now())
            on conflict (provider) do update set
                ciphertext = excluded.ciphertext, changed_by = excluded.changed_by, changed_at = excluded.changed_at
            """,
            [name, ciphertext, admin.subject],
        )
    return ProviderKeyResponse(provider=name, is_stored=True)


@router.delete("/provider-keys/{name}")
def remove_key(name: Provider, services: ServicesHere, admin: Admin, audit: Audit) -> ProviderKeyResponse:
    """Forget a stored key. 404 where there is none."""
    with services.database.connection() as connection, connection.transaction():
        audit.record(connection, admin, "provider_key.remove", object_kind="provider", object_id=name)
        if not connection.execute("delete from ops.provider_key where provider = %s", [name]).rowcount:
            raise NotFound(f"No key of {name!r} is stored.", value=name)
    return ProviderKeyResponse(provider=name, is_stored=False)


@router.get("/providers/{name}/models")
def discover(name: Provider, request: Request, services: ServicesHere, admin: Admin) -> DiscoveryResponse:
    """Ask a provider, through the proxy which has its key, for the models that it offers."""
    if services.settings.proxy_url is None:
        raise Upstream("The API does not know the proxy.", hint="Set HAWK_PROXY_URL.")
    try:
        answer = httpx.get(
            f"{services.settings.proxy_url.rstrip('/')}/admin/providers/{name}/models",
            headers={"authorization": request.headers["authorization"]},
            timeout=DISCOVERY_SECONDS,
        )
        body = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise Upstream("The proxy does not answer.", hint="Try again in a moment.") from error
    if answer.status_code == 404:
        raise NotFound(str(body["error"]), value=name)
    if answer.status_code != 200:
        raise Upstream(str(body.get("error", f"The proxy answered {answer.status_code}.")))
    with services.database.connection() as connection:
        known = {(model.model_name, model.provider_model) for model in registered_models(connection)}
    names = {model for model, _ in known}
    renamed = {(model.partition("/")[0], there) for model, there in known}
    return DiscoveryResponse(
        provider=name,
        models=[
            DiscoveredModel(
                provider_model=model,
                model_name=f"{name}/{model}",
                is_registered=f"{name}/{model}" in names or (name, model) in renamed,
            )
            for model in body["models"]
        ],
    )
