"""What the IAM policies of docs/deployment/iam name. The linter, and what they allow: tests/integration/test_iam_roles.py."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.policed_aws import FILLED, PLACEHOLDER, policy, policy_files

every_policy = pytest.mark.parametrize("file", policy_files(), ids=lambda file: file.stem)
# Resources that end in a wildcard, and why IAM asks for it: the names below them are made at run time.
OPEN_ENDED = {
    r"arn:aws:s3:::[A-Z_]+/[A-Z_]+/\*": "files of a prefix",
    r"arn:aws:glue:REGION:ACCOUNT_ID:table/(docs_db|embeddings_db)/\*": "tables and views of a database of our own",
    r"arn:aws:secretsmanager:REGION:ACCOUNT_ID:secret:airflow/connections/\*": "Secrets Manager appends six characters to each name",
}


def statements(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(file.read_text())["Statement"]
    return found


@every_policy
def test_every_action_is_named(file: Path) -> None:
    actions = [action for statement in statements(file) for action in _listed(statement["Action"])]
    assert [action for action in actions if "*" in action or "?" in action] == []
    assert all(statement["Effect"] == "Allow" and not {"NotAction", "NotResource"} & statement.keys() for statement in statements(file))


@every_policy
def test_nothing_is_allowed_on_a_whole_account(file: Path) -> None:
    resources = [resource for statement in statements(file) for resource in statement.get("Resource", ())]
    open_ended = [resource for resource in resources if "*" in resource or "?" in resource]
    assert [resource for resource in open_ended if not any(re.fullmatch(known, resource) for known in OPEN_ENDED)] == []


@every_policy
def test_every_listing_is_held_to_a_prefix(file: Path) -> None:
    listing = [statement for statement in statements(file) if "s3:ListBucket" in statement["Action"]]
    assert [statement["Sid"] for statement in listing if not statement["Condition"]["StringLike"]["s3:prefix"]] == []


@every_policy
def test_a_file_has_only_placeholders_that_are_known(file: Path) -> None:
    words = set(re.findall(r"\b[A-Z][A-Z_]{3,}\b", file.read_text()))
    assert words <= FILLED.keys()
    assert PLACEHOLDER.search(file.read_text())


def test_only_those_with_the_external_id_may_take_the_role_of_imports() -> None:
    (statement,) = policy("pinecone-import-trust")["Statement"]
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": FILLED["PINECONE_EXTERNAL_ID"]}}


def test_what_is_read_only_names_no_action_that_writes() -> None:
    reading = re.compile(r"^\w+:(Get|List|StartQueryExecution$|StopQueryExecution$)")
    for name in ("dashboards", "pinecone-import"):
        writing = {a for s in policy(name)["Statement"] for a in s["Action"] if not reading.match(a)}
        # Athena writes what it answers with the rights of whoever asked.
        assert writing - {"s3:PutObject", "s3:AbortMultipartUpload"} == set()
        written = [r for s in policy(name)["Statement"] if "s3:PutObject" in s["Action"] for r in s["Resource"]]
        assert [resource for resource in written if not resource.startswith("arn:aws:s3:::the-results/")] == []


def _listed(action: str | list[str]) -> list[str]:
    return [action] if isinstance(action, str) else action
