"""One request to a model: paced, put again where that may help, halved where a text in it is refused, so that its neighbours go through."""

import logging
import time
from collections.abc import Callable
from threading import Event, Lock
from typing import NamedTuple, TypeVar

import numpy as np
from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event, stop_before_delay, wait_random_exponential

from embedding_lakehouse.clients.models import Embedded, EmbeddingModel, checked_vectors, of_length_one
from embedding_lakehouse.clients.models.refusals import ModelBusy, TextsRefused
from embedding_lakehouse.core.pacing import Pace
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tokens import cut_evenly
from embedding_lakehouse.errors import ConfigurationError, TransientError

# How long one request is put again before its task fails and leaves it to Airflow.
PATIENCE_SECONDS = 900.0
# A wrong answer comes at the price of a right one.
WRONG_ANSWERS = 3
# What every model takes: a model that refuses it refuses the request as such.
PLAIN_WORD = "word"

logger = logging.getLogger(__name__)
Asked = TypeVar("Asked")


class Piece(NamedTuple):
    """A text of a request, or a part of one, and its tokens as far as they are known before the model counts them."""

    text: str
    tokens: int


class Answer(NamedTuple):
    """A piece's vector (float32), and the tokens that the model counted."""

    vector: np.ndarray
    token_count: int


# What became of a piece: its vector, or why it has none.
Answered = Answer | TextsRefused


class Asker:
    """Puts requests to a profile's model, from several threads at once; `requests` counts them.

    `tasks` ask at the same time under the same limits: each keeps to its share. `patience` is how many seconds a request is put again.
    """

    def __init__(self, profile: Profile, model: EmbeddingModel, tasks: int = 1, patience: float = PATIENCE_SECONDS) -> None:
        limits = profile.model_limits
        self._profile = profile
        self._model = model
        self._patience = patience
        self._pace = Pace(limits.requests_per_minute / 60 / tasks, limits.tokens_per_minute / 60 / tasks, time.monotonic())
        self._lock = Lock()
        self._given_up = Event()
        self._has_answered = False
        self.requests = 0

    def answers(self, pieces: list[Piece]) -> list[Answered]:
        """An answer for each piece, in their order.

        Raises ConfigurationError where a person must mend something first, TransientError where the model was busy or wrong for too long.
        """
        try:
            return self._embedded(pieces)
        except TextsRefused as refusal:
            if len(pieces) == 1:
                return [self._alone(pieces[0], refusal)]
            middle = len(pieces) // 2
            return self.answers(pieces[:middle]) + self.answers(pieces[middle:])

    def give_up(self) -> None:
        """Put no request any more: what waits for its turn ends at once."""
        self._given_up.set()

    def _alone(self, piece: Piece, refusal: TextsRefused) -> Answered:
        """What becomes of a piece that is refused by itself: split further where it is too long and the profile says so."""
        self._check_takes_anything(refusal)
        if refusal.is_too_long and self._profile.limits.over_limit == "split" and len(piece.text) > 1:
            halves = [Piece(half, max(1, piece.tokens // 2)) for half in cut_evenly(piece.text, 2)]
            return combined(self.answers(halves), self._profile.normalise)
        return refusal

    def _check_takes_anything(self, refusal: TextsRefused) -> None:
        """Lay a refusal to its text only where the model takes another one."""
        if not self._has_answered:
            try:
                self._embedded([Piece(PLAIN_WORD, 1)])
            except TextsRefused:
                raise ConfigurationError(f"the model takes no text at all under profile {self._profile.name!r}: {refusal}") from refusal

    def _embedded(self, pieces: list[Piece]) -> list[Answered]:
        texts = [piece.text for piece in pieces]
        vectors, counts = patiently(lambda: self._ask(texts, sum(piece.tokens for piece in pieces)), self._patience, self._given_up)
        return [Answer(vector, count) for vector, count in zip(vectors, counts, strict=True)]

    def _ask(self, texts: list[str], tokens: int) -> Embedded:
        with self._lock:
            self.requests += 1
            delay = self._pace.reserve(tokens, time.monotonic())
        if self._given_up.wait(delay):
            raise ModelBusy("another request of the task failed for good")
        try:
            answer = self._model.embed(texts)
        except ModelBusy as busy:
            if busy.is_throttled:
                with self._lock:
                    self._pace.slow_down(busy.retry_after, time.monotonic())
            raise
        vectors = checked_vectors(answer.vectors, len(texts), self._profile)
        with self._lock:
            self._pace.settle(tokens, sum(answer.token_counts))
            self._has_answered = True
        return Embedded(vectors, answer.token_counts)


def combined(answers: list[Answered], normalise: bool) -> Answered:
    """The answer for a text from those for its pieces: the mean of their vectors by tokens, to length 1 where the profile normalises.

    Where a piece was refused, so is the text.
    """
    if len(answers) == 1:
        return answers[0]
    found = [answer for answer in answers if isinstance(answer, Answer)]
    if len(found) < len(answers):
        return next(answer for answer in answers if isinstance(answer, TextsRefused))
    counts = [answer.token_count for answer in found]
    weights = counts if any(counts) else [1] * len(counts)
    mean = np.average([answer.vector for answer in found], axis=0, weights=weights).astype(np.float32)
    return Answer(of_length_one(mean[None])[0] if normalise else mean, sum(counts))


def patiently(ask: Callable[[], Asked], patience: float, given_up: Event) -> Asked:
    """The answer, asked for again where that may help: for `patience` seconds while the model is busy, three times where it is wrong.

    No longer, once it is given up.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(TransientError),
        wait=_wait,
        stop=lambda state: stop_before_delay(patience)(state) or given_up.is_set() or _is_wrong_for_good(state),
        sleep=sleep_using_event(given_up),
        before_sleep=_say_why,
        reraise=True,
    )
    return retrying(ask)


def embed_question(profile: Profile, model: EmbeddingModel, question: str, patience: float = 30.0) -> np.ndarray:
    """The vector (float32) of a question. Raises TextsRefused for one that the model does not take, else as `Asker.answers`."""
    embed = getattr(model, "embed_questions", model.embed)
    answer = patiently(lambda: embed([profile.question_text(question)]), patience, Event())
    return checked_vectors(answer.vectors, 1, profile)[0]


def _wait(state: RetryCallState) -> float:
    """Seconds until the next try: what the service asked for, or up to 0.2, 0.4, 0.8 ... 30 at random, whichever is longer."""
    error = state.outcome.exception() if state.outcome else None
    return max(getattr(error, "retry_after", 0.0), wait_random_exponential(multiplier=0.2, max=30)(state))


def _is_wrong_for_good(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    return not isinstance(error, ModelBusy) and state.attempt_number >= WRONG_ANSWERS


def _say_why(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("asking again in %.1f s: %s", state.upcoming_sleep, error)
