"""OpenAI's Batch API for embeddings: a file of texts, a job of the provider over it, and the file of its answers.

A text is a request of its own, named by its hash: the answer says whose it is, the tokens are those of the text, and a refusal concerns
no other text. What a job is for stands in its metadata, so that it is found by whoever does not know that it exists.
"""

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx2
import numpy as np
import openai

from embedding_lakehouse.clients.models import checked_vectors, of_length_one
from embedding_lakehouse.clients.models.openai import REQUEST_SECONDS, WAITS, OpenAIModel, vector_from
from embedding_lakehouse.clients.models.refusals import ModelBusy, TextsRefused, WrongLength, redacted
from embedding_lakehouse.core.bulk import HashSpan, upload_name
from embedding_lakehouse.errors import ConfigurationError, TransientError

UPLOAD_SECONDS = 600.0
ENDPOINT = "/v1/embeddings"
PURPOSES = frozenset({"batch", "batch_output"})
# Of a page of the list of files.
MOST_FILES = 10_000
UNDER_WAY = frozenset({"validating", "in_progress", "finalizing", "cancelling"})
CANCELLABLE = frozenset({"validating", "in_progress"})
# Why a job is refused that may be put again: the account has too many tokens under way.
QUEUE_FULL = "token_limit_exceeded"
SHOWN_REFUSALS = 5
# How much the provider's clock may be behind ours.
CLOCKS_APART = timedelta(hours=1)
# The name of a job's batch in its metadata.
BATCH = "embedding_lakehouse_batch"

logger = logging.getLogger(__name__)


class BulkJob(NamedTuple):
    """A job of the provider (OpenAI calls it a batch): the texts it is for, its state and when it was made (seconds since the epoch)."""

    job_id: str
    span: HashSpan
    state: str
    created_at: int
    input_file: str
    output_file: str | None
    error_file: str | None
    errors: tuple[str, ...]
    batch_id: str = ""

    @classmethod
    def gone(cls, job_id: str, span: HashSpan) -> "BulkJob":
        """A job that was put and that the account does not know any more."""
        return cls(job_id, span, "gone", int(time.time()), "", None, None, ())

    @property
    def files(self) -> tuple[str, ...]:
        """Its files in the account, of texts, answers and refusals, as far as it has them."""
        return tuple(file for file in (self.input_file, self.output_file, self.error_file) if file)

    @property
    def is_under_way(self) -> bool:
        """Whether it may still answer texts that it has not answered yet."""
        return self.state in UNDER_WAY

    @property
    def is_cancellable(self) -> bool:
        """Whether it can be told to end."""
        return self.state in CANCELLABLE

    @property
    def was_crowded_out(self) -> bool:
        """Whether it was refused since the account has too much under way: it answered nothing, and can be put again."""
        return self.state == "failed" and QUEUE_FULL in self.errors


class BulkAnswer(NamedTuple):
    """A text by its hash, with its vector (float32, checked) and the tokens that the service counted, 0 where it did not say."""

    text_hash: str
    vector: np.ndarray
    token_count: int


