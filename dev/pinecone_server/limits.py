"""What the service accepts in a request, checked before anything is written."""

import re
from contextlib import suppress

import numpy as np
import orjson

from dev.pinecone_server.errors import Code, Refusal, invalid, unsupported
from dev.pinecone_server.filters import Metadata
from dev.pinecone_server.records import Change

MOST_UPSERT_BYTES = 2 * 1024 * 1024
MOST_BODY_BYTES = 16 * 1024 * 1024
MOST_RESULT_BYTES = 4 * 1024 * 1024
MOST_RECORDS = 1000
MOST_IDS = 1000
MOST_MATCHES = 10_000
MOST_LISTED = 100
MOST_METADATA_BYTES = 40 * 1024
MOST_FIELDS = 50
LONGEST_NAME = 512
SMALLEST_VALUE = 1e-8
ASCII = re.compile(r"[\x01-\x7f]+")
ALIAS = re.compile(r"""[!"$'()*,.:<>@\[\]^_`{|}~0-9A-Za-z-]+""")


def namespace_name(name: object) -> str:
    """Return a namespace name as the store has it: the empty one is `__default__`. Raises Refusal if it is not possible."""
    if name is None or name == "":
        return "__default__"
    if not isinstance(name, str) or not ASCII.fullmatch(name):
        raise invalid(f"Namespace must be a string of ASCII characters other than NUL, got {name!r}", reason="NAMESPACE_INVALID")
    if len(name) > LONGEST_NAME:
        raise invalid(f"Namespace must be at most {LONGEST_NAME} characters long, got {len(name)}", reason="NAMESPACE_TOO_LONG")
    return name


def given_namespace(name: str) -> str:
    """Return the namespace that a path names. Raises Refusal if it names none, which means the default one in bodies alone."""
    if not name:
        raise invalid(f"The path must name a namespace of 1 to {LONGEST_NAME} characters; the default one is __default__")
    return namespace_name(name)


def alias_name(name: object) -> str:
    """Return a possible alias name. Raises Refusal for any other."""
    if not isinstance(name, str) or not ALIAS.fullmatch(name) or len(name) > LONGEST_NAME or name in ("__default__", ".", ".."):
        message = f"An alias name has 1 to {LONGEST_NAME} printable ASCII characters without spaces and / ? # % & = \\ ; +, got {name!r}"
        raise invalid(message, reason="ALIAS_NAME_INVALID")
    return name


def prefix(value: str | None) -> str | None:
    """Return the prefix of a listing, None where every name matches. Raises Refusal if no name could have it."""
    if value and len(value) > LONGEST_NAME:
        raise invalid(f"prefix must be at most {LONGEST_NAME} characters long", reason="PREFIX_TOO_LONG")
    if value and "\0" in value:
        raise invalid("prefix must not contain NUL", reason="PREFIX_MUST_NOT_CONTAIN_NULL_CHARACTER")
    if value and not value.isascii():
        raise invalid("prefix must be ASCII", reason="PREFIX_MUST_BE_ASCII")
    return value or None


def record_id(value: object) -> str:
    """Return a possible record id. Raises Refusal for any other."""
    if not isinstance(value, str):
        raise invalid(f"Vector ID must be a string, got {value!r}")
    if not 1 <= len(value) <= LONGEST_NAME:
        raise invalid(f"Vector ID must be 1 to {LONGEST_NAME} characters long, got {len(value)}")
    if not ASCII.fullmatch(value):
        raise invalid(f"Vector ID must be ASCII without NUL, but is '{value}'")
    return value


def record_ids(values: object) -> list[str]:
    """Return 1 to 1,000 possible record ids. Raises Refusal otherwise."""
    if not isinstance(values, list) or not values:
        raise invalid("ids must be a list of at least one ID")
    if len(values) > MOST_IDS:
        raise invalid(f"A request takes at most {MOST_IDS} ids, got {len(values)}")
    return [record_id(value) for value in values]


def whole_number(name: str, value: object, most: int, default: int | None = None, reason: str | None = None) -> int:
    """Return a number from 1 to `most`, given as a number or as text. Raises Refusal otherwise."""
    if value is None and default is not None:
        return default
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise invalid(f"{name} must be a whole number from 1 to {most}, got {value!r}", reason=reason)
    return value


