"""`python -m dev.stack up | down | status | restart NAME | env`."""

import argparse
import shlex
import sys
import time

from rich.console import Console
from rich.table import Table

from dev.stack.errors import StackError
from dev.stack.local_stack import COMPONENTS, Stack

COLORS = {"healthy": "green", "sick": "yellow", "dead": "red", "stopped": "dim"}


def up(stack: Stack) -> int:
    begun = time.monotonic()
    stack.start()
    print(
        f"Up in {time.monotonic() - begun:.0f} s. Airflow: http://127.0.0.1:{stack.ports['airflow']}, user admin, "
        f"password {stack.credentials.airflow_password}"
    )
    return 0


def down(stack: Stack) -> int:
    stack.stop()
    print("Everything is stopped; the lake and Airflow's history are kept in", stack.home)
    return 0


def status(stack: Stack) -> int:
    table = Table(box=None, pad_edge=False)
    for column in ("component", "state", "address", "pid", "since", "memory", "trouble"):
        table.add_column(column, overflow="fold")
    every = stack.status()
    for one in every:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.started_at)) if one.started_at else ""
        state = f"[{COLORS[one.state]}]{one.state}[/]"
        memory = f"{one.memory / 2**20:.0f} MB" if one.memory else ""
        table.add_row(one.name, state, one.address, str(one.pid or ""), since, memory, one.trouble)
    console = Console()
    # Wide enough to keep one component on one line where the output is a file.
    console.width = max(console.width, 160) if not console.is_terminal else console.width
    console.print(table)
    print(f"{sum(one.memory for one in every) / 2**30:.1f} GB in all; logs in {stack.home / 'logs'}")
    return 0 if all(one.state == "healthy" for one in every) else 1


def environment(stack: Stack) -> int:
    for name, value in stack.environment().items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.stack", description="The local stack of the embedding lakehouse.")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("up", help="start what does not run, wait until all is well").set_defaults(run=up)
    commands.add_parser("down", help="end every process").set_defaults(run=down)
    commands.add_parser("status", help="show each component; exit 1 unless all are healthy").set_defaults(run=status)
    restart = commands.add_parser("restart", help="stop one component and bring it up again")
    restart.add_argument("name", choices=COMPONENTS)
    restart.set_defaults(run=None)
    commands.add_parser("env", help='print its environment, for eval "$(python -m dev.stack env)"').set_defaults(run=environment)
    arguments = parser.parse_args()
    try:
        stack = Stack.of_project(report=lambda line: print(line, flush=True))
        if arguments.run is None:
            stack.stop([arguments.name])
            return up(stack)
        return int(arguments.run(stack))
    except StackError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
