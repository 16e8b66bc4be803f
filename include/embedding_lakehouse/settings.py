"""What a deployment decides: the profiles' file, the default profile, and what all DAGs have in common."""

import os
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from embedding_lakehouse.core.batches import BatchRow, check_resumable
from embedding_lakehouse.core.profiles import Profile, parse_profiles
from embedding_lakehouse.errors import ConfigurationError

# Retries cover a worker that died or a service that restarts; what a person must mend fails at once (ConfigurationError and its like).
DAG_DEFAULTS: dict[str, Any] = {
    "catchup": False,
    "default_args": {
        "owner": "embedding-lakehouse",
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
        raise ConfigurationError(f"unknown profile {name!r}; {profiles_file().name} declares {', '.join(profiles())}")
    return profiles()[name]


def profile_of(batch: BatchRow) -> Profile:
    """The profile of a batch. Raises ConfigurationError where its settings are others than those the batch was begun under."""
    declared = profile(batch["profile"])
    check_resumable(batch, declared)
    return declared


def default_profile() -> str:
    """The profile that runs without Params use: `EMBEDDING_LAKEHOUSE_PROFILE`, or the first one declared."""
    return os.environ.get("EMBEDDING_LAKEHOUSE_PROFILE") or next(iter(profiles()))


def tasks_at_once(profile: Profile, tasks: int) -> int:
    """How many of a run's `tasks` may ask the profile's model at the same time: as many as it declares, else as Airflow would run."""
    from airflow.sdk.configuration import conf

    bounds = (conf.getint("core", "parallelism"), conf.getint("core", "max_active_tasks_per_dag"))
    return max(1, min(tasks, profile.limits.most_parallel or min((bound for bound in bounds if bound > 0), default=tasks)))
