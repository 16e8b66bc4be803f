"""S3, Glue and Athena of one account (moto) behind the policies of docs/deployment/iam: each caller gets what its policy allows.

moto's own enforcement knows no resources but those of S3. Here each request becomes the actions and resources that AWS's service
authorization reference names for it. The access key is the name of the policy.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from dev.stack.component import ROOT
from dev.stack.ports import HOST

POLICIES = ROOT / "docs" / "deployment" / "iam"
OWNER = "owner"
FILLED = {
    "ACCOUNT_ID": "123456789012",
    "DASHBOARDS_RESULTS": "dashboards",
    "DASHBOARDS_WORKGROUP": "dashboards",
    "DOCUMENTS_BUCKET": "the-documents",
    "DOCUMENTS_PREFIX": "handbook",
    "IMPORT_PREFIX": "lake/imports",
    "LAKE_BUCKET": "the-lake",
    "LAKE_PREFIX": "lake",
    "PINECONE_ACCOUNT_ID": "210987654321",
    "PINECONE_EXTERNAL_ID": "an-external-id",
    "REGION": "eu-central-1",
    "RESULTS_BUCKET": "the-results",
    "WORKER_RESULTS": "worker",
    "WORKER_WORKGROUP": "lakehouse",
}
PLACEHOLDER = re.compile(rf"(?<![A-Z_])({'|'.join(sorted(FILLED, key=len, reverse=True))})(?![A-Z_])")
REGION, LAKE, DOCUMENTS = FILLED["REGION"], FILLED["LAKE_BUCKET"], FILLED["DOCUMENTS_BUCKET"]
KEY_ID = re.compile("Credential=([^/]+)/")


class Call(NamedTuple):
    """One permission that a request needs; `prefix` is what a listing asks for."""

    action: str
    resource: str
    prefix: str = ""


def policy(name: str) -> dict[str, Any]:
    """A policy with its placeholders filled in."""
    text = (POLICIES / f"{name}.json").read_text()
    filled: dict[str, Any] = json.loads(PLACEHOLDER.sub(lambda found: FILLED[found[0]], text))
    return filled


def is_allowed(document: dict[str, Any], call: Call) -> bool:
    """Whether one of the statements allows the call; the policies deny nothing."""
    return any(
        any(fnmatchcase(call.action.lower(), action.lower()) for action in statement["Action"])
        and any(fnmatchcase(call.resource, resource) for resource in statement["Resource"])
        and _prefix_fits(statement.get("Condition", {}), call.prefix)
        for statement in document["Statement"]
    )


def _prefix_fits(condition: dict[str, Any], prefix: str) -> bool:
    wanted = condition.get("StringLike", {}).get("s3:prefix")
    return wanted is None or any(fnmatchcase(prefix, pattern) for pattern in wanted)


@dataclass
class PolicedAws:
    """A running account. `refused` and `calls` are what was refused and asked, with the key of whoever asked."""

    address: str = ""
    calls: list[tuple[str, Call]] = field(default_factory=list)
    refused: list[tuple[str, Call]] = field(default_factory=list)

    def answer(self, application: Any, environment: dict[str, Any], start: Any) -> Any:
        """Answer one request (WSGI)."""
        body = b""
        # A file's own bytes may come in pieces without a length, and are left to moto.
        if environment.get("HTTP_X_AMZ_TARGET") or environment["REQUEST_METHOD"] == "POST":
            body = environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0))
            environment["wsgi.input"] = BytesIO(body)
        signed = KEY_ID.search(environment.get("HTTP_AUTHORIZATION", ""))
        who = signed[1] if signed else ""
        if who != OWNER:
            asked = [(who, call) for call in calls_of(environment, body)]
            refused = [(who, call) for who, call in asked if not is_allowed(policy(who), call)]
            self.calls += asked
            self.refused += refused
            if refused:
                return _refusal(environment, start)
        return application(environment, start)

    def properties(self, who: str) -> dict[str, str]:
        """The catalog properties of a lake in Glue and S3, with the keys of a policy."""
        keys = {"access-key-id": who, "secret-access-key": "secret", "region": REGION, "endpoint": self.address}
        named = {f"{service}.{name}": value for service in ("glue", "s3") for name, value in keys.items()}
        return {"type": "glue", "warehouse": f"s3://{LAKE}/lake", **named}

    def connection(self, who: str, **extra: Any) -> str:
        """The Airflow connection to AWS of a policy."""
        told = {"endpoint_url": self.address, "region_name": REGION, "config_kwargs": {"retries": {"total_max_attempts": 1}}}
        return json.dumps({"conn_type": "aws", "login": who, "password": "secret", "extra": told | extra})


def calls_of(environment: dict[str, Any], body: bytes) -> Iterator[Call]:
    """What a request needs, by AWS's service authorization reference."""
    service, _, operation = environment.get("HTTP_X_AMZ_TARGET", "").partition(".")
    path, method = unquote(environment["PATH_INFO"]), environment["REQUEST_METHOD"]
    if service == "AWSGlue":
        yield from _glue(operation, json.loads(body or b"{}"))
    elif service == "AmazonAthena":
        group = json.loads(body).get("WorkGroup", FILLED["WORKER_WORKGROUP"])
        yield Call(f"athena:{operation}", f"arn:aws:athena:{REGION}:{FILLED['ACCOUNT_ID']}:workgroup/{group}")
    elif path.startswith("/model/"):
        yield Call("bedrock:InvokeModel", f"arn:aws:bedrock:{REGION}::foundation-model/{path.split('/')[2]}")
    else:
        query = {name: values[0] for name, values in parse_qs(environment.get("QUERY_STRING", ""), keep_blank_values=True).items()}
        bucket, _, key = path.lstrip("/").partition("/")
        yield from _s3_object(method, bucket, key, query, environment) if key else _s3_bucket(method, bucket, query, body)


