"""Why a model did not answer, as this package's errors: worth asking again, the fault of a text, or to be mended by a person."""

from embedding_lakehouse.errors import InputError, TransientError


class ModelBusy(TransientError):
    """The model did not take the request and may take it later.

    `retry_after` is how many seconds it asked to be left alone; `is_throttled` whether it was asked too often or too much.
    """

    def __init__(self, message: str, retry_after: float = 0.0, is_throttled: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.is_throttled = is_throttled


class TextsRefused(InputError):
    """The model refuses the request for what is in its texts; `is_too_long` where it says that there is too much of it."""

    def __init__(self, message: str, is_too_long: bool = False) -> None:
        super().__init__(message)
        self.is_too_long = is_too_long


def redacted(message: str, *secrets: str | None) -> str:
    """The message without the secrets, which some services repeat in what they answer."""
    for secret in secrets:
        if secret:
            message = message.replace(secret, "***")
    return message
