"""A worker of its own machine: it gets tasks as lines of JSON (a step of the package and its arguments) and answers what they return."""

import importlib
import json
import sys


def _work() -> None:
    for line in sys.stdin:
        task = json.loads(line)
        module = importlib.import_module(f"embedding_lakehouse.steps.{task['module']}")
        print(json.dumps(getattr(module, task["step"])(**task["arguments"])), flush=True)


if __name__ == "__main__":
    _work()