def _glue(operation: str, asked: dict[str, Any]) -> Iterator[Call]:
    root = f"arn:aws:glue:{REGION}:{FILLED['ACCOUNT_ID']}:"
    database = asked.get("DatabaseName") or asked.get("DatabaseInput", {}).get("Name") or ("Database" in operation and asked.get("Name"))
    table = asked.get("TableInput", {}).get("Name") or asked.get("Name") or "any"
    resources = ["catalog", *([f"database/{database}"] if database else [])]
    if "Table" in operation:
        resources.append(f"table/{database}/{table}")
    yield from (Call(f"glue:{operation}", root + resource) for resource in resources)


def _s3_bucket(method: str, bucket: str, query: dict[str, str], body: bytes) -> Iterator[Call]:
    arn = f"arn:aws:s3:::{bucket}"
    if method == "POST" and "delete" in query:
        yield from (Call("s3:DeleteObject", f"{arn}/{key}") for key in re.findall("<Key>(.*?)</Key>", body.decode()))
    elif method in ("GET", "HEAD"):
        action = "GetBucketLocation" if "location" in query else "ListBucket"
        yield Call(f"s3:{action}", arn, query.get("prefix", ""))
    else:
        yield Call(f"s3:{method.title()}Bucket", arn)


def _s3_object(method: str, bucket: str, key: str, query: dict[str, str], environment: dict[str, Any]) -> Iterator[Call]:
    arn = f"arn:aws:s3:::{bucket}/{key}"
    if method == "DELETE":
        yield Call("s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject", arn)
    elif method in ("PUT", "POST"):
        yield Call("s3:PutObject", arn)
    else:
        yield Call("s3:GetObject", arn)
    if source := environment.get("HTTP_X_AMZ_COPY_SOURCE"):
        yield Call("s3:GetObject", f"arn:aws:s3:::{unquote(source).lstrip('/')}")


def _refusal(environment: dict[str, Any], start: Any) -> list[bytes]:
    if environment.get("HTTP_X_AMZ_TARGET") or environment["PATH_INFO"].startswith("/model/"):
        start("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", "AccessDeniedException")])
        return [b'{"__type": "AccessDeniedException", "Message": "not authorized"}']
    start("403 Forbidden", [("Content-Type", "application/xml")])
    return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]


@contextmanager
def policed_aws() -> Iterator[PolicedAws]:
    """Run an account. All of a process share what is in it."""
    aws = PolicedAws()
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server(HOST, 0, lambda environment, start: aws.answer(application, environment, start), threaded=True)
    aws.address = f"http://{HOST}:{server.port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield aws
    finally:
        server.shutdown()
        thread.join()


def policy_files() -> list[Path]:
    """The files of all policies and trust policies."""
    return sorted(POLICIES.glob("*.json"))
