"""A hundredth of the documents edited by one word, as many added, as many deleted: what is embedded again, and how long each takes."""

from benchmarks.embedder import profile
from benchmarks.groups.comparing import Series, against_cocoindex, by_name, parts, seconds
from benchmarks.lake import NAME, SIDE_BY_SIDE
from benchmarks.measures import Spread
from benchmarks.report import Figure, Section, Table
from benchmarks.workbench import Site, Workbench
from embedding_lakehouse.core.chunking import chunk_document

NOTES = [
    "Each edit puts one word at any place of a document; the windows of words behind it shift, so that their texts change too. The "
    "documents that are deleted are those that were added.",
    "Ours is every step of `embed_documents`, from `detect_changes` to `publish_batch`, with all checks; the index is not in it.",
    SIDE_BY_SIDE,
]
COLUMNS = ["", "s", "processor s", "texts embedded", "parts of the first round, s"]


def measure(bench: Workbench) -> Section:
    """Targets 5 and 7: everybody over the same edits, other documents each round; then additions and deletions."""
    site, options = bench.large, bench.options
    expected, rounds = [], []
    for number, edits in enumerate(site.corpus.edits(options.edited_share, options.rounds)):
        expected.append(_changed_texts(dict(site.corpus.texts(set(edits))), edits))
        site.change(edits)
        rounds.append(site.round("edited", number))
    found, changed = by_name(rounds), round(sum(expected) / len(expected))
    added, deleted, new = _added_and_deleted(site, options.edited_share, options.rounds)
    asked = {name: Spread.of_ratios([cost.texts_embedded for cost in costs], expected[: len(costs)]) for name, costs in found.items()}
    beside = ", ".join(f"{name} {ratio}" for name, ratio in asked.items() if name != NAME)
    texts = sum(cost.texts_embedded for cost in added[NAME]) / new
    figures = [
        Figure("texts embedded / chunk texts that changed", asked[NAME], 5, most=1, beside=beside, counted=True),
        *against_cocoindex(found, "edited, all steps", 7, most=0.5),
        Figure("texts embedded / chunk texts of the added documents", Spread.of([texts]), most=1, counted=True),
        *against_cocoindex(added, "added, all steps"),
        Figure("texts embedded when documents are deleted", _texts(deleted), most=0, counted=True),
        *against_cocoindex(deleted, "deleted, all steps"),
    ]
    share, size = f"{options.edited_share:.0%}", f"{site.corpus.documents:,} documents"
    tables = [
        _table(f"{share} of {size} edited, so that {changed:,} chunk texts changed", found),
        _table(f"{share} added to {size}", added),
        _table(f"The same {share} deleted again", deleted),
    ]
    return Section("Edited, added, deleted", figures, tables, NOTES)


def _added_and_deleted(site: Site, share: float, rounds: int) -> tuple[Series, Series, int]:
    """What additions cost and then their deletion, round after round, and how many chunk texts were added in all."""
    added, deleted, new = [], [], 0
    for number, documents in enumerate(site.corpus.added(share, rounds)):
        site.change(documents)
        added.append(site.round("added", number))
        new += len({chunk.text for text in documents.values() for chunk in chunk_document(text, profile().chunking)})
        site.remove(documents)
        deleted.append(site.round("deleted", number))
    return by_name(added), by_name(deleted), new


def _texts(found: Series) -> Spread:
    return Spread.of([sum(cost.texts_embedded for cost in found[NAME])])


def _table(title: str, found: Series) -> Table:
    texts = {name: str(Spread.of([cost.texts_embedded for cost in costs])) for name, costs in found.items()}
    return Table(title, COLUMNS, [[name, *seconds(costs), texts[name], parts(costs[0])] for name, costs in found.items()])


def _changed_texts(before: dict[str, str], after: dict[str, str]) -> float:
    """Chunk texts that the new versions have and the old ones did not."""
    chunking = profile().chunking
    texts = {doc_id: {chunk.text for chunk in chunk_document(text, chunking)} for doc_id, text in before.items()}
    return sum(chunk.text not in texts[doc_id] for doc_id, text in after.items() for chunk in chunk_document(text, chunking))
