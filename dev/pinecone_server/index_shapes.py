"""Indexes as the control plane takes and describes them: by schema and deployment since API 2026-07, by dimension and spec before."""

import re
import secrets

from dev.pinecone_server import limits, read_capacity, regions
from dev.pinecone_server.catalog import VECTORS, Index, new_host_id
from dev.pinecone_server.errors import Code, Refusal, invalid, unsupported

NEWEST_VERSION = "2026-07"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?")
TAG = re.compile(r"[A-Za-z0-9_-]{1,80}")
METRICS = ("cosine", "dotproduct", "euclidean")
METADATA_TYPES = ("boolean", "float", "integer", "number", "semantic_text", "string_list")
MOST_DIMENSIONS = 20_000
MOST_TAGS = 20
LONGEST_FIELD_BYTES = 64
DEFAULT_DEPLOYMENT = {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"}


def new_index(body: dict) -> Index:
    """Return the index that a create request of either shape asks for. Raises Refusal if it cannot be had here."""
    name = f"index-{secrets.token_hex(4)}" if body.get("name") is None else body["name"]
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise invalid(
            "Index name must be 1-45 characters long, contain only lowercase alphanumeric characters or hyphens, "
            "and must not begin or end with a hyphen."
        )
    for field, what in (("source_collection", "collections"), ("source_backup_id", "backups"), ("cmek_id", "customer-managed keys")):
        if body.get(field):
            raise unsupported(what)
    cloud, region, serverless = _by_deployment(body) if "schema" in body else _by_spec(body)
    vector_field, dimension, metric = _by_schema(body["schema"]) if "schema" in body else _by_dimension(body)
    capacity = asked_capacity(body)
    return Index(
        name=name,
        host_id=new_host_id(name),
        dimension=dimension,
        metric=metric,
        cloud=cloud,
        region=region,
        deletion_protection=protection(_given(body, "deletion_protection", "disabled")),
        tags=changed_tags({}, _given(body, "tags", {})),
        read_capacity=read_capacity.ON_DEMAND if capacity is None else read_capacity.changed({}, capacity),
        metadata_schema=limits.metadata_schema(serverless.get("schema")),
        vector_field=vector_field,
    )


def describe(index: Index, host: str, version: str) -> dict:
    """Return an index as the control plane of an API version describes it."""
    shared = {
        "name": index.name,
        "host": host,
        "status": {"ready": True, "state": "Ready"},
        "deletion_protection": index.deletion_protection,
    }
    capacity = read_capacity.described(index.read_capacity)
    if version >= NEWEST_VERSION:
        vectors = {"type": "dense_vector", "dimension": index.dimension, "metric": index.metric}
        deployment = {"deployment_type": "managed", "cloud": index.cloud, "region": index.region}
        schema = {"fields": {index.vector_field: vectors}}
        return {**shared, "schema": schema, "deployment": deployment, "read_capacity": capacity, "tags": index.tags or None}
    if index.tags:
        shared["tags"] = index.tags
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


def asked_capacity(body: dict) -> object:
    """Return the read capacity that a request asks for, None if it asks for none: before API 2026-07 it stands in the spec."""
    if body.get("read_capacity") is not None:
        return body["read_capacity"]
    return member(member(body, "spec"), "serverless").get("read_capacity")


def member(body: dict, name: str) -> dict:
    """Return an object in a body, an empty one where it is left out. Raises Refusal if it is anything else."""
    part = _given(body, name, {})
    if not isinstance(part, dict):
        raise _unprocessable(f"{name} must be an object")
    return part


def _given(body: dict, name: str, default: object) -> object:
    return default if body.get(name) is None else body[name]


def _by_schema(schema: object) -> tuple[str, int, str]:
    fields = schema.get("fields") if isinstance(schema, dict) else None
    if not isinstance(fields, dict) or not fields or not all(isinstance(field, dict) for field in fields.values()):
        raise _unprocessable("schema.fields must be an object with at least one field")
    for name, field in fields.items():
        _judge(name, field)
    name, field = next(iter(fields.items()))
    if len(fields) > 1 or field["type"] != "dense_vector":
        raise unsupported("schemas other than one dense_vector field: hybrid, sparse and full-text indexes are missing here")
    if name != VECTORS and (not 1 <= len(name.encode()) <= LONGEST_FIELD_BYTES or name.startswith(("_", "$"))):
        raise invalid(f"A field name has 1-{LONGEST_FIELD_BYTES} bytes and does not begin with '_' or '$', got {name!r}")
    return name, _dimension(field["dimension"]), _metric(field["metric"])


def _judge(name: str, field: dict) -> None:
    kind = _text(field, "type")
    is_text = kind == "string" and "full_text_search" not in field
    if kind in METADATA_TYPES or (is_text and "filterable" in field):
        raise invalid(f"A schema only accepts fields used for search, not {name!r}: metadata is indexed without being declared.")
    if kind not in ("dense_vector", "sparse_vector", "string"):
        raise _unprocessable(f"unknown variant `{kind}`, expected one of `dense_vector`, `sparse_vector`, `string`")
    if is_text and set(field) <= {"type", "description"}:
        raise _unprocessable("missing field `full_text_search`")
    for needed in ("dimension", "metric"):
        if kind == "dense_vector" and field.get(needed) is None:
            raise _unprocessable(f"missing field `{needed}`")


def _by_dimension(body: dict) -> tuple[str, int, str]:
    kind = _given(body, "vector_type", "dense")
    if kind == "sparse":
        raise unsupported("sparse indexes")
    if kind != "dense":
        raise invalid(f"vector_type must be 'dense' or 'sparse', got {kind!r}")
    if body.get("dimension") is None:
        raise _unprocessable("missing field `dimension`")
    return VECTORS, _dimension(body["dimension"]), _metric(_given(body, "metric", "cosine"))


def _by_deployment(body: dict) -> tuple[str, str, dict]:
    deployment = DEFAULT_DEPLOYMENT if body.get("deployment") is None else member(body, "deployment")
    kind = _text(deployment, "deployment_type")
    if kind in ("pod", "byoc"):
        raise unsupported("pod and BYOC deployments")
    if kind != "managed":
        raise _unprocessable(f"unknown variant `{kind}`, expected one of `managed`, `byoc`")
    return *_place(deployment), {}


def _by_spec(body: dict) -> tuple[str, str, dict]:
    spec = member(body, "spec")
    if "serverless" not in spec and ("pod" in spec or "byoc" in spec):
        raise unsupported("pod and BYOC indexes")
    if spec.get("serverless") is None:
        raise _unprocessable("missing field `spec.serverless`")
    serverless = member(spec, "serverless")
    if serverless.get("source_collection"):
        raise unsupported("collections")
    return *_place(serverless), serverless


def _place(deployment: dict) -> tuple[str, str]:
    return regions.place(_text(deployment, "cloud"), _text(deployment, "region"))


def _text(body: dict, name: str) -> str:
    if body.get(name) is None:
        raise _unprocessable(f"missing field `{name}`")
    if not isinstance(body[name], str):
        raise _unprocessable(f"{name} must be a string")
    return body[name]


def _dimension(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_DIMENSIONS:
        raise invalid(f"dimension must be a whole number from 1 to {MOST_DIMENSIONS}, got {value!r}")
    return value


def _metric(value: object) -> str:
    if value not in METRICS:
        raise invalid(f"metric must be one of {', '.join(METRICS)}, got {value!r}")
    return value


def _unprocessable(message: str) -> Refusal:
    return Refusal(Code.UNPROCESSABLE_ENTITY, f"Failed to deserialize the JSON body into the target type: {message}")
