"""A connection to one index, whose calls wait out a busy service for a declared time."""

from collections.abc import Callable
from typing import Any

from pinecone import Index, PineconeConfig, RetryConfig
from pinecone._internal.http_client import HTTPClient
from tenacity import Retrying, retry_if_exception_type, stop_before_delay

from embedding_lakehouse.clients.pinecone.refusals import named_errors, wait_as_asked
from embedding_lakehouse.errors import TransientError

API_VERSION = "2026-07"
NO_RETRIES = RetryConfig(max_retries=0)
REQUEST_SECONDS = 60.0


class IndexConnection:
    """One index. Every call waits out a busy one, for at most `patience` seconds a request, and each try of it for `request_seconds`."""

    def __init__(self, host: str, api_key: str, patience: float, request_seconds: float = REQUEST_SECONDS) -> None:
        self.patience = patience
        self._sdk = Index(host=host, api_key=api_key, timeout=request_seconds)
        # The SDK takes no retry settings here. Its own HTTP client, given ours, also sends a body as it was packed.
        self._sdk._http.close()
        config = PineconeConfig(api_key=api_key, host=self._sdk.host, timeout=request_seconds, retry_config=NO_RETRIES)
        self._sdk._http = HTTPClient(config, API_VERSION)

    def _patiently(self, action: str, call: Callable[[], Any]) -> Any:
        retrying = Retrying(
            retry=retry_if_exception_type(TransientError), wait=wait_as_asked, stop=stop_before_delay(self.patience), reraise=True
        )
        return retrying(named_errors(action)(call))
