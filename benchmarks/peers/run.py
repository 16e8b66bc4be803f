"""`python -m benchmarks.peers.run PEER DOCUMENTS STATE` inside the peer's environment: one run, and what it cost as one line of JSON."""

import json
import sys
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from benchmarks.embedder import CountingModel
from benchmarks.measures import Cost, peak_memory


def main() -> None:
    name, documents, state = sys.argv[1:]
    peer = import_module(f"benchmarks.peers.{name}_peer")
    model = CountingModel()
    model.load()
    wall, cpu = time.perf_counter(), time.process_time()
    phases = peer.bring_up_to_date(Path(documents), Path(state), model)
    cost = Cost(
        wall=time.perf_counter() - wall,
        cpu=time.process_time() - cpu,
        peak_memory=peak_memory(),
        texts_embedded=model.texts,
        embedder_wall=model.seconds,
        phases=phases,
    )
    print(json.dumps(asdict(cost)))


if __name__ == "__main__":
    main()
