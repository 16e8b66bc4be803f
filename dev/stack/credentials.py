"""The secrets of one installation: made at its first start, kept in a file that only its owner can read, in no code."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from dev.files import locked, write_privately
from dev.stack.errors import StackError

# An installation that was begun before there were these gets them now; any other that is missing is damage.
ADDED_LATER = ("airflow_viewer_password",)


@dataclass(frozen=True)
class Credentials:
    airflow_password: str
    airflow_viewer_password: str
    airflow_jwt_secret: str
    airflow_api_secret_key: str
    airflow_fernet_key: str
    pinecone_api_key: str


def credentials(home: Path) -> Credentials:
    """Return the installation's secrets, making them where there are none.

    Raises StackError if the file is there and cannot be used: a new Fernet key would make stored connections unreadable.
    """
    path = home / "secrets.json"
    try:
        with locked(home / "secrets.lock"):
            fresh = asdict(_fresh())
            found = json.loads(path.read_text()) if path.exists() else fresh
            kept = {name: fresh[name] for name in ADDED_LATER} | found
            if not path.exists() or kept != found:
                write_privately(path, json.dumps(kept, indent=2) + "\n")
        return Credentials(**{field.name: kept[field.name] for field in fields(Credentials)})
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(f"{path} is damaged ({error!r}): restore it, or remove the whole folder {home} to begin anew.") from error


def _fresh() -> Credentials:
    return Credentials(
        airflow_password=secrets.token_urlsafe(12),
        airflow_viewer_password=secrets.token_urlsafe(12),
        airflow_jwt_secret=secrets.token_hex(32),
        airflow_api_secret_key=secrets.token_hex(32),
        airflow_fernet_key=base64.urlsafe_b64encode(os.urandom(32)).decode(),
        pinecone_api_key=secrets.token_hex(16),
    )
