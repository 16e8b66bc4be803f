"""A model of Amazon Bedrock through Airflow's connection `aws_default`: one call, its errors as this package's.

What is tried again is decided by our caller alone: botocore makes one attempt.
"""

import json
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from embedding_lakehouse.clients.models.refusals import ModelBusy, TextsRefused, reading_answer, redacted
from embedding_lakehouse.core.delays import asked_delay
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.errors import ConfigurationError, LakehouseError

REQUEST_SECONDS = 60
THROTTLED = frozenset({"ThrottlingException", "TooManyRequestsException", "Throttling", "RequestLimitExceeded", "SlowDown"})
BUSY = frozenset(
    {"ModelTimeoutException", "ModelNotReadyException", "ModelErrorException", "ServiceUnavailableException", "RequestTimeout"}
)
BAD_CREDENTIALS = frozenset(
    {
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "UnrecognizedClientException",
    }
)
NO_MODEL = ("model identifier is invalid", "on-demand throughput", "model is not supported", "end of its life")
TOO_LONG = ("too many input tokens", "too long", "maximum", "expected maxlength")
TOKEN_HEADER = "x-amzn-bedrock-input-token-count"  # noqa: S105 - the name of a header


class Invoked(NamedTuple):
    """A model's answer, and the tokens of the whole request where the service counted them."""

    body: dict[str, Any]
    tokens: int | None


class BedrockModel:
    """The profile's model of Bedrock. Raises ConfigurationError where the connection has no credentials or no region."""

    def __init__(self, profile: Profile) -> None:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

        self._name, self._profile = profile.model_name, profile
        self._connection = profile.connection or profile.provider_declared.connection
        config = Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            read_timeout=REQUEST_SECONDS,
            connect_timeout=10,
            max_pool_connections=max(10, profile.model_limits.requests_in_flight),
        )
        hook = AwsBaseHook(aws_conn_id=self._connection, client_type="bedrock-runtime", config=config)
        try:
            self._client = hook.get_conn()
            self._keys = hook.get_session().get_credentials()
        except (BotoCoreError, ValueError) as error:
            raise ConfigurationError(f"the connection {self._connection} leads to no Bedrock: {error}") from error

    def invoke(self, body: dict[str, Any]) -> Invoked:
        """The model's answer to one request. None of botocore's errors is kept as the cause: its text may repeat a key."""
        try:
            answer = self._client.invoke_model(
                modelId=self._name, body=json.dumps(body), accept="application/json", contentType="application/json"
            )
            tokens = answer["ResponseMetadata"]["HTTPHeaders"].get(TOKEN_HEADER)
            return Invoked(json.loads(answer["body"].read()), int(tokens) if tokens and tokens.isdigit() else None)
        except ClientError as error:
            raise self._refusal(error) from None
        except (NoCredentialsError, PartialCredentialsError, NoRegionError) as error:
            raise ConfigurationError(f"the connection {self._connection} cannot reach Bedrock: {error}") from error
        except (HTTPClientError, ConnectionError, json.JSONDecodeError) as error:
            raise ModelBusy(f"{self._name} did not answer ({type(error).__name__}: {self._without_keys(str(error))})") from None

    def _refusal(self, error: ClientError) -> LakehouseError:
        code, metadata = error.response["Error"].get("Code", ""), error.response["ResponseMetadata"]
        said = f"{code}: {self._without_keys(error.response['Error'].get('Message', ''))}"
        status, lower, where = metadata["HTTPStatusCode"], said.lower(), f"the connection {self._connection}"
        if code in BAD_CREDENTIALS or status in (401, 403):
            return ConfigurationError(f"{self._name} refuses the credentials of {where}: put valid ones there ({said})")
        if code == "ServiceQuotaExceededException":
            return ConfigurationError(f"the account behind {where} has used up its quota: raise it ({said})")
        if code == "ResourceNotFoundException" or any(sign in lower for sign in NO_MODEL):
            return ConfigurationError(
                f"there is no model {self._name!r} behind {where}: correct model_name of profile {self._profile.name!r}, or have the model "
                f"opened to the account ({said})"
            )
        if code in THROTTLED or code in BUSY or status in (408, 424, 429) or status >= 500:
            wait = asked_delay({key.lower(): value for key, value in metadata["HTTPHeaders"].items()}, datetime.now(UTC))
            has_failed = status == 500 or code == "ModelErrorException"
            return ModelBusy(f"{self._name} is busy ({said})", wait, code in THROTTLED or status == 429, has_failed)
        return TextsRefused(f"{self._name} refuses the request ({said})", any(sign in lower for sign in TOO_LONG))

    def reading(self) -> AbstractContextManager[None]:
        """Around the reading of an answer: one of another form becomes an error of this package."""
        return reading_answer(self._profile, *self._secrets)

    def _without_keys(self, message: str) -> str:
        return redacted(message, *self._secrets)

    @property
    def _secrets(self) -> tuple[str | None, ...]:
        """The keys as they are now: those of a role change."""
        return (self._keys.secret_key, self._keys.token, self._keys.access_key) if self._keys else ()
