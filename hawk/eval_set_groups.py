"""Which groups one must hold to see an eval set: those declared at launch, and those of models found in its logs."""

from typing import TYPE_CHECKING

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.eval_set_folder import EvalSetFolder, ModelsFile
from hawk.eval_sets import EvalSetRow
from hawk.log_import.facts import NO_MODELS
from hawk.permissions import UNRESOLVED_GROUP, groups_of_models

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MODELS_FOUND = """
select eval.model from raw.eval where eval.eval_set_id = %(id)s and eval.model is not null
union
select eval_model.model from raw.eval_model
inner join raw.eval_import using (import_id) where eval_import.eval_set_id = %(id)s
union
select role.model from raw.eval_model_role as role
inner join raw.eval_import using (import_id) where eval_import.eval_set_id = %(id)s
union
select used.model from raw.eval_model_usage as used
inner join raw.eval_import using (import_id) where eval_import.eval_set_id = %(id)s
"""


def required_groups(connection: Connection[DictRow], row: EvalSetRow, declared: ModelsFile | None) -> frozenset[str]:
    """Return the groups declared at launch, in the table and in `.models.json`, and of the models found in logs.

    A model without a group adds UNRESOLVED_GROUP, which nobody holds.
    """
    names = {found["model"] for found in connection.execute(_MODELS_FOUND, {"id": row.eval_set_id})} - NO_MODELS
    told = declared.model_groups if declared else frozenset()
    return frozenset(row.model_groups) | told | groups_of(connection, names)


def declared_models(s3: "S3Client", bucket: str, eval_set_id: str) -> ModelsFile | None:
    """Return what the set's `.models.json` says, None where there is none. Raises Conflict and Upstream."""
    return EvalSetFolder(s3, bucket, eval_set_id).read_models()


def groups_of(connection: Connection[DictRow], model_names: frozenset[str] | set[str]) -> frozenset[str]:
    """Return the group of each model, UNRESOLVED_GROUP for one that has none."""
    groups = groups_of_models(connection, model_names)
    return frozenset(groups.get(name) or UNRESOLVED_GROUP for name in model_names)
