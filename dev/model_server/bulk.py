"""Files, and batches of embeddings over them: a batch goes on whenever it is asked for, and ends as the behaviour in force says."""

import json
import time
from dataclasses import dataclass, field
from itertools import count
from math import ceil
from typing import Any

from dev.model_server.behaviour import Record
from dev.model_server.openai_plane import embedded
from dev.model_server.vectors import tokens_of

UNDER_WAY = ("validating", "in_progress", "finalizing", "cancelling")
ENDPOINT = "/v1/embeddings"
EARLY = {"expired": "batch_expired", "cancelled": "batch_cancelled"}

Line = dict[str, Any]


@dataclass
class File:
    """An uploaded file, or one that a batch wrote."""

    file_id: str
    name: str
    purpose: str
    content: bytes
    created_at: int = field(default_factory=lambda: int(time.time()))

    def shown(self) -> dict[str, Any]:
        """The file as OpenAI shows it."""
        size = len(self.content)
        return {
            "id": self.file_id,
            "object": "file",
            "bytes": size,
            "created_at": self.created_at,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
        }


@dataclass
class Batch:
    """A batch: its lines, and how often it is asked for until it ends."""

    batch_id: str
    asked: dict[str, Any]
    lines: list[Line]
    polls_left: int
    status: str = "validating"
    errors: list[dict[str, Any]] = field(default_factory=list)
    output_file: str | None = None
    error_file: str | None = None
    completed: int = 0
    created_at: int = field(default_factory=lambda: int(time.time()))

    @property
    def tokens(self) -> int:
        """The tokens of its texts."""
        return sum(tokens_of(text) for line in self.lines for text in texts_of(line))

    def shown(self) -> dict[str, Any]:
        """The batch as OpenAI shows it."""
        return {
            "id": self.batch_id,
            "object": "batch",
            "endpoint": ENDPOINT,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.asked["input_file_id"],
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": self.output_file,
            "error_file_id": self.error_file,
            "created_at": self.created_at,
            "expires_at": self.created_at + 24 * 3600,
            "request_counts": {"total": len(self.lines), "completed": self.completed, "failed": 0},
            "metadata": self.asked.get("metadata"),
        }


class Bulk:
    """Every file and batch, by its id."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._numbers = count(1)
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.files: dict[str, File] = {}
        self.batches: dict[str, Batch] = {}

    def keep(self, name: str, purpose: str, content: bytes) -> File:
        """Keep a file."""
        file = File(f"file-{next(self._numbers):06d}", name, purpose, content)
        self.files[file.file_id] = file
        return file

    def create(self, asked: dict[str, Any]) -> Batch:
        """Make a batch of a file's lines; one that breaks a limit fails at once and embeds nothing."""
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].content.splitlines()]
        batch = Batch(f"batch_{next(self._numbers):06d}", asked, lines, self._record.behaviour.bulk_polls)
        if error := self._error(batch):
            batch.status, batch.errors = "failed", [error]
        else:
            self._record.batched.update(text for line in lines for text in texts_of(line))
        self.batches[batch.batch_id] = batch
        return batch

    def look(self, batch: Batch) -> None:
        """Let a batch go on."""
        if batch.status == "cancelling":
            self._end(batch, "cancelled")
        elif batch.status in UNDER_WAY:
            batch.polls_left -= 1
            if batch.polls_left <= 0:
                self._end(batch, self._record.behaviour.bulk_end)
            else:
                batch.status = "finalizing" if batch.polls_left == 1 else "in_progress"

    def _error(self, batch: Batch) -> dict[str, Any] | None:
        limits = self._record.behaviour
        inputs = sum(len(texts_of(line)) for line in batch.lines)
        if len({line["custom_id"] for line in batch.lines}) < len(batch.lines):
            return _error("duplicate_custom_id", "The custom_id was used before.")
        if inputs > limits.bulk_texts:
            return _error("too_many_tasks", f"The batch has {inputs} inputs, at most {limits.bulk_texts} are allowed.")
        queued = sum(other.tokens for other in self.batches.values() if other.status in UNDER_WAY)
        if limits.bulk_queue_tokens and queued and queued + batch.tokens > limits.bulk_queue_tokens:
            return _error("token_limit_exceeded", f"Enqueued token limit reached. Limit: {limits.bulk_queue_tokens:,} enqueued tokens.")
        return None

    def _end(self, batch: Batch, status: str) -> None:
        batch.status = status
        if status == "failed":
            batch.errors = [_error("server_error", "The batch failed.")]
            return
        reached = ceil(len(batch.lines) * (1 if status == "completed" else self._record.behaviour.bulk_share))
        answers = [self._answer(line, batch.lines[0]["custom_id"]) for line in batch.lines[:reached]]
        answers += [_unanswered(line, EARLY[status]) for line in batch.lines[reached:]]
        right = [answer for answer in answers if (answer["response"] or {}).get("status_code") == 200]
        wrong = [answer for answer in answers if answer not in right]
        # The order of the answers is not that of the lines.
        batch.output_file = self._written(batch, "output", right[::-1])
        batch.error_file = self._written(batch, "error", wrong)
        batch.completed = len(right)

    def _answer(self, line: Line, first_id: str) -> Line:
        behaviour, texts = self._record.behaviour, texts_of(line)
        fault = self._record.fault("line") or behaviour.spoilt(texts)
        answer = embedded(behaviour, line["body"], texts, fault)
        if answer.status_code == 200:
            self._record.texts.update(texts)
        response = {"status_code": answer.status_code, "request_id": "req", "body": json.loads(answer.body)}
        custom_id = first_id if fault and fault.kind == "doubled_index" else line["custom_id"]
        return {"id": f"batch_req_{custom_id[:8]}", "custom_id": custom_id, "response": response, "error": None}

    def _written(self, batch: Batch, kind: str, answers: list[Line]) -> str | None:
        if not answers:
            return None
        content = b"".join(json.dumps(answer).encode() + b"\n" for answer in answers)
        return self.keep(f"{batch.batch_id}_{kind}.jsonl", "batch_output", content).file_id


def texts_of(line: Line) -> list[str]:
    """The texts of a line: one, or a list of them."""
    asked = line["body"]["input"]
    return [asked] if isinstance(asked, str) else asked


def _unanswered(line: Line, code: str) -> Line:
    return {"id": "batch_req", "custom_id": line["custom_id"], "response": None, "error": _error(code, "The request was not executed.")}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "line": None, "param": None}
