"""Embedding profiles: everything that decides a vector, declared once in a TOML file, typed and fingerprinted."""

import json
import re
import tomllib
import unicodedata
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from typing import Any

from embedding_lakehouse.core.bulk import MOST_TEXTS, BulkBuying
from embedding_lakehouse.core.chunking import Chunking, StructureChunking, WordChunking
from embedding_lakehouse.core.providers import POLICIES, PROVIDERS, ModelLimits, Provider, provider_named
from embedding_lakehouse.core.texts import CONNECTION_ID, has_controls
from embedding_lakehouse.errors import ConfigurationError, quoted

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
STRATEGIES: dict[str, type[StructureChunking] | type[WordChunking]] = {"structure": StructureChunking, "words": WordChunking}
NORMALISATIONS = ("none", "nfc", "nfkc")
LONGEST_NAME = 200
METRICS = ("cosine", "dotproduct", "euclidean")
# What costs or paces a vector, how a question is put, or where a copy goes, decides no vector: these may change under the same version.
NOT_IN_FINGERPRINT = frozenset(
    {
        "name",
        "batch",
        "bulk",
        "index",
        "usd_per_million_tokens",
        "freshness_hours",
        "limits",
        "connection",
        "question_prefix",
        "approval",
        "budget",
    }
)
MAY_BE_NAUGHT = frozenset({"delete_share", "shard_tokens"})
# Settings that came later: without them a profile has the fingerprint that it always had.
NOT_IN_FINGERPRINT_IF_EMPTY = frozenset({"document_prefix", "options"})

Options = tuple[tuple[str, str | int | float | bool], ...]


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much one batch takes on, how it is spread over mapped tasks, and the share of deletes that needs consent.

    A `shard_tokens` of 0 is the provider's own.
    """

    documents: int = 50_000
    shard_documents: int = 250
    shard_tokens: int = 0
    most_shards: int = 64
    checkpoint_chunks: int = 2_000
    delete_share: float = 0.2


@dataclass(frozen=True, slots=True)
class ApprovalLimits:
    """A batch above one of these (US dollars, texts to embed) waits for approval; 0 asks for none."""

    usd: float = 0.0
    texts: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """What the profile's batches may cost in US dollars, in a day and a month of UTC; 0 is no limit."""

    usd_per_day: float = 0.0
    usd_per_month: float = 0.0


@dataclass(frozen=True, slots=True)
class IndexTarget:
    """Where the profile's records go: the index, its metric, and whether the chunk's text is stored with the record."""

    name: str = "embedding-lakehouse"
    metric: str = "cosine"
    include_text: bool = True


@dataclass(frozen=True, slots=True)
class Profile:
    """One way from a text to a vector. `fingerprint` changes with every setting that decides the vector.

    A document is to be embedded within `freshness_hours` after its text was ingested.
    `connection` is Airflow's connection to the provider, the provider's usual one if empty; `options` are settings that only it knows.
    """

    name: str
    provider: str
    model_name: str
    model_version: str
    dimensions: int
    normalise: bool = True
    text_normalisation: str = "none"
    chunking: Chunking = field(default_factory=StructureChunking)
    usd_per_million_tokens: float = 0.0
    freshness_hours: float = 24.0
    batch: BatchLimits = field(default_factory=BatchLimits)
    bulk: BulkBuying = field(default_factory=BulkBuying)
    index: IndexTarget = field(default_factory=IndexTarget)
    limits: ModelLimits = field(default_factory=ModelLimits)
    approval: ApprovalLimits = field(default_factory=ApprovalLimits)
    budget: Budget = field(default_factory=Budget)
    connection: str = ""
    document_prefix: str = ""
    question_prefix: str = ""
    options: Options = ()

    @property
    def fingerprint(self) -> str:
        """First 16 hex digits of the SHA-256 over every setting that decides a vector."""
        deciding = {key: value for key, value in asdict(self).items() if key not in NOT_IN_FINGERPRINT}
        deciding = {key: value for key, value in deciding.items() if value or key not in NOT_IN_FINGERPRINT_IF_EMPTY}
        deciding["chunking"] = self.chunking_strategy
        # Where texts are split, the length from which they are decides vectors. Rejecting a text makes no other vector, only none.
        if self.limits.over_limit == "split" and self.limits.tokens_per_input:
            deciding["split_over_tokens"] = self.limits.tokens_per_input
        return sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def chunking_strategy(self) -> str:
        """The strategy with its settings, as stored with each row: `structure(max_characters=1250)`."""
        settings = ", ".join(f"{key}={value}" for key, value in asdict(self.chunking).items())
        strategy = next(name for name, kind in STRATEGIES.items() if isinstance(self.chunking, kind))
        return f"{strategy}({settings})"

    @property
    def provider_declared(self) -> Provider:
        """What is known of the profile's provider. Raises ConfigurationError for one that is neither known nor a class of one's own."""
        provider = provider_named(self.provider)
        if provider is None:
            raise ConfigurationError(f"profile {self.name!r}: {_unknown_provider(self.provider)}")
        return provider

    @property
    def model_limits(self) -> ModelLimits:
        """The profile's limits, with the provider's own in the place of those not declared."""
        return self.limits.completed(self.provider_declared.limits)

    @property
    def shard_tokens(self) -> int:
        """About how many tokens one task embeds."""
        return self.batch.shard_tokens or self.provider_declared.shard_tokens

    def is_bought_in_bulk(self, texts: int) -> bool:
        """Whether so many texts are bought at the bulk price."""
        return 0 < self.bulk.above_texts < texts

    def usd_for(self, tokens: int, in_bulk: bool = False) -> float:
        """The price of so many tokens in US dollars, bought one request after the other or in bulk."""
        return tokens * self.usd_per_million_tokens * (self.bulk.price_share if in_bulk else 1.0) / 1_000_000

    def model_text(self, chunk_text: str) -> str:
        """The chunk's text as it is sent to the model: normalised, behind the profile's prefix for documents."""
        return self.document_prefix + self._normalised(chunk_text)

    def question_text(self, question: str) -> str:
        """A question as it is sent to the model: normalised, behind the profile's prefix for questions."""
        return self.question_prefix + self._normalised(question)

    def _normalised(self, text: str) -> str:
        match self.text_normalisation:
            case "nfc":
                return unicodedata.normalize("NFC", text)
            case "nfkc":
                return unicodedata.normalize("NFKC", text)
        return text


