"""The simulated runs as tables, and as the page `docs/deployment/capacity.md`."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from benchmarks.capacity.measured import Measured
from benchmarks.capacity.scenario import Plan
from benchmarks.capacity.simulator import BYTES_PER_TOKEN, IN_BULK, REMEDIES, RUNS, Simulator
from benchmarks.capacity.stages import Run
from benchmarks.measures import short
from benchmarks.report import Table

SIZES = (1_000_000, 8_000_000, 50_000_000)
HEAD = """# Capacity

Written by `make plan PLAN=--write`, never by hand: hours, money and machines of every run, simulated from the slopes that
`make bench` measured and the limits that the services publish. For your own corpus, model and account:
`make plan DOCUMENTS=3000000 PLAN="--scenario FILE"`, where the file has the tables of
[capacity.toml](../../benchmarks/capacity/capacity.toml), which names the source of every limit. What a task needs, and what
storage is made of, is in [sizing](sizing.md).
"""
METHOD = """
## What is simulated, and what is assumed

- Batches and shards are cut by the rules that cut them in a run. A stage takes as long as the scarcest of what it needs;
  `embed_documents` and `sync_index` work side by side on different batches, and do not take slots from each other here. Ingestion is
  not in it.
- The seconds of a phase are fixed + slope x corpus + slope x change, by least squares without negative parts, through the corpora of
  the group `scale` and the first runs of `cold`. Trino and the steps had 2 cores; `engine.speed` says how much faster yours is. The
  measured corpora have ten chunks a document and 256 dimensions; what a vector weighs is counted apart, by its dimensions.
- Beyond {documents:,} documents, and {changed:,} changed ones in a batch, it is extrapolation, and most so for the plan of a rebuild,
  which has every document in it.
- How long the model and the index take to answer is assumed, and how long an import takes beyond ten minutes is not published, so
  that its hours are the least: see the file. Nothing of OpenAI, Pinecone or AWS was measured. In bulk every job takes its full day.
- USD of the index are upserts or imports; its storage stands apart, deleting and searching are in none. Bytes in the lake are the
  rows of embeddings, before their text is compressed.
- Trino: a heap of {heap:g} GB held {documents:,} documents; that no statement needs more than in proportion to the corpus is assumed.

