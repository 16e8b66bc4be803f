"""`python -m benchmarks [GROUP ...]`: measure, and write `RESULTS.md` and `results.json`."""

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.groups import (
    checks,
    cold,
    edited,
    edits,
    imports,
    memory,
    models,
    overhead,
    page,
    payload,
    quiet,
    scale,
    undo,
    upkeep,
    writing,
)
from benchmarks.history import default_history
from benchmarks.peers.peer import PEERS
from benchmarks.workbench import Options, Workbench
from dev.stack.component import ROOT

# In this order, so that the memory of all runs is known at the end.
GROUPS = {
    "edits": edits,
    "models": models,
    "writing": writing,
    "payload": payload,
    "cold": cold,
    "quiet": quiet,
    "edited": edited,
    "memory": memory,
    "undo": undo,
    "page": page,
    "checks": checks,
    "scale": scale,
    "upkeep": upkeep,
    "imports": imports,
    "overhead": overhead,
}


# The short form: every size small, no peers, and nothing that is only about time.
SHORT_GROUPS = ("writing", "payload", "quiet", "edited", "undo", "checks", "scale", "upkeep")
SHORT = {
    "documents": 200,
    "small_documents": 50,
    "rounds": 1,
    "rows": 4_000,
    "corpus_rows": 40_000,
    "batch_rows": 2_000,
    "scale_documents": 2_000,
    "upkeep_batches": 40,
    "warm_up_batches": 1,
    "peers": [],
}


def main() -> int:
    arguments = _arguments()
    # By default TERM ends Python where it stands, and the servers would outlive the benchmark.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    failed = []
    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as folder, Workbench(_options(arguments), Path(folder), _say) as bench:
        wanted = arguments.groups or (SHORT_GROUPS if arguments.short else GROUPS)
        for name in [name for name in GROUPS if name in wanted]:
            _say(f"== {name}")
            begun, load = time.monotonic(), _load()
            try:
                section = GROUPS[name].measure(bench)
            except Exception:
                # What the other groups find is worth having.
                traceback.print_exc()
                failed.append(name)
                continue
            section.notes.extend(f"{peer} could not be measured: {' '.join(error.split())}" for peer, error in bench.failures.items())
            shown = report.write(arguments.output, name, section, _circumstances(load, time.monotonic() - begun, vars(arguments)))
            _say(f"{shown} after {time.monotonic() - begun:.0f} s")
            if arguments.short:
                failed += [f"{name}: {figure.name} is {figure.value}, {figure.limit} wanted" for figure in section.grown]
    if failed:
        _say(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Figures against peers and limits.")
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], metavar="GROUP", help=f"some of {', '.join(GROUPS)}; all by default")
    parser.add_argument("--documents", type=int, default=20_000, help="documents of the large corpus")
    parser.add_argument("--small-documents", type=int, default=2_000, help="documents of the small corpus")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of everything but the cold runs")
    parser.add_argument("--edited-share", type=float, default=0.01, help="share of the documents that a round edits")
    parser.add_argument("--rows", type=int, default=20_000, help="rows of 1,536 dimensions to write")
    parser.add_argument("--page-documents", type=int, default=125_000, help="documents of the page's large lake, of 8 chunks each")
    parser.add_argument("--corpus-rows", type=int, default=1_000_000, help="rows of 256 dimensions beside which a batch is audited")
    parser.add_argument("--scale-documents", type=int, default=1_000_000, help="documents of the largest corpus, of ten chunks each")
    parser.add_argument("--batch-rows", type=int, default=10_000, help="rows of that batch")
    parser.add_argument("--upkeep-batches", type=int, default=300, help="small batches after which maintained tables are measured")
    parser.add_argument("--warm-up-batches", type=int, default=8, help="batches of a few documents before anything is measured")
    parser.add_argument("--peers", nargs="*", choices=[*PEERS, []], default=list(PEERS), metavar="PEER", help=f"some of {', '.join(PEERS)}")
    parser.add_argument("--history", type=Path, default=default_history(), help="real edits: JSON Lines of path and text, in order")
    parser.add_argument(
        "--short", action="store_true", help="a few minutes, without peers; fails on what is counted and passes its limit, never on time"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the report")
    short, _ = parser.parse_known_args()
    if short.short:
        parser.set_defaults(**SHORT)
    return parser.parse_args()


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        documents=arguments.documents,
        small_documents=arguments.small_documents,
        rounds=arguments.rounds,
        edited_share=arguments.edited_share,
        rows=arguments.rows,
        page_documents=arguments.page_documents,
        corpus_rows=arguments.corpus_rows,
        batch_rows=arguments.batch_rows,
        scale_documents=arguments.scale_documents,
        upkeep_batches=arguments.upkeep_batches,
        warm_up_batches=arguments.warm_up_batches,
        peers=tuple(arguments.peers),
        history=arguments.history,
    )


def _circumstances(load_before: float, seconds: float, options: dict[str, Any]) -> dict[str, Any]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    shown = {key: value for key, value in options.items() if key not in ("groups", "output", "history")}
    return {
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": commit or "unknown",
        "cores": os.cpu_count(),
        "load_before": load_before,
        "load_after": _load(),
        "seconds": round(seconds),
        "python": platform.python_version(),
        "options": shown,
    }


def _load() -> float:
    """Processes that wait for a core, in the mean of the last minute."""
    return round(os.getloadavg()[0], 1)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
