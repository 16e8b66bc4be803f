"""Texts that were bought in bulk and may still lie at the provider: jobs under way, files of texts, files of answers.

What a batch that is over has there is of no use to anybody, so all of it goes, whoever's texts they are. Of an open batch, which was begun
while the erasure was at work, only what has a text of the documents goes: the batch buys the rest of that job at the usual price.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from embedding_lakehouse.clients import batches
from embedding_lakehouse.clients.forgetting.erasures import Notes
from embedding_lakehouse.clients.lake import Lake
from embedding_lakehouse.clients.models.asking import patiently
from embedding_lakehouse.core.batches import OPEN_STATES
from embedding_lakehouse.core.bulk import batch_of_upload
from embedding_lakehouse.core.forgetting import Forgotten
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.purchases import NO_JOB, Purchase, Withdrawn, accounts
from embedding_lakehouse.errors import LakehouseError, TransientError

if TYPE_CHECKING:
    from embedding_lakehouse.clients.models.openai_bulk import BulkJob, OpenAIBulk

PURCHASES = "purchases"
PATIENCE_SECONDS = 120.0

log = logging.getLogger(__name__)
Result = TypeVar("Result")


def withdrawn(lake: Lake, erasure_id: str) -> Withdrawn:
    """What the erasure has withdrawn so far."""
    return Withdrawn.of_note(Notes(lake, erasure_id).read(PURCHASES))


def withdraw(
    lake: Lake, erasure_id: str, profiles: Mapping[str, Profile], settling_seconds: float, patience: float = PATIENCE_SECONDS
) -> Withdrawn:
    """Look once through the accounts of all profiles that buy in bulk, end the jobs, delete the files; what was done so far, and noted.

    Waits `settling_seconds` for jobs to end that were told to. An account or a file that the provider refuses is noted and passed over.
    """
    notes, found = Notes(lake, erasure_id), withdrawn(lake, erasure_id)
    buyers, rows = accounts(profiles.values()), batches.journal(lake).rows()
    if not (buyers and rows):
        return found
    forgotten = notes.forgotten()
    are_open = {row["batch_id"]: row["state"] in OPEN_STATES for row in rows}
    since = min(row["planned_at"] for row in rows)
    for connection, profile in buyers.items():
        try:
            account = Account(connection, _service(profile), forgotten, patience)
            found = found.looked_at(connection, account.withdraw(are_open, since, found.names(connection), settling_seconds))
        except LakehouseError as error:
            log.warning("purchases in bulk behind the connection %s are not looked at: %s", connection, error)
            found = found.without(connection, forgotten.without_quotes(str(error)))
        notes.write(PURCHASES, found.as_note())
    return found


def _service(profile: Profile) -> "OpenAIBulk":
    # Here and not above: it brings the provider's client along, which no lake needs that buys nothing in bulk.
    from embedding_lakehouse.clients.models.openai_bulk import OpenAIBulk

    return OpenAIBulk(profile)


@dataclass
class Account:
    """An account at a provider that sells in bulk. Once it was silent for as long as the patience lasts, nothing is asked twice of it."""

    connection: str
    service: "OpenAIBulk"
    forgotten: Forgotten
    patience: float

    def withdraw(self, are_open: Mapping[str, bool], since: datetime, known: Collection[str], settling_seconds: float) -> list[Purchase]:
        """End the jobs of these batches and delete their files; what was found of them. `known` were chosen before.

        `are_open` says of each batch by its id whether it is open, none was begun before `since`. Raises LakehouseError where the account
        cannot be looked at.
        """
        jobs = self._ask(lambda: self.service.jobs_of(are_open, since))
        files = self._ask(self.service.files)
        chosen = [job for job in jobs if job.job_id in known or not are_open[job.batch_id] or self._may_say(job.files, files)]
        # All are told before any is waited for.
        refused = {job.job_id: self._refusal(job) for job in chosen if job.is_cancellable}
        until = time.monotonic() + settling_seconds
        found = [self._ended(job, files, until, refused.get(job.job_id)) for job in chosen]
        uploaded = {job.input_file for job in jobs}
        strays = {file: batch for file, name in files.items() if file not in uploaded and (batch := batch_of_upload(name)) in are_open}
        gone = {file: batch for file, batch in strays.items() if not are_open[batch] or self._may_say([file], files)}
        found += [self._without_files(batch, file, NO_JOB, [file]) for file, batch in gone.items()]
        return [one for one in found if one.files_deleted or one.left]

    def _may_say(self, names: Iterable[str], files: Collection[str]) -> bool:
        """Whether one of these files, if it is among the account's, has a text of the documents, or cannot be read."""
        try:
            return any(self._says(name) for name in names if name in files)
        except LakehouseError as error:
            log.warning("what a purchase in bulk holds cannot be read, and counts as a text of the documents: %s", error)
            return True

    def _says(self, file: str) -> bool:
        return self._ask(lambda: any(text_hash in self.forgotten.text_hashes for text_hash in self.service.text_hashes(file)))

    def _refusal(self, job: "BulkJob") -> str:
        """Tell a job to end; why it was not told, if so."""
        try:
            self._ask(lambda: self.service.cancel(job))
        except LakehouseError as error:
            return self._said(error)
        return ""

    def _ended(self, job: "BulkJob", files: Collection[str], until: float, refusal: str | None) -> Purchase:
        """The job once it has ended, as far as it is waited for, without its files."""
        ended = self._settled(job, until) if job.is_under_way and not refusal else job
        # What an ended job has is in the list of files, if it is there at all.
        purchase = self._without_files(
            job.batch_id, job.job_id, job.state, [file for file in ended.files if file in files or job.is_under_way]
        )
        if ended.is_under_way:
            purchase.left[job.job_id] = refusal or f"the job is still {ended.state}, and its answers come after that"
        return purchase

    def _settled(self, job: "BulkJob", until: float) -> "BulkJob":
        """The job as it is once it has ended, or at the end of the time. One that cannot be asked for is as it was."""
        while True:
            try:
                now = self._ask(lambda: self.service.job(job.job_id)) or job._replace(state="gone")
            except LakehouseError:
                return job
            left = until - time.monotonic()
            if not now.is_under_way or left <= 0:
                return now
            time.sleep(min(left, self.service.poll_seconds))

    def _without_files(self, batch_id: str, name: str, state: str, files: list[str]) -> Purchase:
        """The job or upload, its files deleted as far as they were there and the account lets them be."""
        deleted, left = [], dict[str, str]()
        for file in files:
            try:
                if self._ask(partial(self.service.delete_file, file)):
                    deleted.append(file)
            except LakehouseError as error:
                left[file] = self._said(error)
        return Purchase(self.connection, batch_id, name, state, tuple(deleted), left)

    def _said(self, error: LakehouseError) -> str:
        return self.forgotten.without_quotes(str(error))

    def _ask(self, step: Callable[[], Result]) -> Result:
        try:
            return patiently(step, self.patience, Event())
        except TransientError:
            self.patience = 0.0
            raise
