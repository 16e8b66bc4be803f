"""How the command line shows matches and receipts to a person."""

from datetime import datetime

from rich import markup
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from embedding_lakehouse.core.receipts import HoldingRelease, Match, Receipt
from embedding_lakehouse.core.texts import visible

NO_TEXT = "(its text is neither in the index nor in the lake)"


def escape(text: str) -> str:
    """The text as rich prints it: markup and control characters are only text."""
    return markup.escape(visible(text))


def print_matches(console: Console, matches: list[Match]) -> None:
    """Each match with its text and where it comes from."""
    if not matches:
        console.print("no match")
    for place, match in enumerate(matches, start=1):
        title = f"  {escape(match.title)}" if match.title else ""
        console.print(f"[bold]{place}. {match.score:.4f}  {escape(match.doc_id)}[/bold]{title}")
        origin = (
            f"record {match.chunk_id}",
            f"version {match.content_hash[:12]}  chunk {match.chunk_index} at {match.start_offset}  release {match.release_id}",
            f"model {match.model_version}  batch {match.batch_id}",
            f"source snapshot {match.source_snapshot}",
        )
        console.print(Padding(Text(visible("\n".join(origin)), style="dim"), (0, 0, 0, 3)))
        console.print(Padding(Text(visible((match.text or NO_TEXT).strip())), (0, 0, 1, 3)))


def print_receipts(console: Console, receipts: list[Receipt], at: datetime | None, with_text: bool) -> None:
    """Each receipt, as of `at` or now, as a list of what is known, with the passage, and the document's whole text where it is wanted."""
    for receipt in receipts:
        console.print(f"[bold]{escape(receipt.doc_id)}[/bold]  {escape(receipt.version.title or '')}".rstrip())
        facts = Table.grid(padding=(0, 2))
        facts.add_column(style="dim", no_wrap=True)
        facts.add_column(overflow="fold")
        for name, fact in _facts(receipt, at):
            facts.add_row(name, fact)
        for remark in receipt.remarks:
            facts.add_row("[bold yellow]note[/]", Text(visible(remark), style="bold yellow"))
        console.print(Padding(facts, (0, 0, 0, 3)))
        console.print(Padding(Text(visible(receipt.passage.text.strip())), (1, 0, 1, 3)))
        if with_text and receipt.version.document_text is not None:
            console.rule(f"the document as it was, version {receipt.version.content_hash[:12]}", align="left", style="dim")
            # Past rich, which would wrap its lines and expand its tabs; byte for byte into a file, harmless on a terminal.
            text = receipt.version.document_text
            console.file.write(f"{visible(text) if console.is_terminal else text}\n")
            console.rule(style="dim")


def _facts(receipt: Receipt, at: datetime | None) -> list[tuple[str, Text]]:
    passage, version, vector, batch = receipt.passage, receipt.version, receipt.vector, receipt.batch
    place = f"chunk {passage.chunk_index}, characters {passage.start_offset:,} to {passage.end_offset:,}"
    copied = f", copied from batch {vector.copied_from_batch}" if vector.copied_from_batch else ""
    state = "published" if batch.state == "published" else f"{batch.state}, was published"
    run = f"{batch.dag_id} {batch.run_id}" if batch.run_id else "unknown"
    facts = [
        ("record", receipt.record_id),
        ("source", version.source_uri or "unknown"),
        ("version", version.content_hash),
        (
            "",
            f"source snapshot {version.source_snapshot}{_moment(' of ', version.snapshot_at)}{_moment(', ingested ', version.ingested_at)}",
        ),
        ("text", _text_state(receipt)),
        ("passage", f"{place}; {vector.chunking_strategy}"),
        ("model", f"{vector.model_name}, {vector.model_version}"),
        ("profile", f"{vector.profile}, fingerprint {vector.profile_fingerprint}"),
        ("vector", f"embedded{_moment(' ', vector.embedded_at)}{copied}"),
        ("batch", f"{batch.batch_id}, number {batch.batch_number}, {state}{_moment(' ', batch.published_at)}"),
        ("run", run),
        ("then" if at else "now", _current(receipt, at)),
        ("index", "; ".join(map(_release, receipt.releases)) or "in no release of the index"),
        ("since", _since(receipt)),
    ]
    return [(name, Text(visible(fact))) for name, fact in facts]


def _text_state(receipt: Receipt) -> str:
    version = receipt.version
    if version.document_text is None:
        return "not kept"
    hashed = "its SHA-256 is the version's" if version.is_text_verified else "ITS SHA-256 IS NOT THE VERSION'S"
    stands = "the passage stands in it as said" if version.is_passage_in_place else "THE PASSAGE DOES NOT STAND IN IT AS SAID"
    return f"{len(version.document_text):,} characters, {hashed}, {stands}"


def _current(receipt: Receipt, at: datetime | None) -> str:
    current, when, verb = receipt.current_version, _moment("on ", at), "was" if at else "is"
    if current is None:
        return f"{when} no version {verb} current".strip()
    if current.is_deleted:
        return f"{when} the document {verb} deleted".strip()
    same = "this version" if current.content_hash == receipt.version.content_hash else f"version {current.content_hash}"
    return f"{when} {same} {verb} current, {'with' if current.has_passage else 'without'} this passage".strip()


def _release(release: HoldingRelease) -> str:
    certainty = "" if release.is_exact else ", as far as is still known"
    return f"{release.release_id} ({release.state}), namespace {release.namespace}{certainty}"


def _since(receipt: Receipt) -> str:
    if receipt.is_deleted:
        return "the source holds the document no longer"
    if receipt.is_changed:
        return f"the document changed; the source holds version {receipt.current_content_hash}"
    return "the document has not changed"


def _moment(before: str, moment: datetime | None) -> str:
    return f"{before}{moment:%Y-%m-%d %H:%M:%S %Z}" if moment else ""
