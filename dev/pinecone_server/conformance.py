"""`python -m dev.pinecone_server.conformance FILE ...`: holds the server's answers against the service's published OpenAPI descriptions.

The descriptions (`db_control_<version>.oas.yaml`, `db_data_<version>.oas.yaml`) are not part of this project: give the files that you have.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import yaml

API_KEY = "a-key-for-conformance"
VERSION = re.compile(r"_(\d{4}-\d{2})\.oas\.yaml$")
VECTOR = [0.5, 0.25, 0.125, 1.0]
SHAPES: dict[bool, dict[str, Any]] = {
    True: {
        "schema": {"fields": {"_values": {"type": "dense_vector", "dimension": 4, "metric": "cosine"}}},
        "deployment": {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"},
    },
    False: {"dimension": 4, "metric": "cosine", "spec": {"serverless": {"cloud": "aws", "region": "us-east-1"}}},
}


@dataclass(frozen=True)
class Call:
    """A request and where a description speaks of it: `path` with its variables filled is what is asked."""

    method: str
    path: str
    variables: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any] | None


def call(method: str, path: str, body: dict[str, Any] | None = None, query: dict[str, str] | None = None, **variables: str) -> Call:
    return Call(method, path, variables, query or {}, body)


RECORD = {"id": "a", "values": VECTOR, "metadata": {"kind": "x", "number": 1, "is": True, "tags": ["p", "q"]}}
DATA_CALLS = [
    call("post", "/vectors/upsert", {"namespace": "n", "vectors": [RECORD, RECORD | {"id": "b"}]}),
    call("post", "/vectors/upsert", {"namespace": "n", "vectors": [RECORD | {"values": [1.0]}]}),
    call("post", "/query", {"namespace": "n", "vector": VECTOR, "topK": 2, "includeMetadata": True, "includeValues": True}),
    call("post", "/query", {"namespace": "n", "vector": VECTOR, "topK": 0}),
    call("post", "/records/namespaces/{namespace}/search", {"query": {"top_k": 2, "vector": {"values": VECTOR}}}, namespace="n"),
    call("post", "/records/namespaces/{namespace}/search", {"query": {"top_k": 0, "id": "a"}}, namespace="n"),
    call("get", "/vectors/fetch", query={"ids": "a", "namespace": "n"}),
    call("post", "/vectors/fetch_by_metadata", {"namespace": "n", "filter": {"kind": {"$eq": "x"}}, "limit": 10}),
    call("get", "/vectors/list", query={"namespace": "n", "limit": "1"}),
    call("post", "/vectors/update", {"namespace": "n", "id": "a", "setMetadata": {"kind": "y"}}),
    call("post", "/describe_index_stats", {}),
    call("get", "/namespaces"),
    call("post", "/namespaces", {"name": "made"}),
    call("post", "/namespaces", {"name": "made"}),
    call("get", "/namespaces/{namespace}", namespace="n"),
    call("get", "/namespaces/{namespace}", namespace="missing"),
    call("post", "/vectors/delete", {"namespace": "n", "ids": ["a"]}),
    call("post", "/vectors/delete", {"namespace": "missing", "ids": ["a"]}),
    call("delete", "/namespaces/{namespace}", namespace="made"),
    call("get", "/bulk/imports"),
    call("post", "/bulk/imports", {"uri": "file:///nowhere", "errorMode": {"onError": "abort"}}),
    call("get", "/bulk/imports/{id}", id="1"),
    call("get", "/bulk/imports/{id}", id="99"),
]


def control_calls(is_new: bool) -> list[Call]:
    """What is asked of the control plane: in versions since 2026-01 an index is described by its schema."""
    shape = SHAPES[is_new]
    return [
        call("get", "/indexes"),
        call("post", "/indexes", {"name": "conforming", **shape}),
        call("post", "/indexes", {"name": "conforming", **shape}),
        call("get", "/indexes/{index_name}", index_name="conforming"),
        call("get", "/indexes/{index_name}", index_name="missing"),
        call("patch", "/indexes/{index_name}", {"tags": {"a": "b"}}, index_name="conforming"),
        call("get", "/indexes"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.pinecone_server.conformance", description=__doc__)
    parser.add_argument("descriptions", nargs="+", type=Path, metavar="FILE", help="OpenAPI descriptions of one or more versions")
    descriptions = parser.parse_args().descriptions
    asked, found = 0, 0
    for version in sorted({_version(file) for file in descriptions}):
        described = {file.name.partition("_20")[0]: yaml.safe_load(file.read_text()) for file in descriptions if _version(file) == version}
        with server() as address:
            for plane, one, answer in answers(address, version):
                if plane in described and one.path in described[plane]["paths"]:
                    asked += 1
                    for trouble in differences(described[plane], one, answer):
                        found += 1
                        print(f"{version} {one.method.upper()} {one.path} answered {answer.status_code}: {trouble}")
    print(f"{asked} answers held against their descriptions, {found} differences")
    return 1 if found or not asked else 0


def _version(file: Path) -> str:
    known = VERSION.search(file.name)
    if not known:
        raise SystemExit(f"{file.name} does not end in _<version>.oas.yaml, such as db_data_2026-04.oas.yaml")
    return known[1]


def answers(address: str, version: str) -> Iterator[tuple[str, Call, httpx.Response]]:
    """Each call of both planes with its answer; the index that the first ones make is what the others ask."""
    headers = {"Api-Key": API_KEY, "X-Pinecone-Api-Version": version}
    with httpx.Client(headers=headers, timeout=30) as client:
        for one in control_calls(version > "2025-10"):
            yield "db_control", one, _ask(client, address, one)
        host = client.get(f"{address}/indexes/conforming").json()["host"]
        for one in DATA_CALLS:
            yield "db_data", one, _ask(client, host if "://" in host else f"http://{host}", one)


def _ask(client: httpx.Client, address: str, one: Call) -> httpx.Response:
    return client.request(one.method, address + one.path.format(**one.variables), params=one.query, json=one.body)


def differences(description: dict[str, Any], one: Call, answer: httpx.Response) -> Iterator[str]:
    """Where the answer is not as described: its status, or any part of its body."""
    described = description["paths"][one.path][one.method]["responses"]
    status = str(answer.status_code)
    response = described.get(status) or described.get(f"{status[0]}XX")
    if response is None:
        yield f"this status is not described; {', '.join(described)} are"
        return
    while "$ref" in response:
        response = description["components"]["responses"][response["$ref"].rpartition("/")[2]]
    content = response.get("content", {}).get("application/json")
    if content and "schema" in content:
        schema = as_json_schema(content["schema"] | {"components": description["components"]})
        for error in jsonschema.Draft202012Validator(schema).iter_errors(answer.json()):
            yield f"{error.json_path}: {error.message[:200]}"


def as_json_schema(part: Any) -> Any:
    """An OpenAPI 3.0 schema as JSON Schema: `nullable` is a type there."""
    if isinstance(part, list):
        return [as_json_schema(one) for one in part]
    if not isinstance(part, dict):
        return part
    converted = {name: as_json_schema(one) for name, one in part.items() if name not in ("nullable", "example", "discriminator")}
    if part.get("nullable") is True and isinstance(part.get("type"), str):
        converted["type"] = [part["type"], "null"]
    return converted


@contextmanager
def server() -> Iterator[str]:
    """The address of a server with a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "dev.pinecone_server", "--port", "0", "--home", home]
        environment = os.environ | {"PINECONE_API_KEY": API_KEY}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout  # noqa: S101 - it is a pipe
            line = next(line for line in process.stdout if line.startswith("Listening on "))
            try:
                yield line.removeprefix("Listening on ").split(",")[0]
            finally:
                process.terminate()


if __name__ == "__main__":
    sys.exit(main())
