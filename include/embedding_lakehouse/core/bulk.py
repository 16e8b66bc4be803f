"""Texts bought in bulk: what a profile says of it, and how the texts of a shard are cut into jobs of the provider."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# What OpenAI takes in one batch: inputs over all requests, and bytes of the file, with some room.
MOST_TEXTS = 50_000
MOST_BYTES = 190_000_000


@dataclass(frozen=True, slots=True)
class BulkBuying:
    """A batch of more than `above_texts` new texts is bought in bulk (0: never), at `price_share` of the usual price.

    After `wait_hours` the provider's job is cancelled, and what is left is bought at the usual price. A job has at most `texts_per_job`
    texts and is looked at every `poll_seconds`.
    """

    above_texts: int = 0
    wait_hours: float = 24.0
    price_share: float = 0.5
    texts_per_job: int = MOST_TEXTS
    poll_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class HashSpan:
    """The texts whose hashes are from `first` to `last`, both included: what a job is for, whichever of them it answers."""

    first: str
    last: str

    def __contains__(self, text_hash: str) -> bool:
        return self.first <= text_hash <= self.last


def cut_into_jobs(texts: Iterable[tuple[str, bytes]], most_texts: int, most_bytes: int = MOST_BYTES) -> Iterator[list[tuple[str, bytes]]]:
    """Texts by their hashes, sorted by them, as lists of at most so many texts and bytes; a text that alone has more stands alone.

    Sorted, so that each list is the span from its first to its last hash, and no other list has a text of it.
    """
    job: list[tuple[str, bytes]] = []
    size = 0
    for text_hash, line in sorted(texts):
        if job and (len(job) == most_texts or size + len(line) > most_bytes):
            yield job
            job, size = [], 0
        job.append((text_hash, line))
        size += len(line)
    if job:
        yield job


def upload_name(batch_id: str, shard: int, first_hash: str) -> str:
    """What the file of a job's texts is called at the provider."""
    return f"{batch_id}-{shard:04d}-{first_hash[:8]}.jsonl"


def batch_of_upload(name: str) -> str:
    """The batch whose texts a file of the provider has, by its name; any text for the name of another kind of file."""
    return name.rsplit("-", 2)[0]
