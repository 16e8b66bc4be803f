"""`python -m benchmarks.capacity`: hours, money, machines and the bottleneck of every run, for a corpus of any size."""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table as Shown

from benchmarks.capacity import report
from benchmarks.capacity.measured import measured, read_results
from benchmarks.capacity.scenario import read_plan
from benchmarks.capacity.simulator import Simulator
from benchmarks.report import JSON_FILE, Table
from dev.stack.component import ROOT
from embedding_lakehouse.errors import ConfigurationError
from embedding_lakehouse.printing import escape

PAGE = ROOT / "docs" / "deployment" / "capacity.md"


def main() -> int:
    arguments = _arguments()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    try:
        plan = read_plan(arguments.scenario, documents=arguments.documents)
        known = measured(read_results(arguments.results))
        runs = Simulator(plan, known).runs()
        if arguments.write:
            PAGE.write_text(report.page(plan, known))
            console.print(f"wrote {escape(str(PAGE))}")
        elif arguments.json:
            print(json.dumps(report.as_json(plan, known, runs), indent=1))
        else:
            for table in (
                report.overview(plan, known, runs),
                report.bottlenecks(plan, known, runs),
                *map(report.stages, runs),
                report.machines([plan], known),
                report.by_model(plan, known),
                report.checked(known),
            ):
                _print(console, table)
            for sentence in report.advice(plan, known):
                console.print(escape(sentence))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--documents", type=int, help="documents of the corpus; otherwise as the scenario says")
    parser.add_argument(
        "--scenario", type=Path, metavar="FILE", help="TOML with tables of capacity.toml, whose settings take the place of those there"
    )
    parser.add_argument(
        "--results", type=Path, default=Path(__file__).parents[1] / JSON_FILE, metavar="FILE", help="what `make bench` measured"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"write {PAGE.relative_to(ROOT)}, for {', '.join(f'{size:,}' for size in report.SIZES)} documents",
    )
    return parser.parse_args()


def _print(console: Console, table: Table) -> None:
    shown = Shown(title=escape(table.title), title_justify="left")
    for place, column in enumerate(table.columns):
        shown.add_column(escape(column), no_wrap=not place, overflow="fold")
    for row in table.rows:
        shown.add_row(*map(escape, row))
    console.print(shown)


if __name__ == "__main__":
    sys.exit(main())
