"""The command line: `python -m embedding_lakehouse search "a question"`, `explain ID` for what stands behind a match, and `try-alerts`."""

import argparse
import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import Console

from embedding_lakehouse.core.texts import visible
from embedding_lakehouse.core.times import zoned_time
from embedding_lakehouse.errors import InputError, LakehouseError, quoted
from embedding_lakehouse.printing import print_matches, print_receipts


def main(arguments: list[str] | None = None) -> int:
    """Run a command; its exit code: 0, or 1 with the reason on the error output."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except LakehouseError as error:
        print(f"error: {visible(str(error))}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m embedding_lakehouse", description="Ask the embedding lakehouse.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    search = commands.add_parser("search", help="the chunks nearest to a question, each with the document version it comes from")
    search.set_defaults(run=_search)
    search.add_argument("question")
    search.add_argument("--top-k", type=int, default=5, metavar="N", help="matches wanted (default 5)")
    search.add_argument("--filter", metavar="JSON", help='only matches whose metadata meet it, such as \'{"doc_id": {"$eq": "a.md"}}\'')
    explain = commands.add_parser("explain", help="what stands behind records: document, version, text, model, batch, release")
    explain.set_defaults(run=_explain)
    explain.add_argument("ids", nargs="+", metavar="ID", help="a record's id, as `search` shows it")
    explain.add_argument("--at", metavar="TIME", help="what stood behind an answer of then, such as 2026-01-31T12:00+00:00")
    explain.add_argument("--text", action="store_true", help="also the document's whole text, as it was")
    trial = commands.add_parser("try-alerts", help="send a trial alert through every notifier of the deployment")
    trial.set_defaults(run=_try_alerts)
    for command in (search, explain):
        command.add_argument("--profile", metavar="NAME", help="embedding profile (default: the deployment's)")
        command.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _search(parsed: argparse.Namespace) -> int:
    condition = _condition(parsed.filter)
    # Airflow logs to the standard output, which belongs to the answer.
    with redirect_stdout(sys.stderr):
        # It takes seconds to import: not before a mistake in the arguments was reported.
        from embedding_lakehouse.retrieval import search

        matches = search(parsed.question, parsed.top_k, condition, parsed.profile)
    if parsed.json:
        _print_json([asdict(match) for match in matches])
    else:
        print_matches(_console(), matches)
    return 0


def _explain(parsed: argparse.Namespace) -> int:
    at = _time(parsed.at)
    with redirect_stdout(sys.stderr):
        from embedding_lakehouse.retrieval import explain

        explained = explain(parsed.ids, parsed.profile, at)
    if parsed.json:
        receipts = [asdict(receipt) for receipt in explained.receipts]
        for receipt in receipts if not parsed.text else []:
            del receipt["version"]["document_text"]
        _print_json({"receipts": receipts, "unknown": explained.unknown})
    else:
        print_receipts(_console(), explained.receipts, at, parsed.text)
    for record_id, reason in explained.unknown.items():
        print(f"error: unknown record {visible(record_id)}: {visible(reason)}", file=sys.stderr)
    return 1 if explained.unknown else 0


def _try_alerts(parsed: argparse.Namespace) -> int:
    with redirect_stdout(sys.stderr):
        from embedding_lakehouse.alerting import send_trial

        ends = send_trial()
    for name, failure in ends.items():
        print(f"{name}: {failure or 'sent'}")
    return 1 if any(ends.values()) else 0


def _console() -> Console:
    return Console(highlight=False)


def _print_json(answer: Any) -> None:
    print(json.dumps(answer, ensure_ascii=False, indent=2, default=datetime.isoformat))


def _condition(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        condition = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"--filter {quoted(text)} is not JSON: {error}") from error
    if not isinstance(condition, dict) or not condition:
        raise InputError('--filter must be a JSON object such as {"doc_id": {"$eq": "a.md"}}')
    return condition


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    wrong = f"--at {quoted(text)} is no time: write one such as 2026-01-31T12:00+00:00"
    return zoned_time(text, wrong, f"--at {quoted(text)} has no time zone: write +00:00 behind it for UTC")


if __name__ == "__main__":
    sys.exit(main())
