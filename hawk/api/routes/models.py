"""Models: which ones the caller may use, and what a config would need."""

from fastapi import APIRouter

from hawk.api.contracts import ModelListResponse, PlanRequest, PlanResponse
from hawk.api.services import Caller, ServicesHere, User
from hawk.config.benchmark_names import benchmark_names
from hawk.config.model_names import model_names
from hawk.eval_set_claim import EvalSetOrder, check_order
from hawk.permissions import groups_of_benchmarks, groups_of_models, may_use, missing_groups

router = APIRouter(tags=["models"])


@router.get("/models")
def list_models(services: ServicesHere, caller: Caller) -> ModelListResponse:
    """Return the models that the caller may use, as configs name them; not those that were deactivated."""
    with services.database.connection() as connection:
        rows = connection.execute(
            """
            select model_name, model_group from ops.model_group left join ops.model using (model_name)
            where coalesce(is_active, true) order by model_name
            """
        ).fetchall()
    return ModelListResponse(models=[row["model_name"] for row in rows if may_use(caller, [row["model_group"]])])


@router.post("/plan")
def plan(request: PlanRequest, services: ServicesHere, user: User) -> PlanResponse:
    """Return whether the caller may launch the config; launches nothing."""
    order = EvalSetOrder(origin="api", config=request.config)
    config = check_order(order, allow_local_packages=services.settings.allow_local_packages).config
    names = model_names(config)
    with services.database.connection() as connection:
        groups = groups_of_models(connection, names)
        benchmarks = groups_of_benchmarks(connection, benchmark_names(config))
    unknown = [name for name in names if name not in groups]
    missing = missing_groups(user, [*groups.values(), *benchmarks.values()])
    return PlanResponse(
        model_groups=groups,
        benchmark_groups=benchmarks,
        unknown_models=unknown,
        missing_groups=missing,
        required_secrets=sorted({secret.name for _, secret in config.secret_places() if secret.type == "env"}),
        may_launch=bool(names) and not (unknown or missing),
    )
