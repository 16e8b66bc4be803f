"""Pages of sorted listings: the token of the next page carries where the last one ended and what it was asked for."""

import base64
import binascii
from bisect import bisect_left, bisect_right

import orjson

from dev.pinecone_server.errors import invalid


def token(after: str, scope: dict[str, str]) -> str:
    """Return the token of the page behind `after` in a listing of this scope."""
    return base64.urlsafe_b64encode(orjson.dumps([after, scope])).decode()


def opened(given: object, listing: str, scope: dict[str, str | None]) -> tuple[str | None, dict[str, str]]:
    """Return where a page of a kind of listing starts, and its filters: those of the token, which a repeated filter must not contradict.

    Raises Refusal if the token is not one of this server, or was given out for another listing.
    """
    asked = {"listing": listing, **{name: value for name, value in scope.items() if value is not None}}
    if given is None or given == "":
        return None, asked
    try:
        if not isinstance(given, str):
            raise TypeError
        after, kept = orjson.loads(base64.urlsafe_b64decode(given))
        known = isinstance(after, str) and isinstance(kept, dict) and all(isinstance(value, str) for value in kept.values())
        if not known or kept.get("listing") != listing:
            raise ValueError
    except (binascii.Error, ValueError, TypeError):
        raise invalid("Invalid pagination token", reason="INVALID_PAGINATION_TOKEN") from None
    for name, value in asked.items():
        if kept.get(name) != value:
            reason = f"LIST_INVALID_TOKEN_WITH_{'' if name in kept else 'NEW_'}{name.upper()}"
            raise invalid(f"The pagination token belongs to a listing with another {name}", reason=reason)
    return after, kept


def cut(names: list[str], after: str | None, limit: int, prefix: str = "") -> tuple[list[str], bool]:
    """Return the page of sorted ASCII names with a prefix behind `after`, and whether there are more."""
    start = bisect_left(names, prefix) if after is None else bisect_right(names, after)
    end = bisect_left(names, prefix + "\x80", lo=start)
    return names[start : min(end, start + limit)], end - start > limit


def pagination(names: list[str], more: bool, scope: dict[str, str]) -> dict:
    """Return the `pagination` member of an answer, nothing on the last page."""
    return {"pagination": {"next": token(names[-1], scope)}} if more else {}
