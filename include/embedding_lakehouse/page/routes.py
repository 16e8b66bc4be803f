"""The pages, each a GET or HEAD: nothing is changed here."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse

from embedding_lakehouse.clients.side_by_side import side_by_side
from embedding_lakehouse.errors import InputError
from embedding_lakehouse.page.charts import drift_charts, fidelity_chart
from embedding_lakehouse.page.documents import document_history
from embedding_lakehouse.page.forms import FORMS
from embedding_lakehouse.page.reading import Reading
from embedding_lakehouse.page.rendering import sample
from embedding_lakehouse.page.rows import Batch, BatchDetails, CheckResult
from embedding_lakehouse.page.showing import Showing, showing
from embedding_lakehouse.receipts import explain
from embedding_lakehouse.retrieval import search

SHOWN_BATCHES = 25
SHOWN_DOCUMENTS = 50
SHOWN_MEASUREMENTS = 90
RECENT_DAYS = 30
MOST_MATCHES = 50
# A page with something that moves shows it anew after so many seconds.
MEASURING_SECONDS, WORKING_SECONDS = 2, 5

Asked = Annotated[Showing, Depends(showing)]
DocId = Annotated[str, Query(min_length=1, max_length=2_000)]
BatchNumber = Annotated[int | None, Query(ge=0, le=2**62)]

router = APIRouter(default_response_class=HTMLResponse)
_page = partial(router.api_route, methods=["GET", "HEAD"])


@_page("/")
def overview(asked: Asked) -> HTMLResponse:
    """How it is: release, freshness, coverage, batches, checks, drift, fidelity, cost, alerts."""
    reading = asked.reading()
    found = side_by_side(
        releases=reading.releases,
        batches=lambda: _audited(reading),
        costs=lambda: reading.costs(asked.now - timedelta(days=RECENT_DAYS)),
        verdicts=lambda: reading.verdicts(1),
        comparisons=lambda: reading.comparisons(1),
        alerts=lambda: reading.alerts(5),
    )
    batches, audited, checks = found.pop("batches")
    # Last, so that measuring it does not slow the others down.
    covered = asked.sources.coverage.look(asked.profile.name, reading.coverage)
    return asked.page(
        "overview.html",
        **found,
        batches=batches,
        audited=audited,
        checks=checks,
        coverage=covered,
        refresh=MEASURING_SECONDS if covered.is_being_read else _refresh(batches),
        published=next((batch for batch in batches if batch.is_published and not batch.is_roll_back), None),
        live=next((release for release in found["releases"] if release.is_live), None),
        freshness_hours=asked.profile.freshness_hours,
        recent_days=RECENT_DAYS,
        progress=_progress(asked, batches),
    )


def _audited(reading: Reading) -> tuple[list[Batch], Batch | None, list[CheckResult]]:
    """The newest batches, the last one of them that was audited, and its checks."""
    batches = reading.batches(5)
    audited = next((batch for batch in batches if batch.is_audited), None)
    return batches, audited, reading.checks(audited.batch_id) if audited else []


def _refresh(batches: Iterable[Batch | BatchDetails]) -> int | None:
    """After how many seconds the page is shown anew: None where no batch is in work."""
    return WORKING_SECONDS if any(batch.is_in_work for batch in batches) else None


def _progress(asked: Showing, batches: Iterable[Batch | BatchDetails]) -> dict[str, Any]:
    """How far the runs of open batches are, by the batch."""
    running = (batch for batch in batches if batch.is_in_work and batch.dag_id and batch.run_id)
    return {batch.batch_id: asked.sources.progress(batch.dag_id or "", batch.run_id or "") for batch in running}


@_page("/documents")
def documents(asked: Asked, doc_id: Annotated[str, Query(max_length=2_000)] = "") -> HTMLResponse:
    """Look a document up by its id, or a part of it."""
    found = asked.reading().documents(doc_id, SHOWN_DOCUMENTS) if doc_id else []
    return asked.page("documents.html", doc_id=doc_id, found=found, most=SHOWN_DOCUMENTS)


@_page("/document")
def document(asked: Asked, doc_id: DocId, version: BatchNumber = None, than: BatchNumber = None) -> HTMLResponse:
    """A document's versions, one of them with its chunks and with what changed since another, and where its records are."""
    history = document_history(asked.sources.lake(), asked.profile, doc_id, version, than)
    return asked.page("document.html", 200 if history else 404, doc_id=doc_id, history=history)


