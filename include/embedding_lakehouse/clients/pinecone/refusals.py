"""What Pinecone refuses, as this package's errors: worth another try, to be mended by a person, or neither."""

from collections.abc import Iterator
from contextlib import contextmanager

from pinecone import NotFoundError
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
from tenacity import RetryCallState, wait_random_exponential

from embedding_lakehouse.core.delays import LONGEST
from embedding_lakehouse.errors import ConfigurationError, LakehouseError, TransientError

CONNECTION = "pinecone_default"
RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})


class IndexBusy(TransientError):
    """The index did not take the request; `retry_after` is how long it asked to wait, in seconds, two minutes at most."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = min(retry_after, LONGEST)


def wait_as_asked(state: RetryCallState) -> float:
    """Seconds until the next try: what the service asked for, or up to 0.2, 0.4, 0.8 ... 20 at random, whichever is longer."""
    error = state.outcome.exception() if state.outcome else None
    return max(getattr(error, "retry_after", 0.0), wait_random_exponential(multiplier=0.2, max=20)(state))


@contextmanager
def named_errors(action: str) -> Iterator[None]:
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
