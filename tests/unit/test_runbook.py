"""docs/runbook.md has an entry for everything that can be told to a person, and quotes only what the code says."""

import ast
import re
from pathlib import Path

import pytest

from dev.stack.component import ROOT
from embedding_lakehouse import errors
from embedding_lakehouse.core import alarms, alerts

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
# What follows on them is an alert, or nothing.
NO_FAILURES = {"AlarmRaised", "InputError", "MoreRoundsNeeded", "NothingToDo", "LakehouseError"}
ANYTHING = "…"


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def first_column(text: str) -> list[str]:
    return [line.split("|")[1] for line in text.splitlines() if line.startswith("| ") and not line.startswith(("|---", "| the message"))]


def quoted() -> list[str]:
    """Every part of a message that the runbook looks for."""
    tables = [table for table in re.split(r"\n\n", RUNBOOK) if table.startswith("| the message has")]
    cells = [cell for table in tables for cell in first_column(table)]
    return [quote for cell in cells for quote in re.findall("`([^`]+)`", cell) if " " in quote]


def messages() -> list[str]:
    """Every string of the package, with a sign for what is filled in."""
    found = []
    for file in (ROOT / "include").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(part.value if isinstance(part, ast.Constant) else ANYTHING for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_every_kind_of_alert_has_an_entry() -> None:
    kinds = {
        alerts.BLOCKED_BATCH,
        alerts.FAILED_TASK,
        alerts.WAITING,
        *alerts.IMPACTS,
        alarms.DRIFT,
        alarms.LOW_FIDELITY,
        alarms.MISSED_FRESHNESS,
    }
    entries = first_column(section("Alerts"))[1:]
    assert {entry.strip(" `") for entry in entries} == kinds


def test_every_dag_has_an_entry() -> None:
    entries = first_column(section("By DAG"))[1:]
    assert {entry.strip(" `") for entry in entries} == {file.stem for file in (ROOT / "dags").glob("*.py")}


def test_every_kind_of_error_has_an_entry() -> None:
    kinds = {name for name, found in vars(errors).items() if isinstance(found, type) and issubclass(found, errors.LakehouseError)}
    assert [name for name in kinds - NO_FAILURES if f"`{name}`" not in RUNBOOK] == []


def test_everything_that_is_quoted_is_said_somewhere() -> None:
    said = "\n".join(messages())
    patterns = {quote: ".*".join(re.escape(part.strip()) for part in quote.split(ANYTHING)) for quote in quoted()}
    assert len(patterns) > 40
    assert [quote for quote, pattern in patterns.items() if not re.search(pattern, said)] == []


@pytest.mark.parametrize(
    "page", ["runbook.md", *(f"deployment/{file.name}" for file in sorted((ROOT / "docs" / "deployment").glob("*.md")))]
)
def test_every_link_leads_to_a_file(page: str) -> None:
    file = ROOT / "docs" / page
    links = [link for link in re.findall(r"\]\(([^)#]+)", file.read_text()) if "://" not in link]
    assert [link for link in links if not Path(file.parent / link).exists()] == []
