"""Buy a shard's new texts in bulk before `embed_chunks` runs: put jobs to the provider, wait without a worker, stage what they answer.

Each call goes on from what is there: staged rows, notes beside them, and the provider's own list of jobs. So a killed, cleared or new try
puts no text again that is in a job already, and `embed_chunks` buys what the jobs left.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc

from embedding_lakehouse import settings
from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.lake import Lake, connect
from embedding_lakehouse.clients.models.asking import PATIENCE_SECONDS, patiently
from embedding_lakehouse.clients.models.openai_bulk import BulkJob, OpenAIBulk
from embedding_lakehouse.clients.parts import read_notes, write_note
from embedding_lakehouse.core.batches import PRICED, BatchRow
from embedding_lakehouse.core.bulk import HashSpan, cut_into_jobs
from embedding_lakehouse.core.plans import check_approved
from embedding_lakehouse.core.tables import DOCUMENT_EMBEDDINGS
from embedding_lakehouse.core.tokens import estimated_tokens
from embedding_lakehouse.errors import LakehouseError
from embedding_lakehouse.steps.embed_documents.embedding import COUNTED, Counts, Stage, checkpoint, of_texts, shard_folder, work_left
from embedding_lakehouse.steps.embed_documents.reusing import Known, KnownVector

# How long a job may take to end once it was told to.
SETTLING_SECONDS = 2 * 3600.0
LONGEST_PAUSE_SECONDS = 3600.0

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


class Waiting(NamedTuple):
    """What is waited for: the first end of one of these jobs behind a connection, at the latest `until` (seconds since the epoch)."""

    connection: str
    job_ids: list[str]
    poll_seconds: float
    until: float


def plan_bulk(shards: list[dict[str, Any]], lake: Lake | None = None) -> list[dict[str, Any]]:
    """The shards whose texts are bought in bulk: all of the batch's, or none where it has too few new texts for its profile."""
    row = batches.batch(lake or connect(), shards[0]["batch_id"])
    return shards if row["state"] == PRICED and settings.profile_of(row).is_bought_in_bulk(row["texts_embedded"]) else []


def cancel_jobs(row: BatchRow) -> None:
    """Tell the jobs of a batch that is given up to end: their answers would be paid for and of no use."""
    service = OpenAIBulk(settings.profile_of(row))
    for job in service.jobs(row["batch_id"], row["planned_at"]):
        if job.is_cancellable:
            service.cancel(job)


def buy_in_bulk(batch_id: str, shard: int, shards: int, lake: Lake | None = None) -> Waiting | Counts:
    """Go on with the shard's jobs: what is to be waited for, or what was staged, by `COUNTED`, once none is under way.

    Raises LakehouseError for a job that does not end long after it was told to, ApprovalRequired for a batch that waits for approval.
    """
    lake = lake or connect()
    row = batches.batch(lake, batch_id)
    if row["state"] != PRICED:
        return dict.fromkeys(COUNTED, 0)
    check_approved(row)
    stage = Stage(lake, row, settings.profile_of(row), shard)
    chunks, known = work_left(lake, batch_id, shard, shards)
    stage.put(chunks, known)
    left = chunks.filter(pc.invert(of_texts(chunks, known)))
    return ShardJobs(stage, OpenAIBulk(stage.profile), left).go_on()


