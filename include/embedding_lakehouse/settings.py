"""What a deployment decides: the profiles' file, the statements' folder with its checks, and what all DAGs have in common."""

import os
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from embedding_lakehouse.core.batches import BatchRow, check_resumable
from embedding_lakehouse.core.checks import Check, parse_checks
from embedding_lakehouse.core.profiles import Profile, parse_profiles
from embedding_lakehouse.errors import ConfigurationError, quoted

# The owner of every task: by it the listener of alerts tells our tasks from those of others.
OWNER = "embedding-lakehouse"
# Retries cover a worker that died or a service that restarts; what a person must mend fails at once (ConfigurationError and its like).
DAG_DEFAULTS: dict[str, Any] = {
    "catchup": False,
    "default_args": {
        "owner": OWNER,
        "retries": 3,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=5),
    },
}


def profiles_file() -> Path:
    """The file that declares the profiles: `EMBEDDING_LAKEHOUSE_PROFILES`, or `profiles.toml` beside the package."""
    configured = os.environ.get("EMBEDDING_LAKEHOUSE_PROFILES")
    return Path(configured) if configured else Path(__file__).parents[1] / "profiles.toml"


@cache
def profiles() -> dict[str, Profile]:
    """All declared profiles by name, read once a process. Raises ConfigurationError that names the mistake."""
    file = profiles_file()
    if not file.is_file():
        raise ConfigurationError(f"the profiles' file {file} does not exist: set EMBEDDING_LAKEHOUSE_PROFILES to where it is")
    return parse_profiles(file.read_text(), file.name)


def profile(name: str) -> Profile:
    """The profile of that name. Raises ConfigurationError that names those declared."""
    if name not in profiles():
        raise ConfigurationError(f"unknown profile {quoted(name)}; {profiles_file().name} declares {', '.join(profiles())}")
    return profiles()[name]


def profile_of(batch: BatchRow) -> Profile:
    """The profile of a batch. Raises ConfigurationError where its settings are others than those the batch was begun under."""
    declared = profile(batch["profile"])
    check_resumable(batch, declared)
    return declared


def default_profile() -> str:
    """The profile that runs without Params use: `EMBEDDING_LAKEHOUSE_PROFILE`, or the first one declared."""
    return os.environ.get("EMBEDDING_LAKEHOUSE_PROFILE") or next(iter(profiles()))


def sql_folder() -> Path:
    """The folder of the statements: `sql/` of the deployment, or `EMBEDDING_LAKEHOUSE_SQL`."""
    configured = os.environ.get("EMBEDDING_LAKEHOUSE_SQL")
    return Path(configured) if configured else Path(__file__).parents[2] / "sql"


@cache
def checks() -> dict[str, Check]:
    """All declared checks by name, in their order, read once a process. Raises ConfigurationError that names the mistake."""
    folder = sql_folder() / "checks"
    file = folder / "checks.toml"
    if not file.is_file():
        raise ConfigurationError(f"the checks' file {file} does not exist: it declares each statement beside it in a line")
    statements = {statement.stem: statement.read_text() for statement in sorted(folder.glob("*.sql"))}
    return parse_checks(file.read_text(), statements, str(file))


def check(name: str) -> Check:
    """The check of that name. Raises ConfigurationError where none is declared."""
    if name not in checks():
        raise ConfigurationError(f"unknown check {quoted(name)}; {sql_folder() / 'checks' / 'checks.toml'} declares {', '.join(checks())}")
    return checks()[name]


def tasks_at_once(profile: Profile, tasks: int) -> int:
    """How many of a run's `tasks` may ask the profile's model at the same time: as many as it declares, else as Airflow would run."""
    from airflow.sdk.configuration import conf

    bounds = (conf.getint("core", "parallelism"), conf.getint("core", "max_active_tasks_per_dag"))
    return max(1, min(tasks, profile.limits.most_parallel or min((bound for bound in bounds if bound > 0), default=tasks)))
