"""Purchases in bulk that an erasure withdraws: whose accounts are looked at, and what became of the jobs and their files over two looks."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from embedding_lakehouse.core.profiles import Profile

# The state of texts that were uploaded for a job that was never made.
NO_JOB = "no job"


def accounts(profiles: Iterable[Profile]) -> dict[str, Profile]:
    """The connections that purchases in bulk go through, each with one of the profiles that use it."""
    buyers = [profile for profile in profiles if profile.bulk.above_texts]
    return {profile.connection or profile.provider_declared.connection: profile for profile in reversed(buyers)}


@dataclass(frozen=True, slots=True)
class Purchase:
    """A job in bulk by its id, or texts uploaded for none by their file's: the state in which it was found, the files that were deleted.

    `left` says of each file that is still there, and of a job that did not end, why.
    """

    connection: str
    batch_id: str
    name: str
    state: str
    files_deleted: tuple[str, ...] = ()
    left: dict[str, str] = field(default_factory=dict)

    def followed_by(self, later: "Purchase") -> "Purchase":
        """As it was found first, with what was deleted over both looks, and what the later one left."""
        deleted = dict.fromkeys((*self.files_deleted, *later.files_deleted))
        return replace(self, files_deleted=tuple(deleted), left=later.left)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What was found and done so far; `not_reached` says of each account that could not be looked at why."""

    purchases: tuple[Purchase, ...] = ()
    not_reached: dict[str, str] = field(default_factory=dict)

    def looked_at(self, connection: str, found: Iterable[Purchase]) -> "Withdrawn":
        """After another look at an account: what it left before and does not show any more is gone."""
        known = {(one.connection, one.name): replace(one, left={}) if one.connection == connection else one for one in self.purchases}
        for one in found:
            key = one.connection, one.name
            known[key] = known[key].followed_by(one) if key in known else one
        return Withdrawn(tuple(known.values()), {name: why for name, why in self.not_reached.items() if name != connection})

    def names(self, connection: str) -> set[str]:
        """The jobs and files that were found in an account."""
        return {one.name for one in self.purchases if one.connection == connection}

    def without(self, connection: str, why: str) -> "Withdrawn":
        """After an account could not be looked at: what it left before is still there."""
        return replace(self, not_reached=self.not_reached | {connection: why})

    @property
    def out_of_reach(self) -> list[str]:
        """What a person must see to at the provider."""
        lines = [f"purchases in bulk behind the connection {name}: {why}" for name, why in sorted(self.not_reached.items())]
        return lines + [
            f"{what} of a purchase in bulk (batch {one.batch_id}) behind the connection {one.connection}: {why}; delete it there"
            for one in self.purchases
            for what, why in sorted(one.left.items())
        ]

    def as_note(self) -> dict[str, Any]:
        """As JSON can hold it, and as the certificate says it."""
        return asdict(self)

    @classmethod
    def of_note(cls, note: Mapping[str, Any] | None) -> "Withdrawn":
        """What `as_note` made; nothing of no note."""
        if not note:
            return cls()
        purchases = tuple(Purchase(**one | {"files_deleted": tuple(one["files_deleted"])}) for one in note["purchases"])
        return cls(purchases, dict(note["not_reached"]))
