"""Start the server: `python -m dev.model_server --port 5082`, with the key to ask for in MODEL_API_KEY."""

import argparse
import os
import socket
import sys
from contextlib import suppress

import uvicorn

from dev.model_server.app import create_app


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m dev.model_server", description=__doc__)
    parser.add_argument("--port", type=int, default=5082, help="port to listen on, 0 for any free one (default 5082)")
    arguments = parser.parse_args()
    api_key = os.environ.get("MODEL_API_KEY") or sys.exit("No key: set MODEL_API_KEY.")
    listener = socket.create_server(("127.0.0.1", arguments.port), backlog=128)
    print("Answers like an embedding service, for development and tests only.", flush=True)
    print(f"Listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(create_app(api_key), log_level="warning", access_log=False, server_header=False, timeout_keep_alive=75)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
