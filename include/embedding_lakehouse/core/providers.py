"""The providers of embedding models that come along: a line each, with the class behind it and what its service takes.

A class of one's own needs no line: a profile names it itself, as `provider = "package.module:Class"`.
"""

import re
from dataclasses import dataclass, field, fields, replace

OWN_CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
POLICIES = ("split", "reject")
MODELS = "embedding_lakehouse.clients.models"


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """What a model may be asked: a minute, a request, a text; 0 is the provider's own limit, or none where it has none.

    `most_parallel` is how many of a run's tasks ask at once and share what is allowed a minute (0: as many as Airflow runs). `over_limit`
    says what becomes of a text of more than `tokens_per_input`: `split` it and take the mean of its pieces' vectors, or `reject` it.
    """

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    inputs_per_request: int = 0
    tokens_per_request: int = 0
    tokens_per_input: int = 0
    requests_in_flight: int = 0
    most_parallel: int = 0
    over_limit: str = "split"

    def completed(self, own: "ModelLimits") -> "ModelLimits":
        """These limits, with the provider's own in the place of those not declared."""
        numbers = [each.name for each in fields(self) if each.type is int]
        return replace(self, **{name: getattr(self, name) or getattr(own, name) for name in numbers})


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider: its class as `package.module:Class`, Airflow's connection to it, its own limits, and what a profile may set.

    `options` are the names and types of its settings in a profile's table `options`; no `dimensions` means any. `sells_in_bulk`: it has
    OpenAI's Batch API. A task embeds about `shard_tokens` tokens, so that it takes longer than it takes to start.
    """

    path: str
    connection: str = ""
    limits: ModelLimits = field(default_factory=ModelLimits)
    dimensions: tuple[int, ...] = ()
    options: tuple[tuple[str, type], ...] = ()
    sells_in_bulk: bool = False
    shard_tokens: int = 250_000


PROVIDERS: dict[str, Provider] = {
    "wordllama": Provider(f"{MODELS}.wordllama:WordLlamaModel", shard_tokens=1_000_000),
    "sentence_transformers": Provider(
        f"{MODELS}.sentence_transformers:SentenceTransformersModel", limits=ModelLimits(inputs_per_request=256)
    ),
    "openai": Provider(
        f"{MODELS}.openai:OpenAIModel",
        "openai_default",
        ModelLimits(inputs_per_request=2_048, tokens_per_request=300_000, tokens_per_input=8_192, requests_in_flight=4),
        options=(("send_dimensions", bool),),
        sells_in_bulk=True,
    ),
    "bedrock_titan": Provider(
        f"{MODELS}.bedrock_titan:TitanModel",
        "aws_default",
        ModelLimits(inputs_per_request=1, tokens_per_input=8_192, requests_in_flight=16),
        dimensions=(256, 512, 1024),
    ),
    "bedrock_cohere": Provider(
        f"{MODELS}.bedrock_cohere:CohereModel",
        "aws_default",
        ModelLimits(inputs_per_request=96, tokens_per_input=512, requests_in_flight=4),
        dimensions=(256, 512, 1024, 1536),
    ),
}


def provider_named(name: str) -> Provider | None:
    """The provider of that name, or the class of one's own that it names; None where it is neither."""
    return PROVIDERS.get(name) or (Provider(name) if OWN_CLASS.fullmatch(name) else None)
