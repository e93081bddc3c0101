"""Objects of a cluster as plain data, with errors that say what to do; the rest is the kubernetes library's."""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import urllib3
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

from hawk.errors import Conflict, NotFound, Upstream, UserError

Manifest = dict[str, Any]

logger = logging.getLogger(__name__)

FIELD_MANAGER = "hawk"
REQUEST_SECONDS = 30
PAGE = 500
TRIES = 4
_RETRIED = frozenset({429, 500, 502, 503, 504})
# Path of each kind, and whether it lives in a namespace.
_KINDS: Mapping[str, tuple[str, str, bool]] = {
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False),
    "CiliumNetworkPolicy": ("/apis/cilium.io/v2", "ciliumnetworkpolicies", True),
    "ConfigMap": ("/api/v1", "configmaps", True),
    "Endpoints": ("/api/v1", "endpoints", True),
    "Event": ("/api/v1", "events", True),
    "Job": ("/apis/batch/v1", "jobs", True),
    "LocalQueue": ("/apis/kueue.x-k8s.io/v1beta1", "localqueues", True),
    "Namespace": ("/api/v1", "namespaces", False),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies", True),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims", True),
    "Pod": ("/api/v1", "pods", True),
    "ResourceQuota": ("/api/v1", "resourcequotas", True),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings", True),
    "Secret": ("/api/v1", "secrets", True),
    "Service": ("/api/v1", "services", True),
    "ServiceAccount": ("/api/v1", "serviceaccounts", True),
    "StatefulSet": ("/apis/apps/v1", "statefulsets", True),
}


def api_client(context: str | None) -> ApiClient:
    """Return a client of the kubeconfig's cluster, or of the one that this runs in. Raises UserError without either."""
    configuration = Configuration()
    try:
        load_kube_config(context=context, client_configuration=configuration)
    except ConfigException as error:
        try:
            load_incluster_config(client_configuration=configuration)
        except ConfigException:
            raise UserError(
                f"There is no cluster to launch jobs on: {error}",
                hint="Set KUBECONFIG, or HAWK_LAUNCHER=local to run jobs on this machine.",
                value=context,
            ) from error
    configuration.retries = False
    configuration.client_side_validation = False  # a newer server says more than this client knows
    return ApiClient(configuration)


class KubernetesApi:
    """Reads and writes objects of the kinds that Hawk has to do with."""

    def __init__(self, client: ApiClient) -> None:
        self.client = client

    def get(self, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """Return the object, or None if there is none of this name."""
        try:
            return self._call("GET", _path(kind, namespace, name))
        except NotFound:
            return None

    def list(
        self, kind: str, namespace: str | None = None, *, labels: Mapping[str, str] | None = None, fields: str = ""
    ) -> list[Manifest]:
        """Return the objects that bear all the labels, in one namespace or in all."""
        query = {"limit": str(PAGE)}
        if labels:
            query["labelSelector"] = ",".join(f"{key}={value}" for key, value in labels.items())
        if fields:
            query["fieldSelector"] = fields
        found: list[Manifest] = []
        while True:
            page = self._call("GET", _path(kind, namespace), query=query)
            found.extend({"kind": kind, **item} for item in page.get("items") or ())
            following = page["metadata"].get("continue")
            if not following:
                return found
            query["continue"] = following

    def apply(self, manifest: Manifest) -> Manifest:
        """Bring an object about as the manifest says, whether it is there or not (server-side apply)."""
        return self._call(
            "PATCH",
            _path_of(manifest),
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body=manifest,
            content_type="application/apply-patch+yaml",
        )

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object. Raises Conflict if it is there."""
        metadata = manifest["metadata"]
        return self._call("POST", _path(manifest["kind"], metadata.get("namespace")), body=manifest)

    def replace(self, manifest: Manifest) -> Manifest:
        """Replace an object. Raises Conflict if it has changed since the manifest was read."""
        return self._call("PUT", _path_of(manifest), body=manifest)

    def patch(self, kind: str, name: str, namespace: str | None, changes: Manifest) -> None:
        """Merge changes into an object; does nothing if it is gone."""
        try:
            path = _path(kind, namespace, name)
            self._call("PATCH", path, body=changes, content_type="application/merge-patch+json")
        except NotFound:
            logger.info("an object was gone before it was changed", extra={"kind": kind, "object_name": name})

    def delete(self, kind: str, name: str, namespace: str | None = None, *, grace_seconds: int | None = None) -> None:
        """Delete an object, and what it owns, in the background; does nothing if it is gone."""
        options: Manifest = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            self._call("DELETE", _path(kind, namespace, name), body=options)
        except (NotFound, Conflict):  # a namespace that is ending conflicts
            return

    def delete_all(self, kind: str, namespace: str, *, labels: Mapping[str, str]) -> None:
        """Delete the objects of a namespace that bear all the labels, without reading them."""
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())}
        self._call("DELETE", _path(kind, namespace), query=query)

    def has_kind(self, kind: str) -> bool:
        """Say whether the cluster knows a kind."""
        group, plural, _ = _KINDS[kind]
        try:
            resources = self._call("GET", group)
        except NotFound:
            return False
        return any(resource["name"] == plural for resource in resources.get("resources") or ())

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        for attempt in range(1, TRIES + 1):
            try:
                answer = self.client.call_api(
                    path,
                    method,
                    query_params=list((query or {}).items()),
                    header_params={"Accept": "application/json", "Content-Type": content_type},
                    body=body,
                    auth_settings=["BearerToken"],
                    _preload_content=False,
                    _return_http_data_only=True,
                    _request_timeout=REQUEST_SECONDS,
                )
                result: Manifest = json.loads(answer.data)
                return result
            except ApiException as error:
                if error.status not in _RETRIED or attempt == TRIES:
                    raise error_of(error, f"{method} {path}") from error
            except urllib3.exceptions.HTTPError as error:
                if attempt == TRIES or method == "POST":
                    raise Upstream(f"The cluster does not answer: {error}", hint="Try again in a moment.") from error
            time.sleep(0.2 * 2**attempt)
        raise AssertionError("unreachable")


def error_of(error: ApiException, what: str) -> NotFound | Conflict | UserError | Upstream:
    """Return the error of ours for an answer of the API server."""
    try:
        said = str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError, TypeError):
        said = str(error.reason)
    match error.status:
        case 404:
            return NotFound(f"Kubernetes: {said}", value=what)
        case 409:
            return Conflict(f"Kubernetes: {said}", value=what)
        case 400 | 422:
            return UserError(f"Kubernetes refuses what the job would be: {said}", value=what)
        case 401 | 403:
            hint = "Give the launcher the rights of infra/kubernetes/launcher.yaml."
            return Upstream(f"Kubernetes does not let the launcher do this: {said}", hint=hint, value=what)
        case _:
            return Upstream(f"Kubernetes failed ({error.status}): {said}", hint="Try again in a moment.", value=what)


def _path_of(manifest: Manifest) -> str:
    return _path(manifest["kind"], manifest["metadata"].get("namespace"), manifest["metadata"]["name"])


def _path(kind: str, namespace: str | None, name: str | None = None) -> str:
    group, plural, is_namespaced = _KINDS[kind]
    place = f"/namespaces/{quote(namespace, safe='')}" if is_namespaced and namespace else ""
    return f"{group}{place}/{plural}" + (f"/{quote(name, safe='')}" if name else "")
