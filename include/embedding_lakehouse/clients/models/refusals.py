"""Why a model did not answer, as this package's errors: worth asking again, the fault of a text, or to be mended by a person."""

from collections.abc import Iterator
from contextlib import contextmanager

from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.errors import ConfigurationError, InputError, TransientError

# Of what a service answered, what an error repeats.
LONGEST_SAID = 500


class ModelBusy(TransientError):
    """The model did not take the request and may take it later.

    `retry_after` is how many seconds it asked to be left alone; `is_throttled` whether it was asked too often or too much; `has_failed`
    whether it failed over the request (status 500), which may be for what is in a text.
    """

    def __init__(self, message: str, retry_after: float = 0.0, is_throttled: bool = False, has_failed: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.is_throttled = is_throttled
        self.has_failed = has_failed


class WrongLength(ConfigurationError):
    """The model answers vectors of another length than the profile declares, or of several lengths."""


class TextsRefused(InputError):
    """The model refuses the request for what is in its texts; `is_too_long` where it says that there is too much of it."""

    def __init__(self, message: str, is_too_long: bool = False) -> None:
        super().__init__(message)
        self.is_too_long = is_too_long


@contextmanager
def reading_answer(profile: Profile, *secrets: str | None) -> Iterator[None]:
    """Turn what an answer of another form makes of whoever reads it into a TransientError that names model, profile and connection.

    Where there are secrets the error is quoted without them and not kept as the cause. Where there are none it is the cause and not quoted,
    since a model of one's own may repeat a text in it, which belongs in no reason or message.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        connection = profile.connection or profile.provider_declared.connection
        where = f"profile {profile.name!r}" + (f" behind the connection {connection}" if connection else "")
        quoted = f": {redacted(str(error), *secrets)[:LONGEST_SAID]}" if secrets else ""
        why = f"{type(error).__name__}{quoted}"
        raise TransientError(f"{profile.model_name} answered something else than vectors under {where} ({why})") from (
            None if secrets else error
        )


def redacted(message: str, *secrets: str | None) -> str:
    """The message without the secrets, which some services repeat in what they answer."""
    for secret in secrets:
        if secret:
            message = message.replace(secret, "***")
    return message
