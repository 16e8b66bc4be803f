"""The control plane: which indexes there are, and what shape they have."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pinecone import NotFoundError, Pinecone
from pinecone.errors import ConflictError as NameTaken
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, stop_before_delay, wait_exponential

from embedding_lakehouse.clients.airflow_connections import airflow_connection
from embedding_lakehouse.clients.pinecone.connection import REQUEST_SECONDS
from embedding_lakehouse.clients.pinecone.index import VectorIndex
from embedding_lakehouse.clients.pinecone.refusals import CONNECTION, IndexBusy, named_errors, wait_as_asked
from embedding_lakehouse.core.releases import IndexShape
from embedding_lakehouse.errors import ConfigurationError

# How long one request is tried again before its task fails and leaves it to Airflow.
PATIENCE_SECONDS = 180.0
READY_SECONDS = 600


class MissingIndex(ConfigurationError):
    """The index does not exist."""


@dataclass(frozen=True, slots=True)
class IndexService:
    """The indexes of an account; `patience` is how many seconds a request to an index is tried, `request_seconds` how long each waits.

    An empty `host` is the service's own. Where there is one index without a control plane (an emulator), `index_host` is its address.
    """

    api_key: str
    host: str = ""
    index_host: str = ""
    cloud: str = "aws"
    region: str = "us-east-1"
    patience: float = PATIENCE_SECONDS
    request_seconds: float = REQUEST_SECONDS

    def open(self, shape: IndexShape) -> VectorIndex:
        """The index, once the service tells of it. Raises ConfigurationError where it is missing or has another dimension or metric."""
        if self.index_host:
            return self._open_at_its_host(shape)
        patiently = Retrying(
            retry=retry_if_exception_type(IndexBusy), wait=wait_as_asked, stop=stop_before_delay(self.patience), reraise=True
        )
        return patiently(self._open, shape)

    def _open(self, shape: IndexShape) -> VectorIndex:
        with self._control_plane("describe") as control:
            try:
                described = control.indexes.describe(shape.name)
            except NotFoundError as error:
                raise MissingIndex(f"the index {shape.name!r} does not exist: run the DAG set_up_lakehouse first") from error
        _check_shape(described, shape)
        if not described.host:
            raise IndexBusy(f"the index {shape.name!r} has no host yet: it is still being created")
        return VectorIndex(described.host, self.api_key, self.patience, self.request_seconds)

    def _open_at_its_host(self, shape: IndexShape) -> VectorIndex:
        """The index at `index_host`, which tells its dimension, but not its metric."""
        index = VectorIndex(self.index_host, self.api_key, self.patience, self.request_seconds)
        _check("dimension", index.dimension(), shape.dimension, shape)
        return index

    def create(self, shape: IndexShape) -> bool:
        """Create the serverless index where it is missing, and wait until it is ready; whether it was missing.

        Raises ConfigurationError where it exists with another dimension or metric, TransientError where it is not ready in ten minutes.
        """
        ready = Retrying(
            retry=retry_if_exception_type(IndexBusy), wait=wait_exponential(0.5, max=5), stop=stop_after_delay(READY_SECONDS), reraise=True
        )
        if self.index_host:
            self._open_at_its_host(shape)
            return False
        with self._control_plane("create") as control:
            was_missing = self._create_missing(control, shape)
            ready(_require_ready, control, shape)
        return was_missing

    def _create_missing(self, control: Pinecone, shape: IndexShape) -> bool:
        if control.indexes.exists(shape.name):
            return False
        try:
            control.indexes.create(
                name=shape.name,
                dimension=shape.dimension,
                metric=shape.metric,
                deployment={"deployment_type": "managed", "cloud": self.cloud, "region": self.region},
                timeout=-1,
            )
        except NameTaken:
            return False
        return True

    @contextmanager
    def _control_plane(self, action: str) -> Iterator[Pinecone]:
        with (
            named_errors(f"{action} index"),
            Pinecone(api_key=self.api_key, host=self.host or None, timeout=self.request_seconds) as control,
        ):
            yield control


def service_from_connection(conn_id: str = CONNECTION) -> IndexService:
    """The service behind an Airflow connection: password = API key, host = control plane or empty; extras: cloud, region, index_host."""
    connection = airflow_connection(conn_id, "pinecone")
    if not connection.password:
        raise ConfigurationError(f"the connection {conn_id} has no password: put the API key there")
    host = connection.host or ""
    if host and "://" not in host:
        host = f"{connection.schema or 'https'}://{host}" + (f":{connection.port}" if connection.port else "")
    placed = {name: value for name, value in connection.extra_dejson.items() if value and name in ("cloud", "region", "index_host")}
    return IndexService(connection.password, host, **placed)


def _require_ready(control: Pinecone, shape: IndexShape) -> None:
    described = control.indexes.describe(shape.name)
    _check_shape(described, shape)
    if not described.status.ready:
        raise IndexBusy(f"the index {shape.name!r} is not ready: {described.status.state}")


def _check_shape(described: Any, shape: IndexShape) -> None:
    _check("dimension", getattr(described, "dimension", None), shape.dimension, shape)
    _check("metric", getattr(described, "metric", None), shape.metric, shape)


def _check(setting: str, found: Any, wanted: Any, shape: IndexShape) -> None:
    if found != wanted:
        raise ConfigurationError(
            f"the index {shape.name!r} has {setting} {found}, the profile needs {wanted}: give the profile another index.name, "
            "or remove the index by hand; nothing was written"
        )
