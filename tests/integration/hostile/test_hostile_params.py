"""Hostile Params, ids and addresses at every DAG's first steps and every page of a lake with a history: refused by name, or kept as text.

Afterwards every table, view and branch, every file of the lake and every record of the index is what it was.
"""

import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from embedding_lakehouse.clients import batches
from embedding_lakehouse.errors import ConfigurationError, ConflictError, InputError, LakehouseError, NothingToDo
from embedding_lakehouse.page.showing import Sources
from embedding_lakehouse.receipts import explain
from embedding_lakehouse.retrieval import search
from embedding_lakehouse.steps.roll_back_embeddings.applying import apply_roll_back
from embedding_lakehouse.steps.roll_back_embeddings.planning import plan_roll_back
from tests.hostile_params import ENTRIES, PROFILE, Entry
from tests.hostile_values import LINES, PRINTABLE, TEMPLATE, TEXTS, UNPRINTABLE
from tests.hostile_world import World, is_plain
from tests.page_fixtures import client

NAME = PROFILE
KEPT = ("sql", "sql_condition", "placeholder", "statement_template", "template", "format", "markup", "markdown", "path", "bidi")
REFUSALS = (ConfigurationError, InputError)
# Each of these takes a page several statements.
SHOWN = UNPRINTABLE | {kind: PRINTABLE[kind] for kind in ("sql", "template", "markup", "path", "huge_number", "unicode_digits")}


def outcome(entry: Entry, world: World, **hostile: Any) -> LakehouseError | None:
    """The error that ends the DAG's first steps with a hostile Param in the place of a good one."""
    params = entry.params | {"profile": NAME} | hostile
    try:
        entry.call(params, world.lake, world.following.service)
    except LakehouseError as error:
        return error
    return None


@pytest.mark.parametrize(("dag", "name"), [(dag, name) for dag, entry in ENTRIES.items() for name in entry.names])
def test_a_hostile_name_is_refused(unchanged: World, dag: str, name: str) -> None:
    entry = ENTRIES[dag]
    ends = {}
    for kind, text in TEXTS.items():
        error = outcome(entry, unchanged, **{name: [text] if isinstance(entry.params.get(name), list) else text})
        if not (isinstance(error, REFUSALS) and is_plain(error) and name in str(error)):
            ends[kind] = error
    assert ends == {}


@pytest.mark.parametrize(("dag", "name"), [(dag, name) for dag, entry in ENTRIES.items() for name in entry.texts])
def test_a_hostile_text_is_kept_as_text_or_refused(unchanged: World, dag: str, name: str) -> None:
    entry = ENTRIES[dag]
    # What these Params end in otherwise: a switch without another release, a dry run, a batch that nothing blocks.
    usual = outcome(entry, unchanged, **{name: "a test"})
    kept = outcome(entry, unchanged, **{name: " ".join(PRINTABLE[kind] for kind in KEPT)})
    assert (type(kept), str(kept)[:40]) == (type(usual), str(usual)[:40])
    for text in UNPRINTABLE.values():
        refused = outcome(entry, unchanged, **{name: text})
        assert isinstance(refused, InputError) and is_plain(refused) and str(refused).startswith(f"{name} ")


@pytest.mark.parametrize(
    ("dag", "hostile"),
    [
        ("ingest_documents", {"max_document_megabytes": float("nan")}),
        ("ingest_documents", {"max_document_megabytes": True}),
        ("ingest_documents", {"max_document_megabytes": 10**400}),
        ("ingest_documents", {"parse_seconds": 10**5_000}),
        ("ingest_documents", {"delete_limit": float("nan")}),
        ("ingest_documents", {"delete_limit": -1}),
        ("rebuild_index", {"keep_days": 1e300}),
        ("rebuild_index", {"keep_days": float("nan")}),
        ("switch_release", {"keep_days": 10**30}),
        ("switch_release", {"keep_days": -1}),
    ],
)
def test_a_number_that_is_none_is_refused(unchanged: World, tmp_path: Path, dag: str, hostile: dict[str, Any]) -> None:
    good = {"source": str(tmp_path)} if dag == "ingest_documents" else {}
    error = outcome(ENTRIES[dag], unchanged, **good, **hostile)
    assert isinstance(error, REFUSALS) and is_plain(error) and next(iter(hostile)) in str(error)


