"""A profile's model over many texts: packed into requests across documents, several in flight, answered as the answers arrive."""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from math import ceil
from typing import NamedTuple

import numpy as np

from embedding_lakehouse.clients.models import CountsTokens, EmbeddingModel
from embedding_lakehouse.clients.models.asking import PATIENCE_SECONDS, Answered, Asker, Piece, combined
from embedding_lakehouse.clients.models.refusals import TextsRefused
from embedding_lakehouse.core.packing import pack
from embedding_lakehouse.core.profiles import Profile
from embedding_lakehouse.core.tokens import cut_evenly, estimated_tokens

Request = list[int]


class Bought(NamedTuple):
    """A text, by its position, with its vector (float32) and the tokens paid for."""

    position: int
    vector: np.ndarray
    token_count: int


class Rejection(NamedTuple):
    """A text, by its position, that has no vector: `too_long` or `refused`, and what the model says."""

    position: int
    code: str
    reason: str


Outcome = Bought | Rejection


class Embedder:
    """A profile's model, asked by one of `tasks` tasks that share its rates.

    A request has at most `most_inputs` texts, and at most `most_in_flight` requests are under way (0: the profile's own limits). A text
    over the model's limit is split or rejected, as the profile says; one that the model refuses is rejected alone.
    """

    def __init__(
        self,
        profile: Profile,
        model: EmbeddingModel,
        tasks: int = 1,
        most_inputs: int = 0,
        most_in_flight: int = 0,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        limits = profile.model_limits
        self._profile = profile
        self._model = model
        self._asker = Asker(profile, model, tasks, patience)
        self._most_in_flight = max(1, min(filter(None, (most_in_flight, limits.requests_in_flight)), default=1))
        self._most_inputs = min(filter(None, (most_inputs, limits.inputs_per_request)), default=0)
        # A request larger than the task's share of a minute would never be let in.
        self._most_tokens = min(filter(None, (limits.tokens_per_request, limits.tokens_per_minute // tasks)), default=0)
        own = model.tokens_per_input if isinstance(model, CountsTokens) else 0
        # What paces requests decides no vector: a text that is larger than a request, but not too long for the model, is asked for alone.
        self._tokens_per_input = min(filter(None, (limits.tokens_per_input, own)), default=0)

    @property
    def requests(self) -> int:
        """The requests put to the model so far."""
        return self._asker.requests

    def embed(self, texts: list[str]) -> Iterator[list[Outcome]]:
        """The outcome of every text, once each, in lists as the requests are answered.

        An error that concerns all texts is raised after the answers that were already under way. Errors as `Asker.answers`.
        """
        cut = self._cut(texts)
        rejected: list[Outcome] = [_rejected(position, refusal) for position, refusal in cut.refused.items()]
        if rejected:
            yield rejected
        owners = [position for position, pieces in cut.pieces.items() for _ in pieces]
        pieces = [piece for own in cut.pieces.values() for piece in own]
        numbers: dict[int, list[int]] = {}
        for number, position in enumerate(owners):
            numbers.setdefault(position, []).append(number)
        answers: dict[int, Answered] = {}
        for request, answered in self._answered(pieces, pack([piece.tokens for piece in pieces], self._most_inputs, self._most_tokens)):
            answers.update(zip(request, answered, strict=True))
            asked_for = dict.fromkeys(owners[number] for number in request)
            whole = [position for position in asked_for if all(number in answers for number in numbers[position])]
            if whole:
                yield [self._outcome(position, [answers.pop(number) for number in numbers[position]]) for position in whole]

    def _cut(self, texts: list[str]) -> "Cut":
        """The texts as pieces that the model takes, by their positions, and the refusals of those that are too long to be taken."""
        counts = self._model.count_tokens(texts) if isinstance(self._model, CountsTokens) else [estimated_tokens(text) for text in texts]
        most, cut = self._tokens_per_input, Cut({}, {})
        for position, (text, tokens) in enumerate(zip(texts, counts, strict=True)):
            if not most or tokens <= most:
                cut.pieces[position] = [Piece(text, tokens)]
            elif self._profile.limits.over_limit == "reject":
                refusal = TextsRefused(f"the text has about {tokens:,} tokens, {self._profile.model_name} takes {most:,}", is_too_long=True)
                cut.refused[position] = refusal
            else:
                parts = cut_evenly(text, ceil(tokens / most))
                cut.pieces[position] = [Piece(part, ceil(tokens / len(parts))) for part in parts]
        return cut

    def _answered(self, pieces: list[Piece], requests: list[Request]) -> Iterator[tuple[Request, list[Answered]]]:
        """Each request with its answers, several at once if the limits say so, in the order in which they arrive."""
        most = self._most_in_flight
        if most == 1:
            # Without a thread, so that whatever ends the task ends the request.
            for request in requests:
                yield request, self._asker.answers([pieces[number] for number in request])
            return
        with ThreadPoolExecutor(most, thread_name_prefix="request") as pool:
            try:
                yield from self._side_by_side(pool, most, pieces, requests)
            except BaseException:
                # Also where nobody takes the answers any more.
                self._asker.give_up()
                raise

    def _side_by_side(
        self, pool: ThreadPoolExecutor, most: int, pieces: list[Piece], requests: list[Request]
    ) -> Iterator[tuple[Request, list[Answered]]]:
        waiting, under_way = iter(requests), dict[Future[list[Answered]], Request]()
        error: BaseException | None = None
        while True:
            for request in islice(waiting, 0 if error else most - len(under_way)):
                under_way[pool.submit(self._asker.answers, [pieces[number] for number in request])] = request
            if not under_way:
                break
            for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                request = under_way.pop(done)
                if found := done.exception():
                    error = error or found
                    self._asker.give_up()
                else:
                    yield request, done.result()
        if error:
            raise error

    def _outcome(self, position: int, answers: list[Answered]) -> Outcome:
        answer = combined(answers, self._profile.normalise)
        if isinstance(answer, TextsRefused):
            return _rejected(position, answer)
        return Bought(position, answer.vector, answer.token_count)


class Cut(NamedTuple):
    """Texts by their positions: as pieces, or with the reason why they are not put to the model."""

    pieces: dict[int, list[Piece]]
    refused: dict[int, TextsRefused]


def _rejected(position: int, refusal: TextsRefused) -> Rejection:
    return Rejection(position, "too_long" if refusal.is_too_long else "refused", str(refusal))
