"""The Pinecone service behind the Airflow connection `pinecone_default`: its indexes, and records written, removed, fetched, searched.

What a request may wait for is decided here alone: the SDK's own retries, which its REST client always makes, are switched off.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import orjson
from pinecone import Index, NotFoundError, Pinecone, PineconeConfig, RetryConfig
from pinecone._internal.http_client import HTTPClient
from pinecone.errors import (
    ApiError,
    ForbiddenError,
    IndexInitFailedError,
    PaymentRequiredError,
    PineconeConnectionError,
    PineconeTimeoutError,
    PineconeValueError,
    ResponseParsingError,
    UnauthorizedError,
)
from pinecone.errors import ConflictError as NameTaken
from pinecone.models.response_info import ResponseInfo
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_before_delay, wait_random_exponential

from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.records import Body
from embedding_lakehouse.errors import ConfigurationError, LakehouseError, TransientError

CONNECTION = "pinecone_default"
API_VERSION = "2026-07"
NO_RETRIES = RetryConfig(max_retries=0)
REQUEST_SECONDS = 60.0
# How long one request is tried again before its task fails and leaves it to Airflow.
PATIENCE_SECONDS = 180.0
READY_SECONDS = 600
IN_FLIGHT = 4
DELETE_IDS = 1_000
# The service allows 1,000, but they travel in the address, which proxies cut at 8 KB.
FETCH_IDS = 100
RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})
# The SDK writes a line for every request.
logging.getLogger("pinecone").setLevel(logging.WARNING)


class IndexBusy(TransientError):
    """The index did not take the request; `retry_after` is how long it asked to wait, in seconds."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Written:
    """What requests wrote or removed: records, requests, bytes of their bodies, and the log position of the last one, if told."""

    records: int = 0
    requests: int = 0
    bytes: int = 0
    lsn: int | None = None

    def __add__(self, other: "Written") -> "Written":
        positions = [lsn for lsn in (self.lsn, other.lsn) if lsn is not None]
        return Written(self.records + other.records, self.requests + other.requests, self.bytes + other.bytes, max(positions, default=None))


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the index answers it; `values` is float32, `score` is set by a search only."""

    record_id: str
    values: np.ndarray
    metadata: dict[str, Any]
    score: float | None = None


class VectorIndex:
    """The records of one index, by namespace. Every call waits out a busy index, for at most `patience` seconds a request."""

    def __init__(self, host: str, api_key: str, patience: float = PATIENCE_SECONDS) -> None:
        self.patience = patience
        self._sdk = Index(host=host, api_key=api_key, timeout=REQUEST_SECONDS)
        self._sdk._http.close()
        config = PineconeConfig(api_key=api_key, host=self._sdk.host, timeout=REQUEST_SECONDS, retry_config=NO_RETRIES)
        self._sdk._http = HTTPClient(config, API_VERSION)

    def upsert(self, bodies: Iterable[Body]) -> Written:
        """Send the request bodies, several at a time; each answer must count every record of its request."""
        written, waiting = Written(), set[Future[Written]]()
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            try:
                for body in bodies:
                    waiting.add(pool.submit(self._upsert, body))
                    if len(waiting) == IN_FLIGHT:
                        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                        written = sum((sent.result() for sent in done), written)
                return sum((sent.result() for sent in waiting), written)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _upsert(self, body: Body) -> Written:
        def send() -> Written:
            answer = self._sdk._http.post("/vectors/upsert", json=orjson.Fragment(body.content))
            count = orjson.loads(answer.content).get("upsertedCount")
            if count != body.record_count:
                raise IndexBusy(f"the index took {count} of {body.record_count} records of a request")
            return Written(body.record_count, 1, len(body.content), _committed(answer))

        return self._patiently("upsert", send)

    def delete(self, namespace: str, record_ids: Iterable[str]) -> Written:
        """Remove the records; those that are not there, or whose namespace is not, are removed already."""
        written, remaining = Written(), iter(record_ids)
        while ids := list(islice(remaining, DELETE_IDS)):
            written += self._patiently("delete", partial(self._delete, namespace, ids))
        return written

    def _delete(self, namespace: str, ids: list[str]) -> Written:
        body = orjson.dumps({"namespace": namespace, "ids": ids})
        try:
            answer = self._sdk._http.post("/vectors/delete", json=orjson.Fragment(body))
        except NotFoundError:
            return Written(len(ids), 1, len(body))
        return Written(len(ids), 1, len(body), _committed(answer))

    def fetch(self, namespace: str, record_ids: Sequence[str]) -> dict[str, Record]:
        """The records of these ids that the namespace holds."""
        found: dict[str, Record] = {}
        for start in range(0, len(record_ids), FETCH_IDS):
            ids = list(record_ids[start : start + FETCH_IDS])
            answer = self._patiently("fetch", partial(self._sdk.fetch, ids=ids, namespace=namespace))
            found |= {name: _record(vector) for name, vector in answer.vectors.items()}
        return found

    def search(self, namespace: str, vector: np.ndarray, top_k: int, condition: dict[str, Any] | None = None) -> list[Record]:
        """The `top_k` nearest records that meet the metadata filter, best first. Raises ConfigurationError for a filter it refuses."""
        answer = self._patiently("search", lambda: self._query(namespace, vector, top_k, condition))
        return [_record(match, match.score) for match in answer.matches]

    def reconciled_lsn(self, namespace: str, vector: np.ndarray) -> int | None:
        """The log position up to which a search in the namespace sees every write; None where the service does not say."""
        answer = self._patiently("search", lambda: self._query(namespace, vector, 1, None))
        return answer.response_info.lsn_reconciled

    def _query(self, namespace: str, vector: np.ndarray, top_k: int, condition: dict[str, Any] | None) -> Any:
        return self._sdk.query(namespace=namespace, vector=vector.tolist(), top_k=top_k, filter=condition, include_metadata=True)

    def _patiently(self, action: str, call: Callable[[], Any]) -> Any:
        retrying = Retrying(retry=retry_if_exception_type(TransientError), wait=_wait, stop=stop_before_delay(self.patience), reraise=True)
        return retrying(_named_errors(action)(call))


@dataclass(frozen=True, slots=True)
class IndexService:
    """The control plane: which indexes there are. An empty host is the service's own."""

    api_key: str
    host: str = ""
    cloud: str = "aws"
    region: str = "us-east-1"
    patience: float = PATIENCE_SECONDS

    def open(self, profile: Profile) -> VectorIndex:
        """The profile's index. Raises ConfigurationError where it does not exist or has another dimension or metric."""
        with self._control_plane("describe") as control:
            try:
                described = control.indexes.describe(profile.index.name)
            except NotFoundError as error:
                raise ConfigurationError(
                    f"the index {profile.index.name!r} of profile {profile.name!r} does not exist: run the DAG set_up_lakehouse first"
                ) from error
        _check_shape(described, profile)
        if not described.host:
            raise IndexBusy(f"the index {profile.index.name!r} has no host yet: it is still being created")
        return VectorIndex(described.host, self.api_key, self.patience)

    def create(self, profile: Profile) -> bool:
        """Create the profile's serverless index and wait until it is ready; False where it was there, with the right shape."""
        with self._control_plane("create") as control:
            try:
                _check_shape(control.indexes.describe(profile.index.name), profile)
                return False
            except NotFoundError:
                return self._create(control, profile)

    def _create(self, control: Pinecone, profile: Profile) -> bool:
        try:
            control.indexes.create(
                name=profile.index.name,
                dimension=profile.dimensions,
                metric=profile.index.metric,
                deployment={"deployment_type": "managed", "cloud": self.cloud, "region": self.region},
                timeout=READY_SECONDS,
            )
        except NameTaken:
            _check_shape(control.indexes.describe(profile.index.name), profile)
            return False
        return True

    @contextmanager
    def _control_plane(self, action: str) -> Iterator[Pinecone]:
        with _named_errors(f"{action} index"), Pinecone(api_key=self.api_key, host=self.host or None, timeout=REQUEST_SECONDS) as control:
            yield control


