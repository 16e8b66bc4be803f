"""Real edits of real documents: the share of a document's chunks whose text is new, and so embedded again."""

from collections.abc import Iterable
from functools import cache

from benchmarks.history import Edit, places, versions
from benchmarks.measures import Spread, short
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Workbench
from embedding_lakehouse.core.chunking import Chunking, StructureChunking, WordChunking, chunk_document

MARKDOWN = "text/markdown"
STRATEGIES: dict[str, Chunking] = {"structure, 1,250 characters": StructureChunking(), "windows, 200/40 words": WordChunking()}
DEFAULT, WINDOWS = STRATEGIES
PLACES = "each changed place as an edit of its own"
NOTES = [
    "A share is the chunks whose text the document did not have before, over all chunks of its new version; all edits together are the "
    "sum of the ones over the sum of the others.",
    "Versions lie weeks apart, so that most hold many edits. An edit as its author made it is nearest to one changed place (a run of "
    "changed lines), or to a version that differs in one place only.",
]


def measure(bench: Workbench) -> Section:
    """Target 6: the default chunking and windows of words over the same edits."""
    history = bench.options.history
    whole = list(versions(history))
    by_place = [places(edit) for edit in whole]
    kinds = {
        PLACES: [edit for edits in by_place for edit in edits],
        "versions that differ in one place": [edits[0] for edits in by_place if len(edits) == 1],
        "every version after the one before": whole,
    }
    shares = {kind: {name: _shares(edits, chunking) for name, chunking in STRATEGIES.items()} for kind, edits in kinds.items()}
    figures = [
        Figure(
            f"chunks embedded again, {kind}",
            Spread.of([by_strategy[DEFAULT][0]]),
            6 if kind == PLACES else None,
            most=0.1 if kind == PLACES else None,
            beside=f"{WINDOWS}: {short(by_strategy[WINDOWS][0])}",
        )
        for kind, by_strategy in shares.items()
    ]
    rows = [
        [kind, str(len(kinds[kind])), name, short(together), short(mean), short(middle)]
        for kind, by_strategy in shares.items()
        for name, (together, mean, middle) in by_strategy.items()
    ]
    columns = ["edits", "how many", "chunking", "all edits together", "mean of the edits", "median edit"]
    source = (
        f"Edits: `{history.name}`, given by its file." if history else "Edits: made ones, since no history was given (`--history FILE`)."
    )
    return Section("Real edits", figures, [Table("Share of a document's chunks embedded again", columns, rows)], [source, *NOTES])


def _shares(edits: Iterable[Edit], chunking: Chunking) -> tuple[float, float, float]:
    """All edits together, their mean and their median."""

    @cache
    def texts(document: str) -> tuple[str, ...]:
        return tuple(chunk.text for chunk in chunk_document(document, chunking, MARKDOWN))

    pairs = [(sum(text not in set(texts(edit.before)) for text in texts(edit.after)), len(texts(edit.after))) for edit in edits]
    pairs = [(new, every) for new, every in pairs if every]
    each = [new / every for new, every in pairs]
    return sum(new for new, _ in pairs) / sum(every for _, every in pairs), sum(each) / len(each), Spread.of(each).median