class OpenAIBulk(OpenAIModel):
    """The profile's model, bought in bulk through the same connection. Errors as `OpenAIModel`; what passes by itself is ModelBusy."""

    @property
    def poll_seconds(self) -> float:
        """How often a job is looked at."""
        return self._profile.bulk.poll_seconds

    def line(self, text_hash: str, text: str) -> bytes:
        """The text as a line of a job's file."""
        body = {"model": self._name, "input": text, "encoding_format": "base64", **self._settings}
        return json.dumps({"custom_id": text_hash, "method": "POST", "url": ENDPOINT, "body": body}).encode() + b"\n"

    def submit(self, batch_id: str, shard: int, lines: Sequence[tuple[str, bytes]]) -> BulkJob:
        """Upload lines, sorted by their hashes, and make a job of them. It may exist though this raises ModelBusy: look first."""
        first, last = lines[0][0], lines[-1][0]
        with TemporaryDirectory(prefix="bulk-") as folder, self._named_errors():
            file = Path(folder) / upload_name(batch_id, shard, first)
            with file.open("wb") as sink:
                sink.writelines(line for _, line in lines)
            uploaded = self._client.with_options(timeout=UPLOAD_SECONDS).files.create(file=file, purpose="batch")
            metadata = {**_names(batch_id, shard), "first_text_hash": first, "last_text_hash": last}
            made = self._client.batches.create(input_file_id=uploaded.id, endpoint=ENDPOINT, completion_window="24h", metadata=metadata)
        return _job(made)

    def jobs(self, batch_id: str, since: datetime, shard: int | None = None) -> list[BulkJob]:
        """The jobs of a batch or of one of its shards that were made since then, as the account lists them: the newest first."""
        wanted = _names(batch_id, shard).items()
        with self._named_errors():
            return [_job(batch) for batch in self._listed(since) if wanted <= (batch.metadata or {}).items()]

    def jobs_of(self, batch_ids: Collection[str], since: datetime) -> list[BulkJob]:
        """The jobs of any of these batches that were made since then, as the account lists them: the newest first."""
        with self._named_errors():
            return [job for job in map(_job, self._listed(since)) if job.batch_id in batch_ids]

    def _listed(self, since: datetime) -> Iterator[Any]:
        earliest = (since - CLOCKS_APART).timestamp()
        for batch in self._client.batches.list(limit=100):
            if batch.created_at < earliest:
                return
            yield batch

    def job(self, job_id: str) -> BulkJob | None:
        """The job as it is now; None where the account does not know it any more."""
        with self._named_errors():
            try:
                return _job(self._client.batches.retrieve(job_id))
            except openai.NotFoundError:
                return None

    def cancel(self, job: BulkJob) -> None:
        """Tell a job to end. One that has just ended by itself is left as it is."""
        with self._named_errors():
            try:
                self._client.batches.cancel(job.job_id)
            except (openai.BadRequestError, openai.ConflictError) as error:
                logger.info("OpenAI's batch %s cannot be cancelled: %s", job.job_id, error.message)

    def download(self, job: BulkJob, folder: Path) -> Path:
        """The file of a job's answers, whole, in a folder of this machine; an empty one where it has none. Tells of what it refused."""
        if job.error_file:
            refused = self._fetch(job.error_file, folder / "errors.jsonl").read_bytes().splitlines()
            shown = b" ".join(refused[:SHOWN_REFUSALS])[:2_000].decode(errors="replace")
            logger.warning("OpenAI's batch %s did not answer %s texts: %s", job.job_id, len(refused), shown)
        output = folder / "output.jsonl"
        output.touch()
        return self._fetch(job.output_file, output) if job.output_file else output

    def answers(self, output: Path) -> Iterator[BulkAnswer]:
        """The answers in a file of them; a line that is none is left out, and so are lines that name the same text."""
        useless = 0
        with output.open("rb") as lines:
            named = Counter(_hashes_in(lines))
            lines.seek(0)
            for line in lines:
                try:
                    answer = self._answer(json.loads(line), named)
                except (AttributeError, LookupError, TypeError, ValueError, TransientError, WrongLength) as error:
                    useless += 1
                    if useless <= SHOWN_REFUSALS:
                        said = redacted(str(error), self._client.api_key)
                        logger.warning("an answer in bulk is of no use (%s: %s)", type(error).__name__, said)
                else:
                    yield answer
        if useless > SHOWN_REFUSALS:
            logger.warning("%s answers in bulk are of no use, among them those above", useless)

    def delete_files(self, job: BulkJob) -> None:
        """Remove the texts and the answers of a job from the account."""
        for file in job.files:
            self.delete_file(file)

    def delete_file(self, file: str) -> bool:
        """Remove a file from the account; whether it was still there."""
        with self._named_errors():
            try:
                self._client.files.delete(file)
            except openai.NotFoundError:
                logger.debug("the file %s is gone already", file)
                return False
        return True

    def files(self) -> dict[str, str]:
        """The names of the account's files of jobs, of texts and of answers, by their ids."""
        with self._named_errors():
            return {file.id: file.filename for file in self._client.files.list(limit=MOST_FILES) if file.purpose in PURPOSES}

    def text_hashes(self, file: str) -> Iterator[str]:
        """The hashes of the texts that a file of texts or of answers is about, as far as its lines say; none where it is gone."""
        with TemporaryDirectory(prefix="bulk-") as folder, self._fetch(file, Path(folder) / "lines.jsonl").open("rb") as lines:
            yield from _hashes_in(lines)

    def _answer(self, line: dict[str, Any], named: Counter[str]) -> BulkAnswer:
        """Raises what a line of another form makes of itself; its text is bought at the usual price. `named` counts each text's lines."""
        text_hash, body = line["custom_id"], line["response"]["body"]
        if named[text_hash] != 1:
            raise ValueError(f"{named[text_hash]} lines are for the text {text_hash}")
        (shown,) = body["data"]
        values = vector_from(shown["embedding"])[None]
        vectors = checked_vectors(of_length_one(values) if self._normalise else values, 1, self._profile)
        tokens = (body.get("usage") or {}).get("prompt_tokens")
        return BulkAnswer(text_hash, vectors[0], tokens if isinstance(tokens, int) else 0)

    def _fetch(self, file_id: str, place: Path) -> Path:
        """A file of the account, whole; an empty one where the account does not have it any more."""
        with self._named_errors():
            try:
                with self._client.files.with_streaming_response.content(file_id) as response:
                    response.stream_to_file(place)
            except openai.NotFoundError:
                logger.warning("the file %s is gone: its texts are bought at the usual price where they are not staged", file_id)
                place.touch()
            except httpx2.HTTPError as error:
                raise ModelBusy(f"the file {file_id} did not arrive whole ({type(error).__name__})") from None
        return place

    def _refusal(self, error: openai.APIStatusError) -> Exception:
        if error.status_code == 404:
            return ConfigurationError(
                f"what is behind the connection {self._connection} has no Batch API: leave above_texts out of the profile's table bulk"
            )
        found = super()._refusal(error)
        if isinstance(found, TextsRefused):
            return ConfigurationError(f"the Batch API behind the connection {self._connection} refuses what it is asked: {found}")
        return found


