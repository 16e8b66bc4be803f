"""Who alerts are sent to in tests: a topic of SNS with a queue behind it, a mail server, an address that never answers."""

import asyncore
import json
import smtpd
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import uuid4

import boto3
from moto.server import ThreadedMotoServer

HOST = "127.0.0.1"
KEYS = {"aws_access_key_id": "a-key", "aws_secret_access_key": "a-secret", "region_name": "eu-central-1"}
SNS = "airflow.providers.amazon.aws.notifications.sns.SnsNotifier"
HTTP = "airflow.providers.http.notifications.http.HttpNotifier"
MAIL = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
# As docs/alerts.md says for webhooks: the hook itself logs the address of a post that failed.
QUIET = {"AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow.task.hooks.airflow.providers.http=critical"}


@dataclass(frozen=True)
class Topic:
    """A topic whose messages a queue keeps."""

    endpoint: str
    arn: str
    queue: str
    sqs: Any

    def connection(self) -> str:
        """The Airflow connection by which it is reached."""
        extra = {"endpoint_url": self.endpoint, "region_name": KEYS["region_name"]}
        keys = {"login": KEYS["aws_access_key_id"], "password": KEYS["aws_secret_access_key"]}
        return json.dumps({"conn_type": "aws", **keys, "extra": extra})

    def setting(self) -> dict[str, Any]:
        """The entry of EMBEDDING_LAKEHOUSE_NOTIFIERS that sends to it."""
        told = {"subject": "{{ alert.title }}", "message": "{{ alert.message }}"}
        return {"classpath": SNS, "kwargs": {"aws_conn_id": "aws_alerts", "target_arn": self.arn, **told}}

    def arrived(self) -> list[tuple[str, str]]:
        """Subject and text of each message since it was last asked."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                body = json.loads(message["Body"])
                found.append((body["Subject"], body["Message"]))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found


@contextmanager
def topic() -> Iterator[Topic]:
    """A topic of a server of SNS and SQS, over HTTP."""
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    try:
        endpoint = f"http://{HOST}:{server.get_host_and_port()[1]}"
        sns, sqs = (boto3.client(name, endpoint_url=endpoint, **KEYS) for name in ("sns", "sqs"))
        # moto's state is the process's: under one name a queue would still hold what earlier tests were sent.
        name = f"alerts-{uuid4()}"
        arn, queue = sns.create_topic(Name=name)["TopicArn"], sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=attributes["QueueArn"])
        yield Topic(endpoint, arn, queue, sqs)
    finally:
        server.stop()


@dataclass
class MailServer:
    """A mail server that keeps what it is given."""

    port: int = 0
    mails: list[Message] = field(default_factory=list)

    def connection(self) -> str:
        """The Airflow connection by which it is reached."""
        return json.dumps({"conn_type": "smtp", "host": HOST, "port": self.port, "extra": {"disable_tls": True, "disable_ssl": True}})


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A mail server on this machine."""
    kept, sockets = MailServer(), {}

    class Keeping(smtpd.SMTPServer):
        def process_message(self, peer: Any, mailfrom: str, rcpttos: list[str], data: bytes, **options: Any) -> None:
            kept.mails.append(message_from_bytes(data))

    server = Keeping((HOST, 0), None, map=sockets)
    kept.port = server.socket.getsockname()[1]
    thread = Thread(target=asyncore.loop, kwargs={"timeout": 0.1, "map": sockets}, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        asyncore.close_all(sockets)
        thread.join(5)


@contextmanager
def silent_address() -> Iterator[str]:
    """An address that takes every connection and never answers."""
    with socket.create_server((HOST, 0)) as listening:
        yield f"http://{HOST}:{listening.getsockname()[1]}"


@contextmanager
def webhook_server() -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """An address that takes what is posted to it, and the path and JSON of each post."""
    posts: list[tuple[str, Any]] = []

    class Keeping(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(204)
            self.end_headers()

    with ThreadingHTTPServer((HOST, 0), Keeping) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}", posts
        server.shutdown()


def closed_address() -> str:
    """An address at which nobody listens."""
    with socket.create_server((HOST, 0)) as listening:
        return f"http://{HOST}:{listening.getsockname()[1]}"


def web_connection(address: str) -> str:
    """The Airflow connection of a webhook whose path is a secret."""
    return json.dumps({"conn_type": "http", "host": address, "password": "services/a-secret"})


def webhook(conn_id: str) -> dict[str, Any]:
    """The entry of EMBEDDING_LAKEHOUSE_NOTIFIERS that posts to a connection's address, at the path that is its password."""
    return {
        "classpath": HTTP,
        "kwargs": {"http_conn_id": conn_id, "endpoint": f"{{{{ conn.{conn_id}.password }}}}", "json": {"text": "{{ alert.message }}"}},
    }
