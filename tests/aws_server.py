"""Glue and S3 of one account, by moto, over HTTP: what was asked of them, and what one of their requests is to be refused."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from dev.stack.ports import HOST

REGION = "eu-central-1"
# What an instance role gives to whoever runs on the instance: found by each SDK itself, named in no connection.
ROLE = {"AWS_ACCESS_KEY_ID": "of-the-role", "AWS_SECRET_ACCESS_KEY": "of-the-role", "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
OWN = {"aws_access_key_id": "of-the-tests", "aws_secret_access_key": "of-the-tests", "region_name": REGION}
UPDATE_TABLE = "AWSGlue.UpdateTable"


@dataclass(frozen=True)
class Request:
    """One request: the operation is Glue's, or the method of S3; `query` has the first value of each parameter."""

    operation: str
    path: str
    query: dict[str, str]
    key_id: str


@dataclass
class AwsServer:
    """A running server. `refuses` decides which requests are answered with 403."""

    address: str = ""
    requests: list[Request] = field(default_factory=list)
    refuses: Callable[[Request], bool] = lambda request: False
    _commits: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str) -> Any:
        """One of boto3, whose requests are not noted."""
        return boto3.client(service, endpoint_url=self.address, **OWN)

    def create_bucket(self, name: str) -> Any:
        """A new bucket, as boto3 sees it."""
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return boto3.resource("s3", endpoint_url=self.address, **OWN).Bucket(name)

    def answer(self, application: Any, environment: dict[str, Any], start: Any) -> Any:
        """Answer one request (WSGI)."""
        request = _request(environment)
        if request.key_id != OWN["aws_access_key_id"]:
            self.requests.append(request)
        if self.refuses(request):
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>refused by the test</Message></Error>"]
        if request.operation != UPDATE_TABLE:
            return application(environment, start)
        with self._commits:
            return self._update_table(application, environment, start)

    def _update_table(self, application: Any, environment: dict[str, Any], start: Any) -> Any:
        """Glue takes an update of the version that it has; moto takes any."""
        body = environment["wsgi.input"].read(int(environment["CONTENT_LENGTH"]))
        environment["wsgi.input"] = BytesIO(body)
        asked = json.loads(body)
        known = self.client("glue").get_table(DatabaseName=asked["DatabaseName"], Name=asked["TableInput"]["Name"])["Table"]["VersionId"]
        if asked.get("VersionId", known) == known:
            return application(environment, start)
        start("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
        return [json.dumps({"__type": "ConcurrentModificationException", "Message": "the table has another version"}).encode()]


def empty_glue(glue: Any) -> None:
    """Remove every database: all servers of a process share one account, and another module's tables lead to its own bucket."""
    for database in glue.get_databases()["DatabaseList"]:
        glue.delete_database(Name=database["Name"])


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """Keep a test's output to the test."""


def _request(environment: dict[str, Any]) -> Request:
    query = {name: values[0] for name, values in parse_qs(environment.get("QUERY_STRING", ""), keep_blank_values=True).items()}
    operation = environment.get("HTTP_X_AMZ_TARGET") or environment["REQUEST_METHOD"]
    _, _, credential = environment.get("HTTP_AUTHORIZATION", "").partition("Credential=")
    return Request(operation, environment["PATH_INFO"], query, credential.partition("/")[0])


@contextmanager
def aws_server() -> Iterator[AwsServer]:
    """Run a server, without a database. All of a process share one account."""
    aws = AwsServer()
    application = DomainDispatcherApplication(create_backend_app)
    handler: Callable[..., Any] = lambda environment, start: aws.answer(application, environment, start)  # noqa: E731
    server = make_server(HOST, 0, handler, threaded=True, request_handler=_Quiet)
    aws.address = f"http://{HOST}:{server.port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        empty_glue(aws.client("glue"))
        yield aws
    finally:
        server.shutdown()
        thread.join()
