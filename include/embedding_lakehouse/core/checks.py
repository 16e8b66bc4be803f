"""The checks a batch must pass before it is published: each a file of `sql/checks/`, named by the sentence that must hold.

What a violation means, the values that the statement binds, and what is allowed stand in one line of `sql/checks/checks.toml`.
"""

import re
import tomllib
from dataclasses import dataclass, fields
from typing import Any, Literal, cast

from embedding_lakehouse.core.batches import BatchRow
from embedding_lakehouse.core.chunking import WordChunking
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.errors import ConfigurationError

PASSED, WARNED, FAILED, ACCEPTED = "passed", "warned", "failed", "accepted"
SEVERITIES = {"fail": FAILED, "warn": WARNED}
KINDS = ("rows", "value")
NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
SNAPSHOTS = frozenset({"embeddings_snapshot", "versions_snapshot", "source_snapshot", "embeddings_base"})
OF_BATCH = (
    "batch_id",
    "batch_number",
    "profile",
    "profile_fingerprint",
    "model_name",
    "model_version",
    "documents_remaining",
    "planned_at",
)
OF_PROFILE = ("dimensions", "is_normalised", "chunking_strategy", "chunk_unit", "chunk_limit", "freshness_hours", "checked_at")
BINDS = frozenset({*OF_BATCH, *OF_PROFILE})


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its sentence, what a violation means, the values its statement binds, how severe it is, and the largest value that passes.

    A check of kind `rows` is measured by its offending rows, one of kind `value` by the first column of its only row.
    """

    name: str
    meaning: str
    binds: tuple[str, ...] = ()
    severity: Literal["fail", "warn"] = "fail"
    threshold: float = 0
    kind: Literal["rows", "value"] = "rows"

    def verdict(self, value: float | None) -> str:
        """What a measured value means; where there was nothing to measure (None), the check holds."""
        return PASSED if value is None or value <= self.threshold else SEVERITIES[self.severity]


def values_to_bind(row: BatchRow, profile: Profile, checked_at: Any) -> dict[str, Any]:
    """Every value that a check may bind, by its name."""
    chunking = profile.chunking
    is_words = isinstance(chunking, WordChunking)
    return {name: row[name] for name in OF_BATCH} | {
        "dimensions": profile.dimensions,
        "is_normalised": profile.normalise,
        "chunking_strategy": profile.chunking_strategy,
        "chunk_unit": "words" if is_words else "characters",
        "chunk_limit": chunking.words if isinstance(chunking, WordChunking) else chunking.max_characters,
        "freshness_hours": profile.freshness_hours,
        "checked_at": checked_at,
    }


def parse_checks(toml: str, statements: dict[str, str], place: str) -> dict[str, Check]:
    """The declared checks by name, in their order. `statements` are the texts in the folder by name; `place` names the file in messages.

    Raises ConfigurationError that names the check and the mistake, also for a check without a statement and a statement without a line.
    """
    try:
        declared = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{place} is not valid TOML: {error}") from error
    lines = declared.get("checks")
    if not isinstance(lines, dict) or declared.keys() != {"checks"}:
        raise ConfigurationError(f"{place} must be one table [checks] with a line for each check")
    checks = {name: _check(name, settings, f"{place}, check {name!r}") for name, settings in lines.items()}
    for name, check in checks.items():
        if name not in statements:
            raise ConfigurationError(f"{place}, check {name!r}: there is no {name}.sql beside it")
        _check_statement(check, statements[name], f"{place}, check {name!r}")
    if undeclared := sorted(statements.keys() - checks.keys()):
        raise ConfigurationError(f"{place} has no line for {', '.join(f'{name}.sql' for name in undeclared)}: declare it, or take it away")
    return checks


def _check(name: str, settings: Any, where: str) -> Check:
    if not NAME.fullmatch(name):
        raise ConfigurationError(f"{where}: a name has 1 to 100 of a-z, 0-9 and '_', and begins with a letter")
    if not isinstance(settings, dict):
        raise ConfigurationError(f'{where}: {settings!r} must be a table such as {{ meaning = "...", binds = ["batch_id"] }}')
    known = [field.name for field in fields(Check) if field.name != "name"]
    if unknown := sorted(settings.keys() - set(known)):
        raise ConfigurationError(f"{where}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
    _check_values(settings, where)
    return Check(**cast(dict[str, Any], settings | {"name": name, "binds": tuple(settings.get("binds", ()))}))


def _check_values(settings: dict[str, Any], where: str) -> None:
    meaning, binds = settings.get("meaning"), settings.get("binds", [])
    severity, threshold, kind = settings.get("severity", "fail"), settings.get("threshold", 0), settings.get("kind", "rows")
    if not isinstance(meaning, str) or not meaning.strip():
        raise ConfigurationError(f"{where}: it needs a meaning, which says what a violation means")
    if severity not in SEVERITIES:
        raise ConfigurationError(f"{where}: severity is {severity!r}, must be one of {', '.join(SEVERITIES)}")
    if kind not in KINDS:
        raise ConfigurationError(f"{where}: kind is {kind!r}, must be one of {', '.join(KINDS)}")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or threshold != threshold:
        raise ConfigurationError(f"{where}: threshold is {threshold!r}, must be a number")
    if kind == "rows" and (threshold < 0 or threshold != int(threshold)):
        raise ConfigurationError(f"{where}: threshold is {threshold!r}, a check of kind rows allows a whole number of rows")
    if not isinstance(binds, list):
        raise ConfigurationError(f"{where}: binds is {binds!r}, must be a list of names")
    if unknown := [bind for bind in binds if bind not in BINDS]:
        raise ConfigurationError(f"{where}: unknown bind {unknown[0]!r}; known are {', '.join(sorted(BINDS))}")


def _check_statement(check: Check, statement: str, where: str) -> None:
    bare = re.sub(r"'[^']*'|--[^\n]*", "", statement)
    if bare.count("?") != len(check.binds):
        raise ConfigurationError(f"{where}: {check.name}.sql has {bare.count('?')} places for values, the line binds {len(check.binds)}")
    if unknown := sorted(set(re.findall(r"\{\{ (\w+) \}\}", bare)) - SNAPSHOTS):
        raise ConfigurationError(f"{where}: {check.name}.sql names {unknown[0]!r}; known are {', '.join(sorted(SNAPSHOTS))}")