def test_a_hostile_reason_stays_what_it_is_in_tables_plans_and_pages(world: World, caplog: pytest.LogCaptureFixture) -> None:
    tables = {row[:3] for row in world.state()[0]}
    reason = f"{PRINTABLE['sql']} {PRINTABLE['markup']} {PRINTABLE['markdown']} {TEMPLATE} {LINES}"
    with caplog.at_level(logging.INFO):
        plan = plan_roll_back(NAME, "", latest(world), reason, lake=world.lake)
    line = " ".join(reason.split())
    assert plan["reason"] == line
    # Shown as Markdown to whoever approves it: all of it is one span of code.
    span = plan["description"].partition("Reason: ")[2]
    assert span.startswith("`") and span.endswith("`") and span.count("`") == 2
    assert not any("\nERROR" in record.getMessage() for record in caplog.records)
    roll_back = apply_roll_back(plan, "roll_back_embeddings", "a run", world.lake)
    page = pages(world).get(f"/batches/{roll_back}").text
    assert "&lt;script&gt;document.title" in page and "<script>document" not in page and "javascript:" in page
    assert 'href="javascript' not in page and "<img" not in page
    assert {row[:3] for row in world.state()[0]} == tables


def latest(world: World) -> str:
    """The profile's newest batch."""
    rows = [row for row in batches.journal(world.lake).rows() if row["profile"] == NAME]
    return str(max(rows, key=lambda row: row["batch_number"])["batch_id"])


def pages(world: World) -> TestClient:
    """The page over the world, as a browser finds it."""
    return client(Sources(sql=lambda: world.lake.sql, lake=lambda: world.lake, service=lambda: world.following.service))


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/", ("profile",)),
        ("/documents", ("doc_id",)),
        ("/document", ("doc_id", "version")),
        ("/batches", ("before",)),
        ("/search", ("top_k",)),
        ("/receipt", ("record_id", "doc_id")),
        ("/trigger/roll_back_embeddings", ("to", "without_batch", "reason")),
    ],
)
def test_a_page_answers_a_hostile_address_with_a_page(unchanged: World, path: str, names: tuple[str, ...]) -> None:
    page = pages(unchanged)
    good = {"doc_id": "a", "record_id": "0" * 64, "question": "alpha"}
    wrong = {}
    for name in names:
        for kind, text in SHOWN.items():
            answer = page.get(path, params=good | {name: text.encode("utf-8", "surrogatepass")[:9_000]})
            if answer.status_code not in (200, 400, 404) or is_broken(answer.text):
                wrong[name, kind] = answer.status_code
    assert wrong == {}


def test_a_page_takes_no_path_for_another_one(unchanged: World) -> None:
    page = pages(unchanged)
    for text in SHOWN.values():
        name = quote(text.encode("utf-8", "surrogatepass")[:2_000], safe="")
        for path in (f"/batches/{name}", f"/trigger/{name}", f"/static/{name}", f"/{name}"):
            answer = page.get(path)
            assert answer.status_code in (400, 404), path
            assert not is_broken(answer.text)


def is_broken(shown: str) -> bool:
    """Whether what somebody gave became markup of the page."""
    return "<script>document" in shown or "<img" in shown or 'href="javascript' in shown


def test_a_page_logs_no_line_that_somebody_wrote(world: World, caplog: pytest.LogCaptureFixture) -> None:
    down = client(Sources(sql=lambda: 1 / 0, lake=lambda: 1 / 0))  # type: ignore[arg-type,return-value]
    assert down.get(f"/batches/{quote(LINES, safe='')}").status_code == 500
    assert caplog.records and not any("\nERROR" in record.getMessage() for record in caplog.records)


def test_hostile_ids_questions_and_filters_end_in_a_clear_refusal(unchanged: World) -> None:
    lake, service = unchanged.lake, unchanged.following.service
    told = {f"{number:064x}": text for number, text in enumerate(TEXTS.values())}
    explained = explain([*TEXTS.values(), *told], NAME, lake=lake, documents=told)
    assert set(explained.unknown) == {*TEXTS.values(), *told} and not explained.receipts
    for ids in ([None], [7], [b"a"], [("a",)]):
        with pytest.raises(InputError):
            explain(ids, NAME, lake=lake)  # type: ignore[arg-type]
    deep: dict[str, Any] = {"doc_id": "a"}
    for _ in range(5_000):
        deep = {"$and": [deep]}
    wrong: list[dict[str, Any]] = [
        *({"question": text} for text in (TEXTS["half_a_surrogate"], "x" * 1_000_000)),
        *({"top_k": top_k} for top_k in (True, 0, -1, 10**30, 2.5, "5", None)),
        *({"profile_name": text} for text in TEXTS.values()),
        *({"condition": condition} for condition in (deep, {"$where": "1"}, {"a": {"$eq": object()}}, {"a": {"$eq": float("nan")}})),
    ]
    for asked in wrong:
        with pytest.raises(LakehouseError) as refused:
            search(**{"question": "alpha", "profile_name": NAME} | asked, lake=lake, service=service)
        assert isinstance(refused.value, REFUSALS) and is_plain(refused.value), asked


def test_nothing_to_do_and_a_conflict_are_no_refusal() -> None:
    """What the tests above take for one names the value; these two do not."""
    assert not issubclass(NothingToDo, REFUSALS) and not issubclass(ConflictError, REFUSALS)
