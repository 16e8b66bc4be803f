"""A hundredth of the documents edited by one word: how much is embedded again, and how long the run takes."""

from benchmarks.embedder import profile
from benchmarks.groups.comparing import against_cocoindex, by_name, parts, seconds
from benchmarks.lake import NAME, SIDE_BY_SIDE
from benchmarks.measures import Spread
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Workbench
from embedding_lakehouse.core.chunking import chunk_document

NOTES = [
    "Each edit puts one word at any place of a document; the windows of words behind it shift, so that their texts change too.",
    "Ours is every step of `embed_documents`, from `detect_changes` to `publish_batch`, with all checks; the index is not in it.",
    SIDE_BY_SIDE,
]


def measure(bench: Workbench) -> Section:
    """Targets 5 and 7: everybody over the same edits, other documents each round."""
    site, options = bench.large, bench.options
    expected, rounds = [], []
    for number, edits in enumerate(site.corpus.edits(options.edited_share, options.rounds)):
        expected.append(_changed_texts(dict(site.corpus.texts(set(edits))), edits))
        site.change(edits)
        rounds.append(site.round("edited", number))
    found = by_name(rounds)
    asked = {name: Spread.of_ratios([cost.texts_embedded for cost in costs], expected[: len(costs)]) for name, costs in found.items()}
    beside = ", ".join(f"{name} {ratio}" for name, ratio in asked.items() if name != NAME)
    figures = [
        Figure("texts embedded / chunk texts that changed", asked[NAME], 5, most=1, beside=beside, counted=True),
        *against_cocoindex(found, "edited, all steps", 7, most=0.5),
    ]
    changed = round(sum(expected) / len(expected))
    title = f"{options.edited_share:.0%} of {site.corpus.documents:,} documents edited, so that {changed:,} chunk texts changed"
    texts = {name: str(Spread.of([cost.texts_embedded for cost in costs])) for name, costs in found.items()}
    rows = [[name, *seconds(costs), texts[name], parts(costs[0])] for name, costs in found.items()]
    return Section(
        "Edited", figures, [Table(title, ["", "s", "processor s", "texts embedded", "parts of the first round, s"], rows)], NOTES
    )


def _changed_texts(before: dict[str, str], after: dict[str, str]) -> float:
    """Chunk texts that the new versions have and the old ones did not."""
    chunking = profile().chunking
    texts = {doc_id: {chunk.text for chunk in chunk_document(text, chunking)} for doc_id, text in before.items()}
    return sum(chunk.text not in texts[doc_id] for doc_id, text in after.items() for chunk in chunk_document(text, chunking))
