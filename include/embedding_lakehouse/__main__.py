"""The command line: `python -m embedding_lakehouse search "a question"`."""

import argparse
import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from embedding_lakehouse.errors import InputError, LakehouseError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code: 0, or 1 with the reason on the error output."""
    parsed = _parser().parse_args(arguments)
    try:
        _search(parsed)
    except LakehouseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m embedding_lakehouse", description="Ask the embedding lakehouse.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    search = commands.add_parser("search", help="the chunks nearest to a question, each with the document version it comes from")
    search.add_argument("question")
    search.add_argument("--top-k", type=int, default=5, metavar="N", help="matches wanted (default 5)")
    search.add_argument("--filter", metavar="JSON", help='only matches whose metadata meet it, such as \'{"doc_id": {"$eq": "a.md"}}\'')
    search.add_argument("--profile", metavar="NAME", help="embedding profile (default: the deployment's)")
    search.add_argument("--json", action="store_true", help="print the matches as a JSON list")
    return parser


def _search(parsed: argparse.Namespace) -> None:
    condition = _condition(parsed.filter)
    # Airflow logs to the standard output, which belongs to the answer.
    with redirect_stdout(sys.stderr):
        # It takes seconds to import: not before a mistake in the arguments was reported.
        from embedding_lakehouse.retrieval import search

        matches = [asdict(match) for match in search(parsed.question, parsed.top_k, condition, parsed.profile)]
    if parsed.json:
        print(json.dumps(matches, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False)
    if not matches:
        console.print("no match")
    for place, match in enumerate(matches, start=1):
        _show(console, place, match)


def _condition(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        condition = json.loads(text)
    except ValueError as error:
        raise InputError(f"--filter is not JSON: {error}") from error
    if not isinstance(condition, dict) or not condition:
        raise InputError('--filter must be a JSON object such as {"doc_id": {"$eq": "a.md"}}')
    return condition


def _show(console: Console, place: int, match: dict[str, Any]) -> None:
    title = f"  {escape(match['title'])}" if match["title"] else ""
    console.print(f"[bold]{place}. {match['score']:.4f}  {escape(match['doc_id'])}[/bold]{title}")
    console.print(
        f"   version {match['content_hash'][:12]}  chunk {match['chunk_index']} at {match['start_offset']}  "
        f"model {escape(match['model_version'])}  batch {escape(match['batch_id'])}  source snapshot {match['source_snapshot']}",
        style="dim",
    )
    console.print(Padding(Text((match["text"] or "(its text is neither in the index nor in the lake)").strip()), (0, 0, 1, 3)))


if __name__ == "__main__":
    sys.exit(main())
