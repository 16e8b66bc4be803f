"""Indexes as the control plane takes and describes them: by schema and deployment since API 2026-07, by dimension and spec before."""

import re
import secrets

from dev.pinecone_server.catalog import Index, new_host_id
from dev.pinecone_server.errors import Code, Refusal, invalid, unsupported

NEWEST_VERSION = "2026-07"
# The one field of an index that the vectors API serves; every other name makes a document index.
VECTORS = "_values"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?")
TAG = re.compile(r"[A-Za-z0-9_-]{1,80}")
METRICS = ("cosine", "dotproduct", "euclidean")
CLOUDS = ("aws", "gcp", "azure")
MOST_DIMENSIONS = 20_000
MOST_TAGS = 20


def new_index(body: dict) -> Index:
    """Return the index that a create request of either shape asks for. Raises Refusal if it cannot be had here."""
    name = body.get("name") or f"index-{secrets.token_hex(4)}"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise invalid(
            "Index name must be 1-45 characters long, contain only lowercase alphanumeric characters or hyphens, "
            "and must not begin or end with a hyphen."
        )
    for field, what in (("source_collection", "collections"), ("source_backup_id", "backups"), ("cmek_id", "customer-managed keys")):
        if body.get(field):
            raise unsupported(what)
    dimension, metric = _by_schema(body["schema"]) if "schema" in body else _by_dimension(body)
    cloud, region, serverless = _by_deployment(body) if "schema" in body else _by_spec(body)
    return Index(
        name=name,
        host_id=new_host_id(name),
        dimension=dimension,
        metric=metric,
        cloud=cloud,
        region=region,
        deletion_protection=protection(body.get("deletion_protection") or "disabled"),
        tags=changed_tags({}, body.get("tags") or {}),
        read_capacity=read_capacity(body.get("read_capacity") or serverless.get("read_capacity") or {"mode": "OnDemand"}),
        metadata_schema=serverless.get("schema"),
    )


def describe(index: Index, host: str, version: str) -> dict:
    """Return an index as the control plane of an API version describes it."""
    shared = {
        "name": index.name,
        "host": host,
        "status": {"ready": True, "state": "Ready"},
        "deletion_protection": index.deletion_protection,
        **({"tags": index.tags} if index.tags else {}),
    }
    capacity = _described_capacity(index.read_capacity)
    if version >= NEWEST_VERSION:
        vectors = {"type": "dense_vector", "dimension": index.dimension, "metric": index.metric}
        deployment = {"deployment_type": "managed", "cloud": index.cloud, "region": index.region}
        return {**shared, "schema": {"fields": {VECTORS: vectors}}, "deployment": deployment, "read_capacity": capacity}
    serverless = {"cloud": index.cloud, "region": index.region, "read_capacity": capacity}
    if index.metadata_schema:
        serverless["schema"] = index.metadata_schema
    return {**shared, "dimension": index.dimension, "metric": index.metric, "vector_type": "dense", "spec": {"serverless": serverless}}


def protection(value: object) -> str:
    """Return a setting of the deletion protection. Raises Refusal for any other."""
    if value not in ("enabled", "disabled"):
        raise invalid(f"deletion_protection must be 'enabled' or 'disabled', got {value!r}")
    return value


def changed_tags(tags: dict[str, str], changes: object) -> dict[str, str]:
    """Return the tags with the changes merged in; an empty value removes a tag. Raises Refusal if a tag is not possible."""
    if not isinstance(changes, dict):
        raise _unprocessable("tags must be an object")
    for key, value in changes.items():
        if (
            not TAG.fullmatch(key)
            or not isinstance(value, str)
            or len(value) > 120
            or not (value.isascii() and (value.isprintable() or not value))
        ):
            raise invalid(f"Tag {key!r}: keys have 1-80 letters, digits, '_' or '-', values at most 120 printable ASCII characters.")
    merged = {key: value for key, value in {**tags, **changes}.items() if value}
    if len(merged) > MOST_TAGS:
        raise invalid(f"An index has at most {MOST_TAGS} tags, got {len(merged)}")
    return merged


