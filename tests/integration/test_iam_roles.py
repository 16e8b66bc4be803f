"""What the roles of docs/deployment/iam can do: the real clients on moto's S3 and Glue, which refuse what a policy does not allow."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from cfnlint import ManualArgs
from cfnlint.api import lint
from pyiceberg.catalog import Catalog, load_catalog

from embedding_lakehouse.clients.iceberg import commit_files, drop_branch, publish_branch, tag_snapshot
from embedding_lakehouse.clients.models.bedrock_titan import TitanModel
from embedding_lakehouse.clients.parts import delete_folder, list_parts, parts_folder, write_part
from embedding_lakehouse.clients.sources import Tally
from embedding_lakehouse.clients.sources.bucket import BucketSource
from embedding_lakehouse.clients.table_setup import ensure_table
from embedding_lakehouse.core.profiles import parse_profiles
from embedding_lakehouse.core.schema import ALL_TABLES
from embedding_lakehouse.core.tables import SOURCE_DOCUMENTS
from embedding_lakehouse.errors import LakehouseError
from tests.aws_server import empty_glue
from tests.policed_aws import DOCUMENTS, FILLED, LAKE, OWNER, REGION, PolicedAws, policed_aws, policy, policy_files

TITAN = """
[profiles.titan]
provider = "bedrock_titan"
model_name = "{model}"
model_version = "v1"
dimensions = 256
chunking = {{ strategy = "words", words = 5, overlap = 1 }}
"""
ROW = {"doc_id": "a.md", "document_text": "A pump."}


@pytest.fixture(scope="module")
def aws() -> Iterator[PolicedAws]:
    with policed_aws() as aws:
        empty_glue(client(aws, OWNER, "glue"))
        for name in (LAKE, DOCUMENTS):
            client(aws, OWNER).create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield aws
        for name in (LAKE, DOCUMENTS):
            bucket = boto3.resource("s3", endpoint_url=aws.address, region_name=REGION, **keys(OWNER)).Bucket(name)
            bucket.objects.all().delete()
            bucket.delete()


@pytest.fixture(scope="module")
def lake(aws: PolicedAws) -> Catalog:
    """A lake that the worker has set up, with a document in it."""
    catalog = catalog_of(aws, "worker")
    for table in ALL_TABLES:
        ensure_table(catalog, table)
    put(catalog, "batch-one")
    return catalog


def keys(who: str) -> dict[str, str]:
    return {"aws_access_key_id": who, "aws_secret_access_key": "secret"}


def client(aws: PolicedAws, who: str, service: str = "s3") -> Any:
    return boto3.client(service, endpoint_url=aws.address, region_name=REGION, **keys(who))


def catalog_of(aws: PolicedAws, who: str) -> Catalog:
    return load_catalog("iceberg_default", **aws.properties(who))


def put(catalog: Catalog, branch: str) -> None:
    """Stage a row, put it on a branch, publish it."""
    table = catalog.load_table(SOURCE_DOCUMENTS.name)
    part = write_part(table, parts_folder(table, "staged"), pa.Table.from_pylist([ROW]))
    commit_files(table, branch, [part], {"batch_id": branch})
    publish_branch(catalog.load_table(SOURCE_DOCUMENTS.name), branch)


def refused_by(action: Callable[[], Any], aws: PolicedAws) -> set[str]:
    """What an action that must fail was refused."""
    before = len(aws.refused)
    with pytest.raises((ClientError, OSError)):
        action()
    return {call.action for _, call in aws.refused[before:]}


def linted(policies: dict[str, dict[str, Any]]) -> list[str]:
    """What cfn-lint says of policies as roles of a CloudFormation template."""
    resources = {}
    for name, document in policies.items():
        kind, properties = "Policy", {"PolicyName": name, "Roles": ["a-role"], "PolicyDocument": document}
        if name.endswith("trust"):
            kind, properties = "Role", {"AssumeRolePolicyDocument": document}
        resources[name.title().replace("-", "")] = {"Type": f"AWS::IAM::{kind}", "Properties": properties}
    told = ManualArgs(regions=[REGION], include_checks=["E", "W", "I3510"])
    return [f"{found.path}: {found.message}" for found in lint(json.dumps({"Resources": resources}), config=told)]


def test_the_linter_finds_nothing_in_the_policies() -> None:
    assert linted({file.stem: policy(file.stem) for file in policy_files()}) == []


def test_the_linter_would_find_an_unknown_action_and_a_resource_of_another_kind() -> None:
    unknown, other = policy("trino"), policy("trino")
    unknown["Statement"][0]["Action"] = ["s3:GetObjects"]
    other["Statement"][0]["Action"] = ["glue:GetTable"]
    found = "\n".join(linted({"unknown": unknown, "other": other}))
    assert ("'getobjects' is not one of" in found, "'glue:GetTable' requires a resource of" in found) == (True, True)


def test_the_worker_sets_up_writes_publishes_and_cleans_up(aws: PolicedAws, lake: Catalog) -> None:
    put(lake, "batch-two")
    table = lake.load_table(SOURCE_DOCUMENTS.name)
    commit_files(table, "batch-three", [write_part(table, parts_folder(table, "given-up"), pa.Table.from_pylist([ROW]))], {"batch_id": "3"})
    drop_branch(lake.load_table(SOURCE_DOCUMENTS.name), "batch-three")
    tag_snapshot(table, "kept", table.current_snapshot().snapshot_id)
    assert len(list_parts(table, parts_folder(table, "given-up"))) == 1
    delete_folder(table, parts_folder(table, "given-up"))
    assert lake.load_table(SOURCE_DOCUMENTS.name).scan().to_arrow().num_rows == 2
    assert [call for who, call in aws.refused if who == "worker"] == []
    asked = {call.action for who, call in aws.calls if who == "worker"}
    assert {"glue:CreateDatabase", "glue:CreateTable", "glue:UpdateTable", "s3:DeleteObject", "s3:ListBucket"} <= asked


def test_the_worker_uploads_large_files_in_parts(aws: PolicedAws, lake: Catalog) -> None:
    table = lake.load_table(SOURCE_DOCUMENTS.name)
    with table.io.new_output(f"{table.location()}/data/large").create() as sink:
        sink.write(b"x" * 25_000_000)
    assert [call for who, call in aws.refused if who == "worker"] == []


def test_the_worker_reads_the_documents_of_its_prefix_alone(aws: PolicedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", aws.connection("worker"))
    for key in ("handbook/a.md", "private/b.md"):
        client(aws, OWNER).put_object(Bucket=DOCUMENTS, Key=key, Body=b"# A text")
    source = BucketSource(f"s3://{DOCUMENTS}/handbook")
    assert [file.path for file in source.files(Tally())] == ["a.md"]
    assert source.read("a.md", 100) == b"# A text"
    worker = client(aws, "worker")
    assert refused_by(lambda: worker.get_object(Bucket=DOCUMENTS, Key="private/b.md"), aws) == {"s3:GetObject"}
    assert refused_by(lambda: worker.list_objects_v2(Bucket=DOCUMENTS), aws) == {"s3:ListBucket"}
    assert refused_by(lambda: worker.put_object(Bucket=DOCUMENTS, Key="handbook/a.md", Body=b""), aws) == {"s3:PutObject"}


def test_the_worker_drops_no_table_and_sees_no_other_database(aws: PolicedAws, lake: Catalog) -> None:
    glue = client(aws, "worker", "glue")
    assert refused_by(lambda: glue.delete_table(DatabaseName="docs_db", Name="source_documents"), aws) == {"glue:DeleteTable"}
    assert refused_by(lambda: glue.get_tables(DatabaseName="payroll"), aws) == {"glue:GetTables"}
    assert refused_by(lambda: client(aws, "worker").list_objects_v2(Bucket=LAKE), aws) == {"s3:ListBucket"}


@pytest.mark.parametrize(("model", "refused"), [("amazon.titan-embed-text-v2:0", set()), ("anthropic.claude-v2", {"bedrock:InvokeModel"})])
def test_the_worker_asks_the_models_that_are_named(model: str, refused: set[str], aws: PolicedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", aws.connection("worker"))
    before = len(aws.calls)
    # moto has no model that would answer: what counts is what was asked, and what of it was refused.
    with pytest.raises((LakehouseError, KeyError)):
        TitanModel(parse_profiles(TITAN.format(model=model), "profiles.toml")["titan"]).embed(["a text"])
    asked = {call for _, call in aws.calls[before:]}
    assert {call.action for call in asked} == {"bedrock:InvokeModel"}
    assert {call.action for _, call in aws.refused if call in asked} == refused


def test_dashboards_read_every_row_and_write_none(aws: PolicedAws, lake: Catalog) -> None:
    table = catalog_of(aws, "dashboards").load_table(SOURCE_DOCUMENTS.name)
    assert table.scan().to_arrow().num_rows > 0
    assert [call for who, call in aws.refused if who == "dashboards"] == []
    refused = refused_by(lambda: table.append(pa.Table.from_pylist([ROW], schema=table.schema().as_arrow())), aws)
    assert refused == {"s3:PutObject"}
    assert refused_by(lambda: client(aws, "dashboards").get_object(Bucket=DOCUMENTS, Key="handbook/a.md"), aws) == {"s3:GetObject"}


def test_pinecone_reads_the_files_of_imports_alone(aws: PolicedAws, lake: Catalog) -> None:
    prefix = FILLED["IMPORT_PREFIX"]
    client(aws, "worker").put_object(Bucket=LAKE, Key=f"{prefix}/namespace/000.parquet", Body=b"records")
    importer = client(aws, "pinecone-import")
    (found,) = importer.list_objects_v2(Bucket=LAKE, Prefix=f"{prefix}/")["Contents"]
    assert importer.get_object(Bucket=LAKE, Key=found["Key"])["Body"].read() == b"records"
    metadata = lake.load_table(SOURCE_DOCUMENTS.name).metadata_location.partition(f"{LAKE}/")[2]
    assert refused_by(lambda: importer.get_object(Bucket=LAKE, Key=metadata), aws) == {"s3:GetObject"}
    assert refused_by(lambda: importer.delete_object(Bucket=LAKE, Key=found["Key"]), aws) == {"s3:DeleteObject"}
