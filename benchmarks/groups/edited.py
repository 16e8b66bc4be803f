"""A hundredth of the documents edited by one word: how much is embedded again, and how long the run takes."""

from benchmarks.embedder import profile
from benchmarks.lake import NAME
from benchmarks.measures import Cost, Spread, short
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Workbench
from embedding_lakehouse.core.chunking import chunk_document

AGAINST = "cocoindex"
NOTES = [
    "Each edit puts one word at any place of a document; the windows of words behind it shift, so that their texts change too.",
    "Ours is every step of `embed_documents`, from `detect_changes` to `publish_batch`, with all checks; the index is not in it.",
]


def measure(bench: Workbench) -> Section:
    """Targets 5 and 7: everybody over the same edits, other documents each round."""
    site, options = bench.large, bench.options
    expected, rounds = [], []
    for number, edits in enumerate(site.corpus.edits(options.edited_share, options.rounds)):
        expected.append(_changed_texts(dict(site.corpus.texts(set(edits))), edits))
        site.change(edits)
        rounds.append(site.round(f"edited, round {number + 1}"))
    found = {name: [costs[name] for costs in rounds] for name in rounds[0] if all(name in costs for costs in rounds)}
    figures = [_asked(name, costs, expected) for name, costs in found.items()]
    if AGAINST in found:
        for kind, target in (("wall", 7), ("cpu", None)):
            ratio = Spread.of_ratios(*([getattr(cost, kind) for cost in found[name]] for name in (NAME, AGAINST)))
            label = {"wall": "wall clock", "cpu": "processor time with Trino's"}[kind]
            figures.append(Figure(f"edited, all steps, {label}: ours / CocoIndex", ratio, target, most=0.5 if target else None))
    columns = ["", "wall, s", "processor s", "texts embedded", "its parts in the last round, s"]
    changed = round(sum(expected) / len(expected))
    title = f"{options.edited_share:.0%} of {site.corpus.documents:,} documents edited, so that {changed:,} chunk texts changed"
    return Section("Edited", figures, [Table(title, columns, [_row(*one) for one in found.items()])], NOTES)


def _changed_texts(before: dict[str, str], after: dict[str, str]) -> int:
    """Chunk texts that the new versions have and the old ones did not."""
    chunking = profile().chunking
    texts = {doc_id: {chunk.text for chunk in chunk_document(text, chunking)} for doc_id, text in before.items()}
    return sum(chunk.text not in texts[doc_id] for doc_id, text in after.items() for chunk in chunk_document(text, chunking))


def _asked(name: str, costs: list[Cost], expected: list[int]) -> Figure:
    ratio = Spread.of_ratios([cost.texts_embedded for cost in costs], [float(count) for count in expected])
    bound = 1.0 if name == NAME else None
    return Figure(f"texts embedded / chunk texts that changed: {name}", ratio, 5 if bound else None, most=bound)


def _row(name: str, costs: list[Cost]) -> list[str]:
    parts = ", ".join(f"{phase} {short(seconds)}" for phase, seconds in costs[-1].phases.items())
    texts = Spread.of([float(cost.texts_embedded) for cost in costs])
    return [name, str(Spread.of([cost.wall for cost in costs])), str(Spread.of([cost.cpu for cost in costs])), str(texts), parts]