def read_capacity(capacity: object) -> dict:
    """Return a read capacity, which this server remembers and nothing else. Raises Refusal if it is not one."""
    if not isinstance(capacity, dict) or capacity.get("mode") not in ("OnDemand", "Dedicated"):
        raise invalid("read_capacity must have a mode of 'OnDemand' or 'Dedicated'")
    if capacity["mode"] == "OnDemand":
        return {"mode": "OnDemand"}
    if not isinstance(capacity.get("dedicated"), dict):
        raise invalid("read_capacity of mode 'Dedicated' needs 'dedicated'")
    return {"mode": "Dedicated", "dedicated": capacity["dedicated"]}


def _by_schema(schema: object) -> tuple[int, str]:
    fields = schema.get("fields") if isinstance(schema, dict) else None
    if not isinstance(fields, dict) or not fields or not all(isinstance(field, dict) for field in fields.values()):
        raise _unprocessable("schema.fields must be an object with at least one field")
    if list(fields) != [VECTORS] or fields[VECTORS].get("type") != "dense_vector":
        raise unsupported(
            f"schemas other than one dense_vector field named {VECTORS}: document, sparse and full-text indexes are missing here"
        )
    return _dimension(fields[VECTORS].get("dimension")), _metric(fields[VECTORS].get("metric"))


def _by_dimension(body: dict) -> tuple[int, str]:
    if body.get("vector_type", "dense") != "dense":
        raise unsupported("sparse indexes")
    return _dimension(body.get("dimension")), _metric(body.get("metric") or "cosine")


def _by_deployment(body: dict) -> tuple[str, str, dict]:
    deployment = body.get("deployment") or {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"}
    if not isinstance(deployment, dict) or deployment.get("deployment_type", "managed") != "managed":
        raise unsupported("pod and BYOC deployments")
    return *_place(deployment), {}


def _by_spec(body: dict) -> tuple[str, str, dict]:
    spec = body.get("spec")
    if not isinstance(spec, dict):
        raise _unprocessable("missing field `spec`")
    if not isinstance(spec.get("serverless"), dict):
        raise unsupported("pod and BYOC indexes")
    if spec["serverless"].get("source_collection"):
        raise unsupported("collections")
    return *_place(spec["serverless"]), spec["serverless"]


def _place(deployment: dict) -> tuple[str, str]:
    cloud, region = deployment.get("cloud"), deployment.get("region")
    if cloud not in CLOUDS or not isinstance(region, str) or not re.fullmatch(r"[a-z]+-?[a-z]+-?[a-z]*\d?", region):
        raise Refusal(Code.NOT_FOUND, f"Resource cloud: {cloud} region: {region} not found.")
    return cloud, region


def _dimension(value: object) -> int:
    if value is None:
        raise _unprocessable("missing field `dimension`")
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_DIMENSIONS:
        raise invalid(f"dimension must be a whole number from 1 to {MOST_DIMENSIONS}, got {value!r}")
    return value


def _metric(value: object) -> str:
    if value not in METRICS:
        raise invalid(f"metric must be one of {', '.join(METRICS)}, got {value!r}")
    return value


def _described_capacity(capacity: dict) -> dict:
    if capacity["mode"] == "OnDemand":
        return {"mode": "OnDemand", "status": {"state": "Ready"}}
    manual = capacity["dedicated"].get("manual") or {}
    status = {"state": "Ready", "current_shards": manual.get("shards", 1), "current_replicas": manual.get("replicas", 1)}
    return {**capacity, "status": status}


def _unprocessable(message: str) -> Refusal:
    return Refusal(Code.UNPROCESSABLE_ENTITY, f"Failed to deserialize the JSON body into the target type: {message}")