def within(name: str, value: object, least: float, most: float) -> None:
    """Raise Refusal if something is given that is no number of a range."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most):
        raise invalid(f"{name} must be a number from {least:g} to {most:g}, got {value!r}")


def vector(values: object, dimension: int, *, may_be_zero: bool = False, record: str | None = None) -> np.ndarray:
    """Return one vector of float32. Raises Refusal if it does not fit the index."""
    if not isinstance(values, list) or any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        raise invalid(f"Vector values must be a list of numbers{_of(record)}")
    if len(values) != dimension:
        raise invalid(f"Vector dimension {len(values)} does not match the dimension of the index {dimension}")
    with np.errstate(over="ignore"):
        numbers = np.array(values, dtype=np.float64).astype(np.float32)
    if not np.isfinite(numbers).all():
        raise invalid(f"Vector values must be finite 32-bit floats{_of(record)}")
    if not may_be_zero and np.abs(numbers).max() < SMALLEST_VALUE:
        named = f" Vector ID '{record}' contains only zeros" if record else ""
        raise invalid(f"Dense vectors must contain at least one non-zero value.{named}")
    return numbers


def upsert(vectors: object, dimension: int) -> Change:
    """Return the change that puts the vectors of an upsert; of records with the same id the last one counts. Raises Refusal otherwise."""
    if not isinstance(vectors, list) or not vectors or not all(isinstance(each, dict) for each in vectors):
        raise invalid("Invalid request: vectors must be a list of at least one vector")
    if len(vectors) > MOST_RECORDS:
        raise invalid(f"A request takes at most {MOST_RECORDS} vectors, got {len(vectors)}")
    if any(each.get("sparseValues") for each in vectors):
        raise unsupported("sparse values")
    ids = [record_id(each.get("id")) for each in vectors]
    last = {each: place for place, each in enumerate(ids)}
    places = sorted(last.values()) if len(last) < len(ids) else range(len(ids))
    matrix = _matrix([vectors[place].get("values") for place in places], [ids[place] for place in places], dimension)
    return Change([ids[place] for place in places], matrix, [metadata(vectors[place].get("metadata")) for place in places])


def usable(matrix: np.ndarray) -> np.ndarray | None:
    """Return the vectors of a matrix of numbers as float32, or None if one of them is not finite or only zeros."""
    with np.errstate(over="ignore"):
        matrix = matrix.astype(np.float32)
    largest = np.abs(matrix).max(axis=1)
    return matrix if np.isfinite(largest).all() and (largest >= SMALLEST_VALUE).all() else None


def _matrix(rows: list, ids: list[str], dimension: int) -> np.ndarray:
    # Rows of different lengths make no array: the last line says which of them is wrong.
    with suppress(ValueError):
        matrix = np.array(rows)
        if matrix.dtype.kind in "fiu" and matrix.ndim == 2 and matrix.shape[1] == dimension and not _has_booleans(rows, matrix):
            good = usable(matrix)
            if good is not None:
                return good
    return np.stack([vector(row, dimension, record=name) for row, name in zip(rows, ids, strict=True)])


def _has_booleans(rows: list, matrix: np.ndarray) -> bool:
    # Among other numbers they are 0 and 1 to numpy, so that a row without these needs no look at its values one by one.
    suspects = np.flatnonzero(((matrix == 0) | (matrix == 1)).any(axis=1))
    return any(bool in map(type, rows[row]) for row in suspects)


def metadata(fields: object) -> Metadata:
    """Return a record's metadata as the service keeps it: flat, with every number a float. Raises Refusal otherwise."""
    if fields is None:
        return {}
    if not isinstance(fields, dict):
        raise invalid(f"Metadata must be an object, got {_shown(fields)}")
    kept = {name: _metadata_value(name, value) for name, value in fields.items()}
    size = len(orjson.dumps(kept))
    if size > MOST_METADATA_BYTES:
        raise invalid(f"Metadata size is {size} bytes, which exceeds the limit of {MOST_METADATA_BYTES} bytes per vector")
    return kept


def _metadata_value(name: str, value: object) -> str | float | bool | list[str]:
    if name.startswith("$"):
        raise invalid(f"Metadata field '{name}' must not begin with $, which is reserved for filters")
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise invalid(f"Metadata value must be a string, number, boolean or list of strings, got '{_shown(value)}' for field '{name}'")


def metadata_schema(schema: object) -> dict | None:
    """Return the metadata fields to index, None where all are. Raises Refusal if they are not declared as the service wants it."""
    if schema is None:
        return None
    fields = schema.get("fields") if isinstance(schema, dict) else None
    if not isinstance(fields, dict) or len(fields) > MOST_FIELDS:
        raise invalid(f"schema.fields must be an object of at most {MOST_FIELDS} fields")
    for name, field in fields.items():
        if name.startswith("$"):
            raise invalid(f"Field '{name}' must not begin with $, which is reserved for filters")
        if not isinstance(field, dict) or field.get("filterable") is not True:
            raise invalid(f"Field '{name}' is set to filterable: false. Only filterable: true is supported.")
    return {"fields": {name: {"filterable": True} for name in fields}}


def upsert_size(size: int) -> None:
    """Raise Refusal if the body of an upsert is too large."""
    if size > MOST_UPSERT_BYTES:
        raise Refusal(Code.PAYLOAD_TOO_LARGE, f"Request size {-(-size // 2**20)}MB exceeds the maximum supported size of 2MB")


def _of(record: str | None) -> str:
    return f" (Vector ID '{record}')" if record else ""


def _shown(value: object) -> str:
    try:
        text = orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        # It reads deeper nesting than it writes.
        return "nested values"
    return text if len(text) <= 16 else f"{text[:16]}..."