def parse_profiles(toml: str, place: str) -> dict[str, Profile]:
    """The profiles declared in a TOML text by name. `place` names the file in messages.

    Raises ConfigurationError that names the profile and the setting for every mistake that can be seen without the model.
    """
    try:
        declared = tomllib.loads(toml)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{place} is not valid TOML: {error}") from error
    tables = declared.get("profiles")
    if not isinstance(tables, dict) or not tables:
        raise ConfigurationError(f"{place} declares no profile: add a table such as [profiles.wordllama]")
    profiles = {name: _profile(name, settings, place) for name, settings in tables.items()}
    for version, count in Counter(profile.model_version for profile in profiles.values()).items():
        if count > 1:
            raise ConfigurationError(f"{place}: {count} profiles share model_version {version!r}: give each its own")
    return profiles


def _profile(name: str, settings: dict[str, Any], place: str) -> Profile:
    where = f"{place}, profile {quoted(name)}"
    if not NAME.fullmatch(name):
        raise ConfigurationError(f"{where}: a name has 1 to 63 of a-z, 0-9, '.', '_' and '-'")
    settings = _as_table(settings, where)
    chunking = _as_table(settings.pop("chunking", {}), f"{where}, chunking")
    strategy = chunking.pop("strategy", "structure")
    if not isinstance(strategy, str) or strategy not in STRATEGIES:
        raise ConfigurationError(f"{where}: chunking.strategy is {quoted(strategy)}, must be one of {', '.join(STRATEGIES)}")
    profile = _typed(
        Profile,
        {
            **settings,
            "name": name,
            "chunking": _typed(STRATEGIES[strategy], chunking, f"{where}, chunking"),
            "batch": _typed(BatchLimits, _as_table(settings.pop("batch", {}), f"{where}, batch"), f"{where}, batch"),
            "bulk": _typed(BulkBuying, _as_table(settings.pop("bulk", {}), f"{where}, bulk"), f"{where}, bulk"),
            "index": _typed(IndexTarget, _as_table(settings.pop("index", {}), f"{where}, index"), f"{where}, index"),
            "limits": _typed(ModelLimits, _as_table(settings.pop("limits", {}), f"{where}, limits"), f"{where}, limits"),
            "approval": _typed(ApprovalLimits, _as_table(settings.pop("approval", {}), f"{where}, approval"), f"{where}, approval"),
            "budget": _typed(Budget, _as_table(settings.pop("budget", {}), f"{where}, budget"), f"{where}, budget"),
            "options": tuple(sorted(_as_table(settings.pop("options", {}), f"{where}, options").items())),
        },
        where,
    )
    _check_values(profile, where)
    _check_provider(profile, where)
    return profile


def _as_table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where}: {value!r} must be a table of settings")
    return dict(value)


def _typed(kind: type, settings: dict[str, Any], where: str) -> Any:
    known = {each.name: each for each in fields(kind)}
    for key, value in settings.items():
        if key not in known:
            raise ConfigurationError(f"{where}: unknown setting {key!r}; known are {', '.join(sorted(known))}")
        expected = known[key].type
        accepted = (int, float) if expected is float else expected
        if isinstance(accepted, type | tuple) and (not isinstance(value, accepted) or (isinstance(value, bool) and expected is not bool)):
            raise ConfigurationError(f"{where}: {key} = {value!r} must be of type {getattr(expected, '__name__', expected)}")
    try:
        return kind(**settings)
    except TypeError as error:
        raise ConfigurationError(f"{where}: {str(error).partition(' ')[2]}") from error


