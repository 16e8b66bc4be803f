"""An S3 prefix as a source, through Airflow's connection, on moto's S3."""

import json
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from embedding_lakehouse.clients.sources import Tally, source_of
from embedding_lakehouse.clients.sources.bucket import BucketSource
from embedding_lakehouse.core.documents import Rejected
from embedding_lakehouse.core.ingest_settings import IngestSettings
from embedding_lakehouse.core.listing import ListedFile
from embedding_lakehouse.errors import ConfigurationError, TransientError
from tests.ingest_runner import Ingestion, counts


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    """The address of an S3 service."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def connect_to(address: str, monkeypatch: pytest.MonkeyPatch, conn_id: str = "AWS_DEFAULT") -> None:
    extra = {"endpoint_url": address, "region_name": "us-east-1", "config_kwargs": {"retries": {"total_max_attempts": 1}}}
    connection = {"conn_type": "aws", "login": "testing", "password": "testing", "extra": extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id}", json.dumps(connection))


@pytest.fixture
def bucket(s3_address: str, monkeypatch: pytest.MonkeyPatch):
    """An empty bucket `documents`, which the connection aws_default reaches."""
    connect_to(s3_address, monkeypatch)
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    bucket = boto3.resource("s3", endpoint_url=s3_address, **keys).Bucket("documents")
    bucket.create()
    yield bucket
    bucket.objects.all().delete()
    bucket.delete()


def put(bucket, **texts: str) -> None:
    for name, text in texts.items():
        bucket.put_object(Key=f"handbook/{name}.md", Body=text.encode())


def listed(source: BucketSource, tally: Tally | None = None) -> list[ListedFile]:
    return list(source.files(tally or Tally()))


def test_objects_become_documents_and_unchanged_ones_are_not_read_again(ingestion: Ingestion, bucket) -> None:
    ingestion.source = "s3://documents/handbook/"
    put(bucket, a="# One", b="two")
    assert counts(ingestion.run()) == (2, 0, 0, 0)
    assert ingestion.documents()["a.md"]["source_uri"] == "s3://documents/handbook/a.md"
    put(bucket, b="two, edited")
    run = ingestion.run()
    assert (run["read_files"], counts(run)) == (1, (0, 1, 0, 0))
    bucket.Object("handbook/a.md").delete()
    assert counts(ingestion.run()) == (0, 0, 1, 0)
    assert ingestion.texts() == {"b.md": "two, edited"}
    assert ingestion.run()["state"] == "quiet"


def test_rows_are_streamed_from_an_object(ingestion: Ingestion, bucket) -> None:
    ingestion.source = "s3://documents"
    rows = "".join(f"{number},text {number}\n" for number in range(1_000))
    bucket.put_object(Key="rows.csv", Body=f"id,text\n{rows}".encode())
    assert counts(ingestion.run()) == (1_000, 0, 0, 0)
    assert ingestion.texts()["999"] == "text 999"


@pytest.mark.parametrize("key", ["x/a#b.md", "x/it's.md", 'x/"q".md', "x/\U0001f600.md", "x/50% off?.md", "x//double.md", "x/a+b c.md"])
def test_an_odd_key_is_listed_and_read(bucket, key: str) -> None:
    bucket.put_object(Key=key, Body=b"text")
    source = BucketSource("s3://documents/x")
    (file,) = listed(source)
    assert file.path == key.removeprefix("x/")
    assert source.read(file.path, 10) == b"text"
    assert source.open(file.path).read() == b"text"


def test_a_prefix_is_a_folder_and_not_the_beginning_of_a_name(bucket) -> None:
    for key in ("docs/a.md", "docs-old/b.md", "docs", "docs/", "docs/sub/", "docs/c.png", "docs/empty.md"):
        bucket.put_object(Key=key, Body=b"")
    tally = Tally()
    assert [file.path for file in listed(BucketSource("s3://documents/docs"), tally)] == ["a.md", "empty.md"]
    assert tally.ignored == 1


def test_more_objects_than_a_page_are_all_listed(bucket) -> None:
    for number in range(1_005):
        bucket.put_object(Key=f"many/{number:04}.txt", Body=b"x")
    assert len(listed(BucketSource("s3://documents/many"))) == 1_005


def test_an_empty_object_is_read(bucket) -> None:
    bucket.put_object(Key="a.md", Body=b"")
    assert BucketSource("s3://documents").read("a.md", 10) == b""


def test_an_object_that_is_gone_is_rejected(bucket) -> None:
    for action in (lambda source: source.read("gone.md", 10), lambda source: source.open("gone.md").read()):
        with pytest.raises(Rejected) as caught:
            action(BucketSource("s3://documents"))
        assert caught.value.code == "unreadable"


def test_another_connection_can_be_named(bucket, s3_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put_object(Key="a.md", Body=b"text")
    monkeypatch.delenv("AIRFLOW_CONN_AWS_DEFAULT")
    connect_to(s3_address, monkeypatch, "S3_OF_LEGAL")
    source = source_of(IngestSettings("s3://documents", conn_id="s3_of_legal"))
    assert [file.path for file in source.files(Tally())] == ["a.md"]
    assert source.read("a.md", 10) == b"text"


def test_a_named_connection_that_is_not_there_is_refused_and_no_other_is_taken(bucket) -> None:
    with pytest.raises(ConfigurationError, match="conn_id: there is no connection 's3_of_legal'"):
        BucketSource("s3://documents", conn_id="s3_of_legal")


def test_a_missing_bucket_is_a_configuration_error(bucket) -> None:
    with pytest.raises(ConfigurationError, match="bucket 'no-such-bucket' does not exist"):
        listed(BucketSource("s3://no-such-bucket/x"))


def test_a_prefix_without_any_object_is_a_configuration_error(bucket) -> None:
    with pytest.raises(ConfigurationError, match="s3://documents/typo/ holds no object"):
        listed(BucketSource("s3://documents/typo"))


def test_an_address_without_a_bucket_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="names no bucket"):
        BucketSource("s3:///x")


def test_a_service_that_does_not_answer_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    connect_to("http://127.0.0.1:9", monkeypatch, "NOBODY_THERE")
    source = BucketSource("s3://documents", conn_id="nobody_there")
    with pytest.raises(TransientError, match="cannot be listed"):
        listed(source)
    with pytest.raises(TransientError, match="cannot be read"):
        source.read("a.md", 10)
