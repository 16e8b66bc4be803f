"""The server's answers are held against descriptions of the service: a right one is met, a wrong one is noticed."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]


def described(upserted: str, status: str = "200") -> dict:
    """A description that says one thing: what an upsert answers."""
    counted = {"type": "object", "required": [upserted], "properties": {upserted: {"type": "integer"}}}
    answers = {status: {"description": "done", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Counted"}}}}}
    refused = {"4XX": {"description": "refused", "content": {"application/json": {"schema": {"type": "object", "required": ["code"]}}}}}
    return {
        "paths": {"/vectors/upsert": {"post": {"responses": answers | refused}}},
        "components": {"schemas": {"Counted": counted}},
    }


@pytest.mark.parametrize(
    ("description", "found"),
    [
        (described("upsertedCount"), "2 answers held against their descriptions, 0 differences"),
        (described("upserted_count"), "'upserted_count' is a required property"),
        (described("upsertedCount", "201"), "answered 200: this status is not described"),
    ],
    ids=["right", "another name", "another status"],
)
def test_an_answer_is_held_against_its_description(tmp_path: Path, description: dict, found: str) -> None:
    file = tmp_path / "db_data_2026-04.oas.yaml"
    file.write_text(yaml.safe_dump(description))
    command = [sys.executable, "-m", "dev.pinecone_server.conformance", str(file)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found in told.stdout
    assert told.returncode == int("0 differences" not in found)
