"""What Athena and its client say when something goes wrong, as this package's errors: who must do what about it."""

import re
from typing import Any

from embedding_lakehouse.errors import ConfigurationError, ConflictError, LakehouseError, MoreRoundsNeeded, TransientError

THROTTLED = {"TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded", "SlowDown"}
DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
# What both engines call alike.
CONFLICTS = {"ICEBERG_COMMIT_ERROR", "TRANSACTION_CONFLICT"}
OUTDATED = {"TABLE_NOT_FOUND", "COLUMN_NOT_FOUND", "SCHEMA_NOT_FOUND"}
# A snapshot that a statement names expired after whoever runs it had looked it up.
EXPIRED = re.compile(r"snapshot ID does not exist", re.IGNORECASE)
GONE = "a snapshot expired since it was looked up, so that the work must begin anew: run the task again"
# An `optimize` rewrites at most a hundred partitions, keeps them, and fails so where there are more.
UNFINISHED = {"ICEBERG_OPTIMIZE_MORE_RUNS_NEEDED"}
EXHAUSTED = re.compile(
    r"exhausted resources|INSUFFICIENT_RESOURCES|EXCEEDED_\w*MEMORY|SlowDown|reduce your request rate|Throttl", re.IGNORECASE
)
FORBIDDEN = re.compile(r"Access ?Denied|Insufficient permissions|PERMISSION_DENIED|not authorized|Status Code: 403", re.IGNORECASE)
OUTPUT = re.compile(r"output ?location|output bucket|result configuration", re.IGNORECASE)
# AthenaError.ErrorCategory: 1 is the system's, 2 the user's, 3 any other.
SYSTEM = 1


class StatementFailed(Exception):
    """A statement that did not run to its end: `kind` is the error of this package that it becomes once its file's name is known."""

    def __init__(self, kind: type[LakehouseError], said: str) -> None:
        self.kind = kind
        super().__init__(said)


def refusal(error: Exception, conn_id: str) -> TransientError | StatementFailed:
    """Why a request was not answered. TransientError is worth the same request once more."""
    from botocore.exceptions import ClientError, HTTPClientError, SSLError

    match error:
        case ClientError():
            return _refused(error.response, str(error), conn_id)
        case SSLError():
            return _unusable(conn_id, f"Athena's certificate is not trusted ({error})")
        case HTTPClientError():
            return TransientError(f"Athena does not answer: {error}")
    # What the client finds wrong before it asks: no credentials, half of them, no region, an unknown profile.
    return _unusable(conn_id, str(error))


def _refused(response: dict[str, Any], said: str, conn_id: str) -> TransientError | StatementFailed:
    code, message = response["Error"].get("Code", ""), response["Error"].get("Message", "")
    if code in THROTTLED:
        return TransientError(f"Athena asks to slow down: {said}")
    if response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return TransientError(f"Athena does not answer: {said}")
    if code in DENIED:
        return _unusable(conn_id, f"AWS refuses the credentials or their rights: {said}")
    if OUTPUT.search(message):
        return _unusable(conn_id, f"{said}: give the connection s3_staging_dir, or a work_group that has an output location")
    if "workgroup" in message.lower().replace(" ", ""):
        return _unusable(conn_id, f"{said}: give the connection a work_group that exists and is enabled")
    return StatementFailed(LakehouseError, f"{code}: {message}")


def failure_of(query: dict[str, Any], conn_id: str) -> StatementFailed:
    """Why a query, as GetQueryExecution describes it, did not succeed; its id is in the message."""
    status = query["Status"]
    error = status.get("AthenaError", {})
    reason = status.get("StateChangeReason") or error.get("ErrorMessage") or "no reason is given"
    said = f"{reason} (query {query['QueryExecutionId']})"
    name = re.match(r"[A-Z][A-Z_]+(?=:)", reason)
    if status["State"] == "CANCELLED":
        return StatementFailed(ConfigurationError, f"was cancelled, by somebody or by a limit of its workgroup: {said}")
    if name and name[0] in CONFLICTS:
        return StatementFailed(ConflictError, f"another writer changed the table: {said}")
    if name and name[0] in UNFINISHED:
        return StatementFailed(MoreRoundsNeeded, f"did a part of it: {said}")
    if EXPIRED.search(reason):
        return StatementFailed(ConflictError, f"{GONE} ({said})")
    if name and name[0] in OUTDATED:
        return StatementFailed(ConfigurationError, f"{said}: run the DAG set_up_lakehouse, which brings the tables up to date")
    if FORBIDDEN.search(reason):
        return _unusable(conn_id, f"AWS refuses its credentials a right: {said}")
    if EXHAUSTED.search(reason) or error.get("ErrorCategory") == SYSTEM or error.get("Retryable"):
        return StatementFailed(TransientError, f"Athena could not finish it: {said}")
    return StatementFailed(LakehouseError, said)


def _unusable(conn_id: str, said: str) -> StatementFailed:
    return StatementFailed(ConfigurationError, f"the connection {conn_id} cannot be used for Athena: {said}")