@_page("/batches")
def batches(asked: Asked, before: BatchNumber = None) -> HTMLResponse:
    """The batches, the newest first, page by page."""
    found = asked.reading().batches(SHOWN_BATCHES + 1, before)
    shown = found[:SHOWN_BATCHES]
    next_before = shown[-1].batch_number if len(found) > SHOWN_BATCHES else None
    progress, refresh = _progress(asked, shown), _refresh(shown)
    return asked.page("batches.html", batches=shown, before=before, next_before=next_before, progress=progress, refresh=refresh)


@_page("/batches/{batch_id}")
def batch(asked: Asked, batch_id: str) -> HTMLResponse:
    """One batch with its checks and their offending rows."""
    reading = asked.reading()
    found = side_by_side(batch=lambda: reading.batch(batch_id), checks=lambda: reading.checks(batch_id))
    known = [found["batch"]] if found["batch"] else []
    progress, refresh = _progress(asked, known).get(batch_id, {}), _refresh(known)
    samples = {check.check_name: sample(check.sample) for check in found["checks"]}
    around = {"batch_id": batch_id, "samples": samples, "progress": progress, "refresh": refresh}
    return asked.page("batch.html", 200 if known else 404, **(found | around))


@_page("/drift")
def drift(asked: Asked) -> HTMLResponse:
    """The verdicts on drift, and every measure over time."""
    reading = asked.reading()
    found = side_by_side(
        verdicts=lambda: reading.verdicts(SHOWN_MEASUREMENTS),
        measures=lambda: reading.measures(SHOWN_MEASUREMENTS),
        comparisons=lambda: reading.comparisons(SHOWN_MEASUREMENTS),
    )
    charts, fidelity = drift_charts(found["measures"]), fidelity_chart(found["comparisons"])
    return asked.page("drift.html", verdicts=found["verdicts"], charts=[*charts, *([fidelity] if fidelity else [])])


@_page("/releases")
def releases(asked: Asked) -> HTMLResponse:
    """The releases of the index, and what may be done with them."""
    reading = asked.reading()
    found = side_by_side(releases=reading.releases, comparisons=lambda: reading.comparisons(10))
    return asked.page("releases.html", **found)


@_page("/search")
def search_index(
    asked: Asked,
    question: Annotated[str, Query(max_length=2_000)] = "",
    top_k: Annotated[int, Query(ge=1, le=MOST_MATCHES)] = 5,
) -> HTMLResponse:
    """The matches of a question in the live release, each with its receipt."""
    matches = None
    if question.strip():
        matches = search(question, top_k, profile_name=asked.profile.name, lake=asked.sources.lake(), service=asked.sources.service())
    return asked.page("search.html", question=question, top_k=top_k, most=MOST_MATCHES, matches=matches)


@_page("/receipt")
def receipt(
    asked: Asked,
    record_id: Annotated[str, Query(min_length=1, max_length=512)],
    doc_id: Annotated[str, Query(max_length=2_000)] = "",
) -> HTMLResponse:
    """What stands behind one record; links to it name its document, by which it is found at once."""
    documents = {record_id: doc_id} if doc_id else {}
    explained = explain([record_id], asked.profile.name, lake=asked.sources.lake(), documents=documents)
    found = explained.receipts[0] if explained.receipts else None
    reason = explained.unknown.get(record_id)
    return asked.page("receipt.html", 200 if found else 404, record_id=record_id, receipt=found, reason=reason)


@_page("/trigger/{dag_id}")
def trigger(asked: Asked, dag_id: str) -> HTMLResponse:
    """The form that triggers a DAG, with the values of the link."""
    if dag_id not in FORMS:
        raise InputError("there is no form for that DAG on this page")
    form = FORMS[dag_id]
    return asked.page("trigger.html", form=form, fields=form.filled({**asked.request.query_params, "profile": asked.profile.name}))
