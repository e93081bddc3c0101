"""What a principal may do and see: deny, unless every group that is asked for is held.

Model access is a matter of groups alone; being an admin or an owner never replaces one. The same rule stands in SQL
as row-level security.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from hawk.errors import NotAllowed, UserError
from hawk.naming import OPS_SCHEMA

if TYPE_CHECKING:
    import psycopg

READ_SUFFIX = ":read"
WRITE_SUFFIX = ":write"
# Stands for the group of a model that could not be found out. Nobody is ever granted it.
UNRESOLVED_GROUP = "__unresolved__"


class Holder(Protocol):
    """The part of hawk.auth.Principal on which rights depend."""

    @property
    def subject(self) -> str: ...
    @property
    def permissions(self) -> frozenset[str]: ...
    @property
    def is_admin(self) -> bool: ...
    @property
    def created_by(self) -> str | None: ...
    @property
    def kind(self) -> str: ...


def may_use(principal: Holder, required_groups: Iterable[str]) -> bool:
    """Say whether the principal may run models of these groups; no groups at all means no."""
    return _holds_all(_granted(principal.permissions, WRITE_SUFFIX), required_groups)


def may_view(principal: Holder, required_groups: Iterable[str]) -> bool:
    """Say whether the principal may see what models of these groups have made; no groups at all means no."""
    return _holds_all(viewable_groups(principal.permissions), required_groups)


def viewable_groups(permissions: Iterable[str]) -> frozenset[str]:
    """Return the groups that these permissions grant for reading at least."""
    held = frozenset(permissions)
    return _granted(held, WRITE_SUFFIX) | _granted(held, READ_SUFFIX)


def may_change(principal: Holder, owner: str | None) -> bool:
    """Say whether the principal may stop, retry, change or delete what `owner` made: owners and admins may.

    A job may not, even of its own creator; it has no business with other runs.
    """
    if principal.kind != "user":
        return False
    return principal.is_admin or (bool(owner) and principal.subject == owner)


def missing_groups(principal: Holder, required_groups: Iterable[str]) -> list[str]:
    """Return the groups that `may_use` misses, sorted."""
    return sorted(set(required_groups) - _granted(principal.permissions, WRITE_SUFFIX))


def unseen_groups(principal: Holder, required_groups: Iterable[str]) -> list[str]:
    """Return the groups that `may_view` misses, sorted."""
    return sorted(group for group in set(required_groups) if not may_view(principal, [group]))


def is_known_group(group: str) -> bool:
    """Say whether a group is one that somebody may hold."""
    return group not in ("", UNRESOLVED_GROUP)


def require_use(
    principal: Holder, groups_of_models: Mapping[str, str], groups_of_benchmarks: Mapping[str, str] | None = None
) -> None:
    """Raise NotAllowed that names the groups and what they are of, unless all models and benchmarks may be used."""
    benchmarks = groups_of_benchmarks or {}
    if may_use(principal, groups_of_models.values()) and not missing_groups(principal, benchmarks.values()):
        return
    missing = missing_groups(principal, [*groups_of_models.values(), *benchmarks.values()])
    refused = sorted(name for name, group in [*groups_of_models.items(), *benchmarks.items()] if group in missing)
    raise NotAllowed(
        f"You may not use {', '.join(refused) or 'no model at all'}: you lack {', '.join(missing) or 'any group'}.",
        hint="Ask an administrator for the group, or take others.",
        value=missing,
        field="tasks" if set(refused) <= set(benchmarks) and refused else "models",
    )


def groups_of_models(connection: "psycopg.Connection[Any]", model_names: Iterable[str]) -> dict[str, str]:
    """Return model name -> group, of those names that have one."""
    names = sorted(set(model_names))
    if not names:
        return {}
    from psycopg.rows import tuple_row

    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            f"select model_name, model_group from {OPS_SCHEMA}.model_group where model_name = any(%s)",  # noqa: S608  # a name of ours
            [names],
        )
        return {str(name): str(group) for name, group in cursor.fetchall()}


def groups_of_benchmarks(connection: "psycopg.Connection[Any]", names: Iterable[str]) -> dict[str, str]:
    """Return benchmark -> group, of those that have one; the others, unlike models, are open to whoever asks."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    from psycopg.rows import tuple_row

    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            f"select benchmark, model_group from {OPS_SCHEMA}.benchmark_group where benchmark = any(%s)",  # noqa: S608  # a name of ours
            [wanted],
        )
        return {str(name): str(group) for name, group in cursor.fetchall()}


def required_groups(connection: "psycopg.Connection[Any]", model_names: Iterable[str]) -> dict[str, str]:
    """Return model name -> group of every name. Raises UserError that names the models nobody has registered."""
    names = sorted(set(model_names))
    groups = groups_of_models(connection, names)
    unknown = [name for name in names if groups.get(name, UNRESOLVED_GROUP) in ("", UNRESOLVED_GROUP)]
    if unknown:
        raise UserError(
            f"Unknown model{'s' if len(unknown) > 1 else ''}: {', '.join(unknown)}.",
            hint="Use a model that is registered, named provider/model, or ask an administrator to add it.",
            value=unknown,
            field="models",
        )
    return groups


def _granted(permissions: Iterable[str], suffix: str) -> frozenset[str]:
    """Return the groups that are held whole or with this suffix."""
    whole = {held for held in permissions if not held.endswith((READ_SUFFIX, WRITE_SUFFIX))}
    in_part = {held.removesuffix(suffix) for held in permissions if held.endswith(suffix)}
    return frozenset(whole | in_part) - {"", UNRESOLVED_GROUP}


def _holds_all(granted: frozenset[str], required_groups: Iterable[str]) -> bool:
    required = set(required_groups)
    return bool(required) and required <= granted
