"""The secrets of one installation: made at its first start, kept in a file that only its owner can read, in no code."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from dev.files import locked, write_privately
from dev.stack.errors import StackError


@dataclass(frozen=True)
class Credentials:
    airflow_password: str
    airflow_jwt_secret: str
    airflow_api_secret_key: str
    airflow_fernet_key: str
    pinecone_api_key: str


def credentials(home: Path) -> Credentials:
    """Return the installation's secrets, making them where there are none.

    Raises StackError if the file is there and cannot be used: a new Fernet key would make stored connections unreadable.
    """
    path = home / "secrets.json"
    with locked(home / "secrets.lock"):
        if not path.exists():
            write_privately(path, json.dumps(asdict(_fresh()), indent=2) + "\n")
    try:
        found = json.loads(path.read_text())
        return Credentials(**{field.name: found[field.name] for field in fields(Credentials)})
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(f"{path} is damaged ({error!r}): restore it, or remove the whole folder {home} to begin anew.") from error


def _fresh() -> Credentials:
    return Credentials(
        airflow_password=secrets.token_urlsafe(12),
        airflow_jwt_secret=secrets.token_hex(32),
        airflow_api_secret_key=secrets.token_hex(32),
        airflow_fernet_key=base64.urlsafe_b64encode(os.urandom(32)).decode(),
        pinecone_api_key=secrets.token_hex(16),
    )
