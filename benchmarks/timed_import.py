"""`python -m benchmarks.timed_import BEFORE WANTED ...`: seconds to import each module or file after another one, as lines of JSON."""

import json
import os
import sys
import time
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location


def seconds_to_import(wanted: str) -> float:
    """Seconds of importing a module by its name, or a file by its path."""
    begun = time.perf_counter()
    if wanted.endswith(".py"):
        spec = spec_from_file_location("imported", wanted)
        assert spec and spec.loader
        spec.loader.exec_module(module_from_spec(spec))
    else:
        import_module(wanted)
    return time.perf_counter() - begun


def main() -> None:
    """Each import in a process forked for it, so that none finds what another has loaded."""
    before, *wanted = sys.argv[1:]
    print(json.dumps({"name": before, "seconds": seconds_to_import(before), "modules": []}), flush=True)
    for name in wanted:
        if child := os.fork():
            os.waitpid(child, 0)
            continue
        answer = {"name": name, "seconds": seconds_to_import(name), "modules": sorted(one for one in sys.modules if "." not in one)}
        print(json.dumps(answer), flush=True)
        os._exit(0)


if __name__ == "__main__":
    main()
