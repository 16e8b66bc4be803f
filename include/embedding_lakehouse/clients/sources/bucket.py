"""A prefix of an S3 bucket as a source of documents.

Objects are read through Airflow's object storage and its connection. They are listed through the same connection's S3 client, a page of
1,000 keys at a time, since the file system of the object storage would hold the whole listing in memory.
"""

import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import BaseHook, ObjectStoragePath
from airflow.sdk.exceptions import AirflowNotFoundException
from botocore.exceptions import BotoCoreError, ClientError

from embedding_lakehouse.clients.sources import Tally
from embedding_lakehouse.core.documents import Rejected
from embedding_lakehouse.core.listing import ListedFile, is_wanted
from embedding_lakehouse.errors import ConfigurationError, TransientError, quoted

DEFAULT_CONNECTION = "aws_default"
MISSING = {"NoSuchBucket", "404"}
REFUSED = {"AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "403"}
STREAM_BLOCK = 8_000_000
BUCKET = re.compile(r"[A-Za-z0-9._-]{3,255}")


class BucketSource:
    """A prefix of a bucket, by its `s3://` address."""

    def __init__(self, source: str, pattern: str = "*", conn_id: str | None = None) -> None:
        self.bucket, _, prefix = source.partition("://")[2].partition("/")
        if not BUCKET.fullmatch(self.bucket):
            raise ConfigurationError(f"the source {quoted(source)} names no bucket: write s3://bucket/prefix")
        self.prefix = f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
        self.uri = f"s3://{self.bucket}/{self.prefix}".rstrip("/")
        self.pattern = pattern
        if conn_id:
            _require_connection(conn_id)
        self.conn_id = conn_id or DEFAULT_CONNECTION
        self._root = ObjectStoragePath(f"s3://{self.bucket}", conn_id=self.conn_id)

    def files(self, tally: Tally) -> Iterator[ListedFile]:
        found = False
        for page in self._pages():
            for item in page.get("Contents", ()):
                found = True
                path = item["Key"][len(self.prefix) :]
                if path and is_wanted(path, self.pattern):
                    yield ListedFile(path, item["Size"], item["LastModified"], item["ETag"].strip('"'))
                elif not path.endswith("/") and path:
                    tally.ignored += 1
        if not found:
            raise ConfigurationError(f"{self.uri}/ holds no object: check bucket and prefix in the Param source")

    def _pages(self) -> Iterator[dict[str, Any]]:
        try:
            client = S3Hook(aws_conn_id=self.conn_id).get_conn()
            yield from client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        except ClientError as error:
            raise self._refusal(error) from error
        except BotoCoreError as error:
            raise TransientError(f"{self.uri} cannot be listed: {error}") from error

    def _refusal(self, error: ClientError) -> Exception:
        code = error.response["Error"]["Code"]
        if code in MISSING:
            return ConfigurationError(
                f"the bucket {self.bucket!r} does not exist: check the Param source and the connection {self.conn_id}"
            )
        if code in REFUSED:
            return ConfigurationError(f"{self.uri} may not be listed ({code}): check the connection {self.conn_id} and its permissions")
        return TransientError(f"{self.uri} cannot be listed: {error}")

    def read(self, path: str, most_bytes: int) -> bytes:
        try:
            # Without concurrency it is one request; with it, another one asks for the size first.
            return bytes(self._root.fs.cat_file(self._address(path), max_concurrency=1))[:most_bytes]
        except (FileNotFoundError, PermissionError) as error:
            raise _unreadable(error) from error
        except (OSError, BotoCoreError) as error:
            raise TransientError(f"{self.uri}/{path} cannot be read: {error}") from error

    def open(self, path: str) -> BinaryIO:
        try:
            raw = self._root.fs.open(self._address(path), "rb", block_size=STREAM_BLOCK)
            return io.BufferedReader(raw)
        except (FileNotFoundError, PermissionError) as error:
            raise _unreadable(error) from error
        except (OSError, BotoCoreError) as error:
            raise TransientError(f"{self.uri}/{path} cannot be read: {error}") from error

    def _address(self, path: str) -> str:
        return f"{self.bucket}/{self.prefix}{path}"


def _unreadable(error: Exception) -> Rejected:
    return Rejected("unreadable", f"it cannot be read ({error}): allow it to the connection, or remove it")


def _require_connection(conn_id: str) -> None:
    """Raise ConfigurationError where there is no such connection: the hook would go on with the worker's own rights."""
    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise ConfigurationError(f"conn_id: there is no connection {quoted(conn_id)}: create it, or leave the Param empty") from error
