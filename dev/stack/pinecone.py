"""The development Pinecone server as a component."""

import sys
from pathlib import Path

from dev.stack.component import Component, answer
from dev.stack.credentials import Credentials
from dev.stack.ports import HOST
from dev.stack.programs import Program, Started


def pinecone_component(home: Path, port: int, secrets: Credentials) -> Component:
    """Return the Pinecone server of a home folder."""
    program = Program(
        name="pinecone",
        command=(sys.executable, "-m", "dev.pinecone_server", "--port", str(port), "--home", str(home / "pinecone")),
        environment={"PINECONE_API_KEY": secrets.pinecone_api_key},
    )

    def probe(_started: Started) -> str | None:
        response = answer(f"http://{HOST}:{port}/health")
        return response if isinstance(response, str) else None

    return Component(program, port, probe)
