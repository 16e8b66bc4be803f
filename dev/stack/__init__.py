"""The local stack: Trino, a Pinecone-compatible server and Airflow on this machine, without Docker, Java or root.

`python -m dev.stack up` brings it up; in tests, `with Stack(home) as stack: stack.start(["trino", "pinecone"])`.
"""

from dev.stack.airflow import airflow_environment, prepare_airflow
from dev.stack.credentials import Credentials, credentials
from dev.stack.errors import ComponentFailed, StackError
from dev.stack.local_stack import COMPONENTS, Stack, Status

__all__ = [
    "COMPONENTS",
    "ComponentFailed",
    "Credentials",
    "Stack",
    "StackError",
    "Status",
    "airflow_environment",
    "credentials",
    "prepare_airflow",
]
