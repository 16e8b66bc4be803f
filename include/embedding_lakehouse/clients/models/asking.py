"""One request to a model: paced, put again where that may help, halved for a text that gets no vector, so that the others get theirs."""

import logging
import time
from collections.abc import Callable
from itertools import count
from threading import Event, Lock
from typing import NamedTuple, TypeVar

import numpy as np
from tenacity import RetryCallState, Retrying, retry_if_exception_type, sleep_using_event, stop_before_delay, wait_random_exponential

from embedding_lakehouse.clients.models import Embedded, EmbeddingModel, ask_model, of_length_one
from embedding_lakehouse.clients.models.refusals import ModelBusy, TextsRefused, WrongLength
from embedding_lakehouse.core.pacing import Pace
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tokens import ASCII_PER_TOKEN, cut_evenly
from embedding_lakehouse.errors import ConfigurationError, TransientError

# How long one request is put again before its task fails and leaves it to Airflow.
PATIENCE_SECONDS = 900.0
# A wrong answer comes at the price of a right one.
WRONG_ANSWERS = 3
# What every model takes: one that refuses it, or is wrong about it, is so about the request as such.
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

        Raises ConfigurationError where a person must mend something first, TransientError where the model was busy for too long or is
        wrong about plain text as well.
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
                self._asked([Piece(PLAIN_WORD, 1)])
            except TextsRefused:
                raise ConfigurationError(f"the model takes no text at all under profile {self._profile.name!r}: {refusal}") from refusal

    def _embedded(self, pieces: list[Piece]) -> list[Answered]:
        """The pieces' answers. Raises TextsRefused also where the model gives them no vectors time and again, and plain text has one.

        Parting a request costs little, so that comes after a few tries; a text alone that the model fails over is given the whole patience.
        """
        is_alone = len(pieces) == 1
        try:
            return self._asked(pieces, is_hasty=not is_alone)
        except (TransientError, WrongLength) as error:
            if not _may_be_for_texts(error):
                raise
            if self._answers_plain_text(max(piece.tokens for piece in pieces)):
                return self._asked_once_more(pieces)
            if is_alone or not isinstance(error, ModelBusy):
                raise
        # It fails over anything: it is waited for.
        return self._asked(pieces)

    def _answers_plain_text(self, tokens: int) -> bool:
        """Whether the model now has a vector for a plain text of so many tokens: what it is wrong about is not the size of texts then."""
        text = " ".join([PLAIN_WORD] * max(1, tokens * ASCII_PER_TOKEN // len(f"{PLAIN_WORD} ")))
        try:
            self._asked([Piece(text, tokens)], tries=1, is_hasty=True)
        except (TransientError, WrongLength, TextsRefused) as error:
            logger.warning("plain text has no vector either: %s", error)
            return False
        return True

    def _asked_once_more(self, pieces: list[Piece]) -> list[Answered]:
        """The pieces' answers now that plain text had one, since an outage may have ended in between. Raises TextsRefused for none."""
        try:
            return self._asked(pieces, tries=1, is_hasty=True)
        except (TransientError, WrongLength) as error:
            if not _may_be_for_texts(error):
                raise
            raise TextsRefused(f"plain text has a vector and this has none: {error}") from error

    def _asked(self, pieces: list[Piece], tries: int = WRONG_ANSWERS, is_hasty: bool = False) -> list[Answered]:
        """The pieces' answers in one request, put again as `patiently` does."""
        texts = [piece.text for piece in pieces]
        tokens = sum(piece.tokens for piece in pieces)
        vectors, counts = patiently(lambda: self._ask(texts, tokens), self._patience, self._given_up, tries, is_hasty)
        return [Answer(vector, token_count) for vector, token_count in zip(vectors, counts, strict=True)]

    def _ask(self, texts: list[str], tokens: int) -> Embedded:
        with self._lock:
            self.requests += 1
            delay = self._pace.reserve(tokens, time.monotonic())
        if self._given_up.wait(delay):
            raise ModelBusy("another request of the task failed for good")
        try:
            answer = ask_model(self._model.embed, texts, self._profile)
        except ModelBusy as busy:
            if busy.is_throttled:
                with self._lock:
                    self._pace.slow_down(busy.retry_after, time.monotonic())
            raise
        with self._lock:
            self._pace.settle(tokens, sum(answer.token_counts))
            self._has_answered = True
        return answer


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


def patiently(ask: Callable[[], Asked], patience: float, given_up: Event, tries: int = WRONG_ANSWERS, is_hasty: bool = False) -> Asked:
    """The answer, asked for again where that may help: for `patience` seconds while the model is busy, until `tries` answers were wrong.

    No longer, once it is given up. To be hasty is to count what the model failed over as a wrong answer.
    """
    wrong = count(1)

    def is_over(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ModelBusy) and not (is_hasty and error.has_failed):
            return given_up.is_set() or stop_before_delay(patience)(state)
        return next(wrong) >= tries or given_up.is_set()

    retrying = Retrying(
        retry=retry_if_exception_type(TransientError),
        wait=_wait,
        stop=is_over,
        sleep=sleep_using_event(given_up),
        before_sleep=_say_why,
        reraise=True,
    )
    return retrying(ask)


def embed_question(profile: Profile, model: EmbeddingModel, question: str, patience: float = 30.0) -> np.ndarray:
    """The vector (float32) of a question. Raises TextsRefused for one that the model does not take, else as `Asker.answers`."""
    embed = getattr(model, "embed_questions", model.embed)
    return patiently(lambda: ask_model(embed, [profile.question_text(question)], profile), patience, Event()).vectors[0]


def _wait(state: RetryCallState) -> float:
    """Seconds until the next try: what the service asked for, or up to 0.2, 0.4, 0.8 ... 30 at random, whichever is longer."""
    error = state.outcome.exception() if state.outcome else None
    return max(getattr(error, "retry_after", 0.0), wait_random_exponential(multiplier=0.2, max=30)(state))


def _may_be_for_texts(error: Exception) -> bool:
    """Whether it may be for what is in the texts that they have no vectors, and not for want of time."""
    return error.has_failed if isinstance(error, ModelBusy) else True


def _say_why(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("asking again in %.1f s: %s", state.upcoming_sleep, error)
