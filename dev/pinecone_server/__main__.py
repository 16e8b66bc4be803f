"""Start the server: `python -m dev.pinecone_server --port 5081 --home DIR`, with the API key in PINECONE_API_KEY."""

import argparse
import fcntl
import json
import os
import socket
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

import uvicorn

from dev.pinecone_server.app import Settings, create_app
from dev.pinecone_server.errors import Refusal


def main() -> None:
    """Serve until a signal ends it. A taken port or home folder and a missing API key end it at once, with a message."""
    arguments = _arguments()
    if not arguments.api_key:
        sys.exit("No API key: set PINECONE_API_KEY, or pass --api-key.")
    claim = _claim(arguments.home)
    listener = _listener(arguments.host, arguments.port)
    settings = Settings(
        home=arguments.home,
        api_key=arguments.api_key,
        visibility_delay_ms=arguments.visibility_delay_ms,
        import_delay_ms=arguments.import_delay_ms,
        memory_mb=arguments.memory_mb,
        faults=arguments.faults,
    )
    try:
        app = create_app(settings)
    except Refusal as refusal:
        sys.exit(f"Cannot start: {refusal}")
    except sqlite3.DatabaseError as error:
        sys.exit(f"Cannot read {arguments.home / 'pinecone.db'}: {error}. Delete it to begin without indexes, or choose another --home.")
    host, port = listener.getsockname()[:2]
    print("Pinecone-compatible server for development and tests only; it is not the Pinecone service.", flush=True)
    print(f"Listening on http://{host}:{port}, records in {arguments.home}", flush=True)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_keep_alive=75, timeout_graceful_shutdown=10
    )
    with claim, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.pinecone_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=5081, help="port to listen on, 0 for any free one (default 5081)")
    parser.add_argument("--home", type=Path, required=True, help="folder of the records, made if it does not exist")
    parser.add_argument("--api-key", default=os.environ.get("PINECONE_API_KEY", ""), help="the key to ask for (default: PINECONE_API_KEY)")
    parser.add_argument("--visibility-delay-ms", type=float, default=0.0, help="how long reads lag behind writes")
    parser.add_argument("--import-delay-ms", type=float, default=1000.0, help="how long an import stays pending")
    parser.add_argument("--memory-mb", type=int, default=1024, help="about how much of the records to keep in memory")
    parser.add_argument(
        "--faults", nargs="?", const={}, type=json.loads, metavar="JSON", help="let PUT /faults switch faults, and begin with these"
    )
    return parser.parse_args()


def _claim(home: Path) -> IO[str]:
    try:
        home.mkdir(parents=True, exist_ok=True)
        claim = (home / "lock").open("w")
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"Another server uses {home}: stop it, or choose another --home.")
    except OSError as error:
        sys.exit(f"Cannot use {home} for the records: {error}")
    return claim


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    # Without it a port that was closed a minute ago counts as taken; one where somebody listens is refused with it too.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        sys.exit(f"Cannot listen on {host}:{port}: {error}. Stop what uses the port, or choose another --port.")
    return listener


if __name__ == "__main__":
    main()
