"""What is planned for, and what the services allow and cost: `capacity.toml`, with a file of one's own over it."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from embedding_lakehouse.core.profiles import BatchLimits
from embedding_lakehouse.core.providers import PROVIDERS, ModelLimits
from embedding_lakehouse.errors import ConfigurationError

PUBLISHED = Path(__file__).with_name("capacity.toml")
# Settings of which 0 would mean nothing at all; everywhere else 0 is no limit, no price, or unknown.
MORE_THAN_NOTHING = ("documents", "dimensions", "worker_slots", "bulk_hours", "speed", "heap_gb", "bytes_per_write_unit", "ids_per_list")
# Of a billion documents as batches are by default: each is simulated.
MOST_BATCHES = 20_000
SHARES = ("chunk_share_per_edit", "daily_share", "delete_share")
Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True)
class Model:
    """A model's account: its provider's limits with its own over them, prices, and what is assumed of its answers."""

    provider: str = "openai"
    limits: ModelLimits = field(default_factory=ModelLimits)
    usd_per_million_tokens: float = 0.0
    seconds_per_request: float = 0.0
    bulk_tokens_enqueued: int = 0
    bulk_price_share: float = 0.5

    @property
    def is_local(self) -> bool:
        """Whether the workers' own processors embed: nobody sets a rate."""
        return not (self.limits.tokens_per_minute or self.limits.requests_per_minute)

    @property
    def all_limits(self) -> ModelLimits:
        return self.limits.completed(PROVIDERS[self.provider].limits)


@dataclass(frozen=True, slots=True)
class Index:
    """What the index allows a namespace, and its prices."""

    upsert_bytes_per_second: float = 0.0
    upserts_per_second: float = 0.0
    deleted_records_per_second: float = 0.0
    lists_per_second: float = 0.0
    ids_per_list: int = 100
    import_bytes: float = 0.0
    import_files: int = 0
    import_file_bytes: float = 0.0
    import_seconds: float = 0.0
    import_records_per_second: float = 0.0
    seconds_per_upsert: float = 0.0
    seconds_per_list: float = 0.0
    usd_per_million_write_units: float = 0.0
    bytes_per_write_unit: float = 1_000.0
    usd_per_imported_gb: float = 0.0
    usd_per_gb_month: float = 0.0


@dataclass(frozen=True, slots=True)
class Engine:
    """Trino's speed and heap beside those of the measurement, and the longest statement."""

    speed: float = 1.0
    heap_gb: float = 2.0
    statement_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Airflow:
    """What starting a task takes, and the longest list that may be mapped."""

    seconds_per_task: float = 0.0
    most_mapped: int = 0


@dataclass(frozen=True, slots=True)
class Lake:
    """What keeping a GB for a month costs."""

    usd_per_gb_month: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is planned for. A 0 of chunks, tokens or share is what was measured."""

    documents: int
    model: str
    chunks_per_document: float = 0.0
    tokens_per_chunk: float = 0.0
    chunk_share_per_edit: float = 0.0
    daily_share: float = 0.01
    dimensions: int = 1_536
    bulk_hours: float = 24.0
    worker_slots: int = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """The scenario within the limits."""

    scenario: Scenario
    batch: BatchLimits
    models: dict[str, Model]
    index: Index
    engine: Engine
    airflow: Airflow
    lake: Lake

    @property
    def model(self) -> Model:
        return self.models[self.scenario.model]


def read_plan(own: Path | None = None, documents: int | None = None) -> Plan:
    """The published figures, over them those of a file of one's own, over them the number of documents where it is given.

    Raises ConfigurationError that names the table and the setting for what is unknown, of another type, or out of bounds.
    """
    tables = tomllib.loads(PUBLISHED.read_text())
    if own:
        try:
            tables = _merged(tables, tomllib.loads(own.read_text()))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"the scenario's file {own} cannot be read: {error}") from error
    if documents is not None:
        tables["scenario"] = _table(tables["scenario"], "scenario") | {"documents": documents}
    if unknown := set(tables) - {each.name for each in fields(Plan)}:
        raise ConfigurationError(f"unknown table [{min(unknown)}]: there are {', '.join(each.name for each in fields(Plan))}")
    kinds = {"scenario": Scenario, "batch": BatchLimits, "index": Index, "engine": Engine, "airflow": Airflow, "lake": Lake}
    models = {name: _model(table, f"models.{name}") for name, table in _table(tables["models"], "models").items()}
    plan = Plan(models=models, **{name: _settings(kind, tables[name], name) for name, kind in kinds.items()})
    if plan.batch.most_shards > 100:
        raise ConfigurationError(f"batch.most_shards must be from 1 to 100, as in a profile, not {plan.batch.most_shards}")
    if plan.scenario.documents > MOST_BATCHES * plan.batch.documents:
        raise ConfigurationError(
            f"scenario.documents must be at most {MOST_BATCHES:,} batches of batch.documents = {plan.batch.documents:,}, since each is "
            f"simulated, not {plan.scenario.documents:,}: plan for fewer documents, or raise batch.documents as you would in the profile"
        )
    if plan.scenario.model not in plan.models:
        raise ConfigurationError(f"scenario.model: no table [models.{plan.scenario.model}]; there are {', '.join(plan.models)}")
    return plan


def _model(table: Any, place: str) -> Model:
    named = dict(_table(table, place))
    model = _settings(Model, named | {"limits": _settings(ModelLimits, named.get("limits", {}), f"{place}.limits")}, place)
    if model.provider not in PROVIDERS:
        raise ConfigurationError(f"{place}.provider: no provider {model.provider!r}; there are {', '.join(PROVIDERS)}")
    return model


def _settings(kind: type[Settings], table: Any, place: str) -> Settings:
    known: dict[str, Any] = {each.name: each.type for each in fields(kind)}  # type: ignore[arg-type]
    for name, value in _table(table, place).items():
        if name not in known:
            raise ConfigurationError(f"{place}.{name} is unknown; there are {', '.join(known)}")
        if known[name] in (int, float):
            _check_number(value, known[name], name, f"{place}.{name}")
        elif not isinstance(value, known[name]):
            raise ConfigurationError(f"{place}.{name} must be of type {known[name].__name__}, not {value!r}")
    return kind(**table)


def _check_number(value: Any, kind: type, name: str, place: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)):
        raise ConfigurationError(f"{place} must be {'a whole number' if kind is int else 'a number'}, not {value!r}")
    needs_some = name in MORE_THAN_NOTHING or (place.startswith("batch.") and name not in ("delete_share", "shard_tokens"))
    # Written so that NaN is refused as well.
    if not 0 <= value < float("inf") or (needs_some and not value) or (name in SHARES and value > 1):
        bounds = "from 0 to 1" if name in SHARES else "more than 0" if needs_some else "0 or more"
        raise ConfigurationError(f"{place} must be {bounds}, not {value!r}")


def _table(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{place} must be a table, not {value!r}")
    return value


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {name: (below[name], value) for name, value in above.items() if name in below}
    return below | above | {name: _merged(*pair) for name, pair in both.items() if all(isinstance(each, dict) for each in pair)}