@dataclass
class ShardJobs:
    """The jobs for the chunks of a shard that are `left`. Notes beside its parts say which jobs were put and which have been collected."""

    stage: Stage
    service: OpenAIBulk
    left: pa.Table

    def __post_init__(self) -> None:
        # Every text that has no vector yet, by its hash.
        self.texts = dict(zip(self.left["text_hash"].to_pylist(), self.left["chunk_text"].to_pylist(), strict=True))
        self.noted, self.collected = self._notes(".job"), self._notes(".collected")

    def go_on(self) -> Waiting | Counts:
        """Put what no job is for, collect the jobs that have ended, and say what is to be waited for."""
        if not self.texts and self.noted.keys() <= self.collected.keys():
            return self.stage.counts
        jobs = _patiently(lambda: self._put_missing(self._find()))
        for job in jobs:
            if not (job.is_under_way or job.job_id in self.collected):
                self._collect(job)
        under_way = [job for job in jobs if job.is_under_way]
        until = [self._until(job) for job in under_way]
        if crowded := self._crowded_until(jobs):
            until.append(crowded)
        if not until:
            return self.stage.counts
        profile = self.stage.profile
        connection = profile.connection or profile.provider_declared.connection
        return Waiting(connection, [job.job_id for job in under_way], profile.bulk.poll_seconds, min(until))

    def _find(self) -> list[BulkJob]:
        """Every job of the shard, the oldest first: those that the account lists, and those that were noted and it does not list."""
        row = self.stage.row
        found = {job.job_id: job for job in self.service.jobs(row["batch_id"], row["planned_at"], self.stage.shard)}
        for job_id in self.noted.keys() - found.keys():
            first, last = json.loads(self.noted[job_id])
            found[job_id] = self.service.job(job_id) or BulkJob.gone(job_id, HashSpan(first, last))
        jobs = sorted(found.values(), key=lambda job: (job.created_at, job.job_id))
        for job in jobs:
            self._note(job)
        self._cancel_twins(jobs)
        return jobs

    def _cancel_twins(self, jobs: list[BulkJob]) -> None:
        """Of jobs for the same texts, which two tries side by side can have put, the oldest goes on."""
        oldest: dict[HashSpan, BulkJob] = {}
        for job in jobs:
            if job.state != "failed" and oldest.setdefault(job.span, job) is not job and job.is_cancellable:
                logger.warning("OpenAI's batch %s is for the same texts as %s: it is cancelled", job.job_id, oldest[job.span].job_id)
                self.service.cancel(job)

    def _put_missing(self, jobs: list[BulkJob]) -> list[BulkJob]:
        """The jobs, and new ones for the texts that none is for."""
        if self._is_over(jobs) or self._crowded_until(jobs):
            return jobs
        lines = self._lines([job.span for job in jobs if not job.was_crowded_out])
        for each in cut_into_jobs(lines, self.stage.profile.bulk.texts_per_job):
            job = self.service.submit(self.stage.row["batch_id"], self.stage.shard, each)
            self._note(job)
            logger.info("OpenAI's batch %s has %s texts", job.job_id, len(each))
            jobs = [*jobs, job]
        return jobs

    def _lines(self, covered: list[HashSpan]) -> Iterator[tuple[str, bytes]]:
        """The lines of the texts in none of the spans. A text that is split or rejected is left to embed_chunks, which knows how."""
        most = self.stage.profile.model_limits.tokens_per_input
        for text_hash, chunk_text in self.texts.items():
            text = self.stage.profile.model_text(chunk_text)
            if not any(text_hash in span for span in covered) and not (most and estimated_tokens(text) > most):
                yield text_hash, self.service.line(text_hash, text)

    def _collect(self, job: BulkJob) -> None:
        """Stage what a job that has ended answered, checkpoint by checkpoint, delete its files, and note that it is done."""
        asked_for = sum(text_hash in job.span for text_hash in self.texts)
        bought, before = Known(), self.stage.counts["texts_embedded"]
        with TemporaryDirectory(prefix="bulk-") as folder:
            output = _patiently(lambda: self.service.download(job, Path(folder)))
            for answer in self.service.answers(output):
                chunk_text = self.texts.pop(answer.text_hash, None)
                if chunk_text is None:
                    continue
                # An estimate where the service counted none.
                tokens = answer.token_count or estimated_tokens(self.stage.profile.model_text(chunk_text))
                bought[answer.text_hash] = KnownVector(answer.vector, tokens, None)
                if len(bought) >= self.stage.profile.batch.checkpoint_chunks:
                    self._stage(bought)
        self._stage(bought)
        staged = self.stage.counts["texts_embedded"] - before
        log = logger.info if staged == asked_for else logger.warning
        why = f" ({', '.join(job.errors)})" if job.errors else ""
        log("OpenAI's batch %s is %s%s: %s texts bought, %s not", job.job_id, job.state, why, staged, asked_for - staged)
        # All of it is staged. A try that finds files gone finds their texts staged, so the note comes last and no file stays.
        _patiently(lambda: self.service.delete_files(job))
        self._write_note(job, ".collected")

    def _stage(self, bought: Known) -> None:
        """Stage what has been read, each text of which was a request of its own, at the price of bulk."""
        checkpoint(self.stage, self.left, bought, {}, self.stage.counts["requests"] + len(bought), in_bulk=True)

    def _until(self, job: BulkJob) -> float:
        """When a job is looked at though it has not ended. One whose time is over is told to end."""
        deadline = job.created_at + self.stage.profile.bulk.wait_hours * 3600
        if time.time() < deadline:
            return deadline
        if time.time() > deadline + SETTLING_SECONDS:
            raise LakehouseError(
                f"OpenAI's batch {job.job_id} is still {job.state!r}, long after it was to end: look at it in the account, and clear this "
                "task once it has ended"
            )
        if job.is_cancellable:
            _patiently(lambda: self.service.cancel(job))
        return deadline + SETTLING_SECONDS

    def _is_over(self, jobs: list[BulkJob]) -> bool:
        """Whether the time for jobs is over, so that none is put any more."""
        begun = min((job.created_at for job in jobs), default=None)
        return begun is not None and time.time() >= begun + self.stage.profile.bulk.wait_hours * 3600

    def _crowded_until(self, jobs: list[BulkJob]) -> float | None:
        """Until when the account is left alone since it had too much under way, longer each time; None where it can be asked."""
        crowded = [job for job in jobs if job.was_crowded_out]
        if not crowded or self._is_over(jobs):
            return None
        pause = min(LONGEST_PAUSE_SECONDS, self.stage.profile.bulk.poll_seconds * 2 ** len(crowded))
        until = crowded[-1].created_at + pause
        return until if time.time() < until else None

    def _note(self, job: BulkJob) -> None:
        if job.job_id not in self.noted:
            self.noted[job.job_id] = json.dumps([job.span.first, job.span.last])
            self._write_note(job, ".job")

    def _write_note(self, job: BulkJob, ending: str) -> None:
        table = self.stage.lake.table(DOCUMENT_EMBEDDINGS)
        write_note(table, f"{self._folder}/{quote(job.job_id, safe='')}{ending}", self.noted[job.job_id])

    def _notes(self, ending: str) -> dict[str, str]:
        found = read_notes(self.stage.lake.table(DOCUMENT_EMBEDDINGS), self._folder, ending)
        return {unquote(name): note for name, note in found.items()}

    @property
    def _folder(self) -> str:
        return f"{shard_folder(self.stage.lake, self.stage.row['batch_id'], self.stage.shard)}/bulk"


def _patiently(step: Callable[[], Result]) -> Result:
    """What the step answers, put again while the service is busy."""
    return patiently(step, PATIENCE_SECONDS, Event())
