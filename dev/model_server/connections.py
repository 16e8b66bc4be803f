"""A connection that ends without an answer."""

from typing import NoReturn

from fastapi import Request


class CutConnection(Exception):
    """The request gets no answer."""


def cut(request: Request) -> NoReturn:
    """Hang up. ASGI has no way to do so; the function that uvicorn hands over belongs to the connection."""
    request.scope["hang_up"]()
    raise CutConnection
