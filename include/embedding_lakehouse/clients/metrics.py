"""Figures for Airflow's own metrics: StatsD or OpenTelemetry, as its section [metrics] says; without one they go nowhere."""

from collections.abc import Mapping

PREFIX = "embedding_lakehouse"


def report(profile: str, figures: Mapping[str, float | None]) -> None:
    """Set a gauge for each figure of a profile that is known.

    Each has the tag `profile`, and goes out once more with the profile at the end of its name, since plain StatsD drops tags.
    """
    from airflow.sdk.observability import stats

    for name, value in figures.items():
        if value is not None:
            stats.gauge(f"{PREFIX}.{name}", value, tags={"profile": profile})
            stats.gauge(f"{PREFIX}.{name}.{stats.normalize_name_for_stats(profile, log_warning=False)}", value)