The measurements: {runs}.
"""


def overview(plan: Plan, measured: Measured, runs: Sequence[Run]) -> Table:
    """One row for each run: time, money, amounts, and what decides."""
    columns = ["run", "hours", "model, USD", "index, USD", "texts embedded", "batches", "shards a batch", "slots that help"]
    columns += ["lake, GB", "index, GB", "index requests"]
    rows = []
    for run in runs:
        amounts, shards = run.amounts, " / ".join(map(str, run.shards.values()))
        usd = [short(amounts.model_usd), short(amounts.index_usd)]
        sizes = [short(amounts.lake_bytes / 1e9), short(amounts.index_bytes / 1e9), f"{amounts.index_requests:,.0f}"]
        slots = str(enough_slots(plan, measured, run))
        row = [run.name, short(run.seconds / 3_600), *usd, f"{amounts.texts:,.0f}", f"{len(run.batches):,}", shards, slots]
        rows.append([*row, *sizes])
    return Table("Shards are those over documents / texts to embed / records of the index", columns, rows)


def bottlenecks(plan: Plan, measured: Measured, runs: Sequence[Run]) -> Table:
    """What decides each run, what relieves it, and what decides then."""
    rows = []
    for run in runs:
        after = Simulator(plan, measured, {run.bottleneck}).run(run.name)
        busy = f"{run.used[run.bottleneck]:.0%}"
        then = f"{short(after.seconds / 3_600)} h: {after.bottleneck}"
        rows.append([run.name, run.bottleneck, busy, REMEDIES[run.bottleneck], then, "; ".join(run.warnings)])
    return Table("Bottlenecks", ["run", "bottleneck", "in use", "what relieves it", "without it", "limits passed"], rows)


def stages(run: Run) -> Table:
    """Each stage of a run over all of its batches."""
    rows = [[name, short(seconds), f"{seconds / run.seconds:.0%}", decided] for name, (seconds, decided) in run.stages.items()]
    return Table(f"{run.name}, its stages", ["stage", "seconds", "of the run", "decided by"], rows)


def machines(plans: Sequence[Plan], measured: Measured) -> Table:
    """What stands there all the time, for each size of the corpus."""
    columns = [
        "documents",
        "chunks",
        "worker slots",
        "GB of memory for them",
        "Trino's heap, GB at most",
        "lake, USD a month",
        "index, USD a month",
    ]
    rows = []
    for plan in plans:
        sizes, slots = Simulator(plan, measured), plan.scenario.worker_slots
        chunks = plan.scenario.documents * sizes.chunks_per_document
        heap = plan.engine.heap_gb * max(1.0, plan.scenario.documents / measured.largest_documents)
        # The documents' own texts stand in the source table.
        lake = chunks * (sizes.row_bytes + BYTES_PER_TOKEN * sizes.tokens_per_chunk) / 1e9 * plan.lake.usd_per_gb_month
        index = chunks * sizes.stored_bytes / 1e9 * plan.index.usd_per_gb_month
        memory = short(slots * measured.task_bytes / 1e9)
        rows.append([f"{plan.scenario.documents:,}", f"{chunks:,.0f}", str(slots), memory, short(heap), short(lake), short(index)])
    return Table("Machines and storage", columns, rows)


def by_model(plan: Plan, measured: Measured) -> Table:
    """The first load by each declared model, with as many slots as help."""
    rows = []
    for name in plan.models:
        site = Simulator(replace(plan, scenario=replace(plan.scenario, model=name)), measured)
        run, bulk = site.run(RUNS[0]), site.run(IN_BULK) if site.plan.model.bulk_tokens_enqueued else None
        in_bulk = [short(bulk.seconds / 3_600), short(bulk.amounts.model_usd)] if bulk else ["", ""]
        rows.append([name, short(run.seconds / 3_600), short(run.amounts.model_usd), run.bottleneck, *in_bulk])
    return Table(
        f"First load of {plan.scenario.documents:,} documents by model",
        ["model", "hours", "model, USD", "bottleneck", "in bulk, hours at most", "USD"],
        rows,
    )


def checked(measured: Measured) -> Table:
    """The largest measured corpus, as it was predicted from the smaller ones."""
    columns = ["edited", "phase", "predicted, s", "measured, s", "predicted / measured"]
    rows = [[f"{one.changed:,}", one.phase, short(one.predicted), short(one.measured), short(one.ratio)] for one in measured.checks]
    largest = f"{measured.largest_documents:,} documents"
    what = "predicted from the smaller corpora alone" if rows else "not predicted: fewer than three corpora were measured"
    return Table(f"{largest}, {what}", columns, rows)


def page(plan: Plan, measured: Measured) -> str:
    """The page for all sizes, in Markdown."""
    return "\n".join(_page(plan, measured)).rstrip() + "\n"


def _page(plan: Plan, measured: Measured) -> Iterator[str]:
    plans = [replace(plan, scenario=replace(plan.scenario, documents=documents)) for documents in SIZES]
    asked, sizes = plan.scenario, Simulator(plan, measured)
    yield HEAD
    yield (
        f"The scenario: `{asked.model}`, {asked.dimensions:,} dimensions, {short(sizes.chunks_per_document)} chunks a document of "
        f"{short(sizes.tokens_per_chunk)} tokens, {asked.worker_slots} worker slots, batches of {plan.batch.documents:,} documents; an "
        f"edit embeds {sizes.edit_share:.0%} of a document's chunks again; a day edits {asked.daily_share:.0%} of the documents.\n"
    )
    for each in plans:
        runs = Simulator(each, measured).runs()
        yield f"## {each.scenario.documents:,} documents\n"
        yield from _markdown(overview(each, measured, runs))
        yield from _markdown(bottlenecks(each, measured, runs))
    yield "## Machines, models\n"
    yield from _markdown(machines(plans, measured))
    yield from _markdown(by_model(plans[1], measured))
    yield "## What to do with it\n"
    yield from (f"- {sentence}" for sentence in advice(plans[1], measured))
    yield "\n## Checked against the largest measured corpus\n"
    yield from _markdown(checked(measured))
    groups = ("scale", "cold", "undo", "payload", "writing", "memory", "models", "edits")
    runs_of = ", ".join(f"`{name}` {measured.runs[name]}" for name in groups if name in measured.runs)
    heap = plan.engine.heap_gb
    yield METHOD.format(documents=measured.largest_documents, changed=measured.largest_changed, heap=heap, runs=runs_of)


def advice(plan: Plan, measured: Measured) -> Iterator[str]:
    """What changes most for a first load, in sentences with its figures."""
    site, documents, most = Simulator(plan, measured), plan.scenario.documents, plan.batch.documents
    first, imported = site.run(RUNS[0]), site.run("index rebuilt by import").amounts.index_usd
    if imported < first.amounts.index_usd:
        yield (
            f"{documents:,} documents cost {short(first.amounts.index_usd)} USD to upsert and {short(imported)} to import. So for a first "
            "load or another model leave `sync_index` paused until the backlog is embedded, and fill the index by `rebuild_index` with "
            "`method` `import`. Not tried at this size."
        )
    filling = int(plan.model.bulk_tokens_enqueued / (site.chunks_per_document * site.tokens_per_chunk))
    if filling > most:
        bulk, larger = (
            Simulator(replace(plan, batch=replace(plan.batch, documents=each)), measured).run(IN_BULK) for each in (most, filling)
        )
        hours, fewer = short(bulk.seconds / 3_600), short(larger.seconds / 3_600)
        yield (
            f"In bulk a batch of {most:,} documents fills {most / filling:.0%} of the account's queue. With a `batch.documents` of "
            f"{filling:,} a first load takes {fewer} hours at most instead of {hours}, for {short(bulk.amounts.model_usd)} instead of "
            f"{short(first.amounts.model_usd)} USD at once; a shard's task then needs more memory, which was not measured."
        )


def as_json(plan: Plan, measured: Measured, runs: Sequence[Run]) -> dict[str, Any]:
    """The same for programs."""
    described = [
        {
            "run": run.name,
            "seconds": run.seconds,
            "amounts": asdict(run.amounts),
            "batches": len(run.batches),
            "shards": run.shards,
            "stages": {name: {"seconds": taken, "decided_by": decided} for name, (taken, decided) in run.stages.items()},
            "used": run.used,
            "bottleneck": run.bottleneck,
            "warnings": run.warnings,
        }
        for run in runs
    ]
    checks = [asdict(one) for one in measured.checks]
    return {
        "scenario": asdict(plan.scenario),
        "runs": described,
        "slopes": {k: asdict(v) for k, v in measured.slopes.items()},
        "checks": checks,
    }


def enough_slots(plan: Plan, measured: Measured, run: Run) -> int:
    """The fewest slots, a power of two, with which the run takes at most 5% longer than with any more of them."""
    seconds = {
        slots: Simulator(replace(plan, scenario=replace(plan.scenario, worker_slots=slots)), measured).run(run.name).seconds
        for slots in (1, 2, 4, 8, 16, 32, 64, 128)
    }
    return next(slots for slots in seconds if seconds[slots] <= 1.05 * min(seconds.values()))


def _markdown(table: Table) -> Iterator[str]:
    yield f"{table.title}:\n"
    yield f"| {' | '.join(table.columns)} |"
    yield f"|{' --- |' * len(table.columns)}"
    yield from (f"| {' | '.join(row)} |" for row in table.rows)
    yield ""