async def until_ended(connection: str, job_ids: Sequence[str], poll_seconds: float, until: float) -> None:
    """Return when one of the jobs has ended or can no longer be asked for, at the latest at `until` (seconds since the epoch).

    Whoever does not answer for a while is asked again.
    """
    from airflow.providers.openai.hooks.openai import OpenAIHook

    async with (await OpenAIHook(conn_id=connection).aget_conn()).with_options(max_retries=0, timeout=REQUEST_SECONDS) as client:
        while True:
            for job_id in job_ids:
                try:
                    if (await client.batches.retrieve(job_id)).status not in UNDER_WAY:
                        return
                except openai.APIStatusError as error:
                    # What a person must mend is met again, and named, by the task.
                    if error.status_code < 500 and error.status_code not in WAITS | {429}:
                        return
                    logger.info("OpenAI's batch %s is asked for again (status %s)", job_id, error.status_code)
                except (openai.APIError, ValueError, AttributeError) as error:
                    logger.info("OpenAI's batch %s is asked for again (%s)", job_id, type(error).__name__)
            left = until - time.time()
            if left <= 0:
                return
            await asyncio.sleep(min(poll_seconds, left))


def _hashes_in(lines: Iterable[bytes]) -> Iterator[str]:
    """The hashes of the texts that lines are about, as far as these say."""
    for line in lines:
        with suppress(LookupError, TypeError, ValueError):
            named = json.loads(line)["custom_id"]
            if isinstance(named, str):
                yield named


def _names(batch_id: str, shard: int | None) -> dict[str, str]:
    """By what a job is found: of which batch and shard it is."""
    return {BATCH: batch_id} | ({} if shard is None else {"shard": str(shard)})


def _job(batch: Any) -> BulkJob:
    metadata = batch.metadata or {}
    return BulkJob(
        batch.id,
        HashSpan(metadata.get("first_text_hash", ""), metadata.get("last_text_hash", "")),
        batch.status,
        batch.created_at,
        batch.input_file_id,
        batch.output_file_id,
        batch.error_file_id,
        tuple(error.code or "" for error in (batch.errors and batch.errors.data) or ()),
        metadata.get(BATCH, ""),
    )
