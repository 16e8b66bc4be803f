"""What was paid for: requests, tokens and dollars, carried by each staged part beside the vectors that they bought."""

import json
from dataclasses import asdict, dataclass
from typing import Self

METADATA_KEY = "embedding_lakehouse.usage"


@dataclass(frozen=True, slots=True)
class Usage:
    """Requests that the model answered, tokens as it counts them, and their price in US dollars."""

    requests: int = 0
    tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.requests + other.requests, self.tokens + other.tokens, self.usd + other.usd)

    def as_metadata(self) -> dict[str, str]:
        """As the key-value metadata of a Parquet file; none for nothing."""
        return {METADATA_KEY: json.dumps(asdict(self))} if self != Usage() else {}

    @classmethod
    def of_metadata(cls, metadata: dict[str, str]) -> Self:
        """What a file's metadata says was paid for it."""
        return cls(**json.loads(metadata.get(METADATA_KEY, "{}")))
