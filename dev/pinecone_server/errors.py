"""What the server refuses, in the two shapes of the service: the control plane's and the vectors API's."""

from enum import Enum


class Code(Enum):
    """HTTP status and gRPC number of each kind of refusal."""

    INVALID_ARGUMENT = (400, 3)
    FAILED_PRECONDITION = (400, 9)
    FORBIDDEN = (403, 7)
    NOT_FOUND = (404, 5)
    ALREADY_EXISTS = (409, 6)
    PAYLOAD_TOO_LARGE = (413, 11)
    UNPROCESSABLE_ENTITY = (422, 3)
    RESOURCE_EXHAUSTED = (429, 8)
    INTERNAL = (500, 13)
    UNIMPLEMENTED = (501, 12)
    UNAVAILABLE = (503, 14)
    INSUFFICIENT_STORAGE = (507, 8)

    @property
    def status(self) -> int:
        return self.value[0]

    @property
    def number(self) -> int:
        return self.value[1]


class Refusal(Exception):
    """A request that gets an error as its answer. `reason` and `metadata` are for machines, where the service defines them."""

    def __init__(self, code: Code, message: str, *, reason: str | None = None, **metadata: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata = metadata

    def control_body(self) -> dict:
        """Return the body that the control plane sends."""
        return {"error": {"code": self.code.name, "message": self.message}, "status": self.code.status}

    def vectors_body(self) -> dict:
        """Return the gRPC-style body that the vectors API sends."""
        details = []
        if self.reason:
            details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": self.reason, "metadata": self.metadata})
        return {"code": self.code.number, "message": self.message, "details": details}


def invalid(message: str, *, reason: str | None = None) -> Refusal:
    """Return the refusal of a request that is wrong in itself."""
    return Refusal(Code.INVALID_ARGUMENT, message, reason=reason)


def not_found(message: str) -> Refusal:
    """Return the refusal of a request for something that is not there."""
    return Refusal(Code.NOT_FOUND, message)


def unsupported(what: str) -> Refusal:
    """Return the refusal of something that the service offers and this server does not emulate."""
    return Refusal(
        Code.UNIMPLEMENTED, f"This development server does not emulate {what}; it serves dense vectors through the vectors API only."
    )