def _check_values(profile: Profile, where: str) -> None:
    chunking = profile.chunking
    rules = {
        "dimensions must be from 1 to 20000": 1 <= profile.dimensions <= 20_000,
        "provider, model_name and model_version must not be empty": all((profile.provider, profile.model_name, profile.model_version)),
        "model_name and model_version must be one line of at most 200 characters": all(
            len(name) <= LONGEST_NAME and not has_controls(name) for name in (profile.model_name, profile.model_version)
        ),
        "connection must be the id of an Airflow connection": not profile.connection or CONNECTION_ID.fullmatch(profile.connection),
        f"text_normalisation must be one of {', '.join(NORMALISATIONS)}": profile.text_normalisation in NORMALISATIONS,
        f"index.metric must be one of {', '.join(METRICS)}": profile.index.metric in METRICS,
        "index.name must have at most 45 of a-z, 0-9 and '-'": re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?", profile.index.name),
        "usd_per_million_tokens must not be negative": profile.usd_per_million_tokens >= 0,
        "freshness_hours must be positive": profile.freshness_hours > 0,
        "batch.delete_share must be from 0 to 1": 0 <= profile.batch.delete_share <= 1,
        "batch.most_shards must be from 1 to 100": 1 <= profile.batch.most_shards <= 100,
        "every limit of batch must be positive": min(value for key, value in asdict(profile.batch).items() if key not in MAY_BE_NAUGHT)
        >= 1,
        "batch.shard_tokens must not be negative": profile.batch.shard_tokens >= 0,
        "bulk.above_texts must not be negative": profile.bulk.above_texts >= 0,
        "bulk.wait_hours must be above 0 and at most 24": 0 < profile.bulk.wait_hours <= 24,
        "bulk.price_share must be from 0 to 1": 0 <= profile.bulk.price_share <= 1,
        f"bulk.texts_per_job must be from 1 to {MOST_TEXTS}": 1 <= profile.bulk.texts_per_job <= MOST_TEXTS,
        "bulk.poll_seconds must be positive": profile.bulk.poll_seconds > 0,
        "no limit may be negative": min(value for key, value in asdict(profile.limits).items() if key != "over_limit") >= 0,
        "no limit of approval may be negative": min(asdict(profile.approval).values()) >= 0,
        "no budget may be negative": min(asdict(profile.budget).values()) >= 0,
        f"limits.over_limit must be one of {', '.join(POLICIES)}": profile.limits.over_limit in POLICIES,
        "limits.tokens_per_input must not be above limits.tokens_per_request": not profile.limits.tokens_per_request
        or profile.limits.tokens_per_input <= profile.limits.tokens_per_request,
        "chunking.max_characters must be from 50 to 100000": not isinstance(chunking, StructureChunking)
        or 50 <= chunking.max_characters <= 100_000,
        "chunking.overlap must be from 0 to below chunking.words": not isinstance(chunking, WordChunking)
        or 0 <= chunking.overlap < chunking.words,
    }
    for rule, holds in rules.items():
        if not holds:
            raise ConfigurationError(f"{where}: {rule}")


def _check_provider(profile: Profile, where: str) -> None:
    provider = provider_named(profile.provider)
    if provider is None:
        raise ConfigurationError(f"{where}: {_unknown_provider(profile.provider)}")
    if provider.dimensions and profile.dimensions not in provider.dimensions:
        allowed = ", ".join(map(str, provider.dimensions))
        raise ConfigurationError(f"{where}: dimensions must be one of {allowed} for {profile.provider}")
    if profile.bulk.above_texts and not provider.sells_in_bulk:
        sellers = ", ".join(name for name, known in PROVIDERS.items() if known.sells_in_bulk)
        raise ConfigurationError(f"{where}: bulk.above_texts: {profile.provider} sells nothing in bulk; {sellers} does")
    known = dict(provider.options)
    for key, value in profile.options:
        if not isinstance(value, str | int | float):
            raise ConfigurationError(f"{where}, options: {key} = {value!r} must be a string, a number or a boolean")
        # A class of one's own checks its options itself.
        if profile.provider in PROVIDERS and key not in known:
            raise ConfigurationError(f"{where}, options: {profile.provider} has no option {key!r}; known are {', '.join(known) or 'none'}")
        if key in known and type(value) is not known[key]:
            raise ConfigurationError(f"{where}, options: {key} = {value!r} must be of type {known[key].__name__}")


def _unknown_provider(name: str) -> str:
    return f"unknown provider {name!r}; known are {', '.join(PROVIDERS)}, and a class of your own as package.module:Class"
