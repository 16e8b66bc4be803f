"""Keep what documents said, or a moment of the lake, from ever expiring; and lift such a hold."""

import logging
import re

from embedding_lakehouse.clients.holds import HELD_TABLES, Hold
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.moments import find_moment
from embedding_lakehouse.errors import ConfigurationError, InputError, NothingToDo, naming, quoted

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

log = logging.getLogger(__name__)


def hold_documents(
    name: str, profile: str, doc_ids: list[str] | None = None, as_of: str = "", lift: bool = False, lake: Lake | None = None
) -> list[str]:
    """Put the hold of that name on all versions of the documents, or on a moment (now if empty), or lift it; its tags by table.

    A hold that is put again is added to. Raises InputError for a name that cannot be one, NothingToDo where no such hold is to be lifted.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"name: {quoted(name)} cannot be that of a hold: write lower-case letters, digits, - and _, at most 63, such as case-2031"
        )
    lake = lake or connect()
    hold = Hold(lake, name)
    if lift:
        return _lifted(hold)
    lost = _kept(hold, profile, doc_ids, as_of)
    if lost:
        log.warning("of %s source snapshots that are cited, the texts are no longer kept: %s", len(lost), ", ".join(map(str, lost)))
    tags = [f"{declared.name}: {tag}" for declared in HELD_TABLES for tag in hold.tags(declared)]
    if not tags:
        raise ConfigurationError(f"doc_ids: the hold {name} keeps nothing: none of these documents has a version whose snapshot is kept")
    log.info("the hold %s keeps %s", name, ", ".join(tags))
    return tags


def _kept(hold: Hold, profile: str, doc_ids: list[str] | None, as_of: str) -> list[int]:
    if doc_ids:
        with naming("doc_ids"):
            return hold.keep_documents(sorted(set(doc_ids)))
    with naming("as_of"):
        moment = find_moment(hold.lake, profile, as_of)
    return hold.keep_moment(moment)


def _lifted(hold: Hold) -> list[str]:
    if not hold.lift():
        raise NothingToDo(f"there is no hold {hold.name}")
    log.info("the hold %s is lifted: what it kept may expire by the rules of maintain_tables", hold.name)
    return []
