"""Benchmarks: which group one must hold to run a task package."""

from typing import Annotated

from fastapi import APIRouter, Path

from hawk.api.contracts import BenchmarkListResponse, BenchmarkResponse, SetBenchmarkGroupRequest
from hawk.api.request_audit import Audit
from hawk.api.services import Admin, ServicesHere, User
from hawk.config.benchmark_names import benchmark_name
from hawk.errors import NotFound
from hawk.permissions import may_view

router = APIRouter(prefix="/benchmarks", tags=["permissions"])

Name = Annotated[str, Path(max_length=200, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]


@router.get("")
def list_benchmarks(services: ServicesHere, user: User) -> BenchmarkListResponse:
    """Return the benchmarks that have a group which the caller holds; for an administrator, all that have one."""
    with services.database.connection() as connection:
        rows = connection.execute(
            "select benchmark, model_group from ops.benchmark_group order by benchmark"
        ).fetchall()
    shown = [row for row in rows if user.is_admin or may_view(user, [row["model_group"]])]
    return BenchmarkListResponse(benchmarks=[BenchmarkResponse.model_validate(row) for row in shown])


@router.put("/{name}")
def set_group(
    name: Name, request: SetBenchmarkGroupRequest, services: ServicesHere, admin: Admin, audit: Audit
) -> BenchmarkResponse:
    """Attach a group, in place of the one it had; holds for launches from now on."""
    benchmark = benchmark_name(name)
    with services.database.connection() as connection, connection.transaction():
        audit.record(
            connection,
            admin,
            "benchmark.set_group",
            object_kind="benchmark",
            object_id=benchmark,
            model_group=request.model_group,
        )
        connection.execute(
            """
            insert into ops.benchmark_group (benchmark, model_group) values (%s, %s)
            on conflict (benchmark) do update set model_group = excluded.model_group
            """,
            [benchmark, request.model_group],
        )
    return BenchmarkResponse(benchmark=benchmark, model_group=request.model_group)


@router.delete("/{name}")
def open_benchmark(name: Name, services: ServicesHere, admin: Admin, audit: Audit) -> BenchmarkResponse:
    """Let everybody run it again who may use the models. 404 where it has no group."""
    benchmark = benchmark_name(name)
    with services.database.connection() as connection, connection.transaction():
        audit.record(connection, admin, "benchmark.open", object_kind="benchmark", object_id=benchmark)
        row = connection.execute(
            "delete from ops.benchmark_group where benchmark = %s returning *", [benchmark]
        ).fetchone()
        if row is None:
            raise NotFound(f"The benchmark {benchmark!r} has no group.", field="name", value=benchmark)
    return BenchmarkResponse.model_validate(row)