def service_from_connection(conn_id: str = CONNECTION) -> IndexService:
    """The service behind an Airflow connection: password = API key, host = control plane or empty, extras = cloud and region."""
    from airflow.sdk import BaseHook

    connection = BaseHook.get_connection(conn_id)
    if not connection.password:
        raise ConfigurationError(f"the connection {conn_id} has no password: put the API key there")
    host = connection.host or ""
    if host and "://" not in host:
        host = f"{connection.schema or 'https'}://{host}" + (f":{connection.port}" if connection.port else "")
    placed = {name: value for name, value in connection.extra_dejson.items() if name in ("cloud", "region")}
    return IndexService(connection.password, host, **placed)


def _check_shape(described: Any, profile: Profile) -> None:
    wanted = {"dimension": profile.dimensions, "metric": profile.index.metric}
    for setting, value in wanted.items():
        found = getattr(described, setting, None)
        if found != value:
            raise ConfigurationError(
                f"the index {profile.index.name!r} has {setting} {found}, profile {profile.name!r} needs {value}: "
                "give the profile another index.name, or remove the index by hand; nothing was written"
            )


def _record(vector: Any, score: float | None = None) -> Record:
    return Record(vector.id, np.asarray(vector.values, dtype=np.float32), dict(vector.metadata or {}), score)


def _committed(answer: Any) -> int | None:
    return ResponseInfo(raw_headers=dict(answer.headers)).lsn_committed


def _wait(state: RetryCallState) -> float:
    """Seconds until the next try: what the service asked for, or up to 0.2, 0.4, 0.8 ... 20 at random, whichever is longer."""
    error = state.outcome.exception() if state.outcome else None
    return max(getattr(error, "retry_after", 0.0), wait_random_exponential(multiplier=0.2, max=20)(state))


@contextmanager
def _named_errors(action: str) -> Iterator[None]:
    """Turn the SDK's errors into this package's: worth another try, to be mended by a person, or neither."""
    try:
        yield
    except (PineconeConnectionError, PineconeTimeoutError, ResponseParsingError) as error:
        raise IndexBusy(f"Pinecone did not answer ({action}): {error}") from error
    except (UnauthorizedError, ForbiddenError, PaymentRequiredError) as error:
        raise ConfigurationError(f"Pinecone refuses the API key of the connection {CONNECTION} ({action}): {error}") from error
    except NotFoundError as error:
        raise ConfigurationError(f"Pinecone does not know the index ({action}), run the DAG set_up_lakehouse: {error}") from error
    except ApiError as error:
        if error.status_code in RETRYABLE:
            raise IndexBusy(f"Pinecone is busy ({action}): {error}", getattr(error, "retry_after", None) or 0.0) from error
        kind = ConfigurationError if error.status_code in (400, 422) else LakehouseError
        raise kind(f"Pinecone refuses the request ({action}): {error}") from error
    except (PineconeValueError, IndexInitFailedError) as error:
        raise ConfigurationError(f"Pinecone refuses the request ({action}): {error}") from error
