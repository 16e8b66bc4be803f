"""Texts packed into requests: as few as their number and their tokens allow."""

from bisect import bisect_left, insort
from collections.abc import Sequence


def pack(token_counts: Sequence[int], most_inputs: int, most_tokens: int) -> list[list[int]]:
    """Requests as lists of positions in `token_counts`, each position in one; 0 is no limit.

    No request has more than `most_inputs` texts, or more than `most_tokens` tokens but for a text that alone has more. Best fit, the
    largest texts first: a request is the fullest one that still has room.
    """
    most_inputs = most_inputs or len(token_counts)
    room_of_all = most_tokens or sum(token_counts)
    requests: list[list[int]] = []
    # The requests that still take a text, as (tokens left, number of the request), the fullest first.
    open_requests: list[tuple[int, int]] = []
    for position in sorted(range(len(token_counts)), key=lambda position: -token_counts[position]):
        tokens = token_counts[position]
        found = bisect_left(open_requests, (tokens, -1))
        if found < len(open_requests):
            room, number = open_requests.pop(found)
        else:
            room, number = room_of_all, len(requests)
            requests.append([])
        requests[number].append(position)
        if len(requests[number]) < most_inputs and room >= tokens:
            insort(open_requests, (room - tokens, number))
    return requests


def fit_checkpoint(checkpoint: int, in_flight: int, most_inputs: int) -> tuple[int, int]:
    """The most texts of a request, and the arrived texts that are staged together, so that a kill loses at most a checkpoint.

    `most_inputs` is the model's own limit, 0 for none. What has arrived and what is under way are together at most `checkpoint` texts, or
    one a request.
    """
    inputs = checkpoint if in_flight == 1 else max(1, checkpoint // (2 * in_flight))
    inputs = min(inputs, most_inputs or inputs)
    return inputs, max(1, checkpoint - inputs * in_flight)
