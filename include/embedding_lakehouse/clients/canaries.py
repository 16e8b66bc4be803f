"""The stored vectors of the canary texts: what the model answered when a profile's settings were first monitored."""

from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
import pyarrow as pa

from embedding_lakehouse.clients.iceberg import append_once, scan
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models import EmbeddingModel, ask_model
from embedding_lakehouse.clients.parts import parts_folder, write_part
from embedding_lakehouse.core.canaries import CANARIES, cosines
from embedding_lakehouse.core.monitoring_tables import CANARY_VECTORS
from embedding_lakehouse.core.profiles import Profile


def embed_canaries(profile: Profile, model: EmbeddingModel) -> np.ndarray:
    """The vectors of the canary texts now, as the profile embeds chunks: float32, one row a text."""
    texts = [profile.model_text(text) for text in CANARIES.values()]
    return ask_model(model.embed, texts, profile).vectors


def compare_canaries(lake: Lake, profile: Profile, vectors: np.ndarray) -> float | None:
    """The mean cosine of the canaries' vectors to the stored ones; None where none was stored. Those that had none are stored now."""
    stored = _stored(lake, profile)
    embedded = dict(zip(CANARIES, vectors, strict=True))
    if missing := {name: vector for name, vector in embedded.items() if name not in stored}:
        _store(lake, profile, missing)
    return _mean_cosine(stored, {name: vector.tolist() for name, vector in embedded.items()})


def profiles_agree(lake: Lake, profile: Profile, other: Profile) -> float | None:
    """The mean cosine between the stored canaries of two profiles; None where they have none in common."""
    ours, theirs = _stored(lake, profile), _stored(lake, other)
    return _mean_cosine(ours, theirs)


def _mean_cosine(first: dict[str, list[float]], second: dict[str, list[float]]) -> float | None:
    common = [name for name in first if name in second]
    if not common:
        return None
    pairs = cosines(np.array([first[name] for name in common], np.float32), np.array([second[name] for name in common], np.float32))
    return float(pairs.mean())


def _stored(lake: Lake, profile: Profile) -> dict[str, list[float]]:
    rows = scan(lake.table(CANARY_VECTORS), profile=profile.name, profile_fingerprint=profile.fingerprint).to_arrow().to_pylist()
    return {row["text_hash"]: row["embedding"] for row in rows}


def _store(lake: Lake, profile: Profile, vectors: dict[str, np.ndarray]) -> None:
    table, now = lake.table(CANARY_VECTORS), datetime.now(UTC)
    rows = [
        {
            "profile": profile.name,
            "profile_fingerprint": profile.fingerprint,
            "model_version": profile.model_version,
            "text_hash": name,
            "canary_text": CANARIES[name],
            "embedding": vector.tolist(),
            "stored_at": now,
        }
        for name, vector in vectors.items()
    ]
    file = write_part(table, parts_folder(table, "canaries"), pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
    drawn = sha256("".join(sorted(vectors)).encode()).hexdigest()[:16]
    append_once(table, [file], {"batch_id": f"canaries-{profile.name}-{profile.fingerprint}-{drawn}"})
