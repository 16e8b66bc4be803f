"""When the next request may go out, under rates of requests and of tokens; slower after a refusal, and step by step back to the rates."""

# The server's clock and windows are not ours, and an estimate of tokens is none of its counts.
HEADROOM = 0.95
SLOWEST = 1 / 64
SLOWDOWN = 3 / 4
RECOVERY = 1 / 40


class Pace:
    """One sender's share of the rates: requests and tokens a second, 0 for no limit. All moments are seconds of one clock.

    A request is paid for before it goes out, so no window of time holds more than its share of the rates and one request. Unused time
    earns nothing. Not for several threads at once: whoever shares it holds a lock.
    """

    def __init__(self, requests_per_second: float, tokens_per_second: float, now: float) -> None:
        self._requests_per_second = requests_per_second * HEADROOM
        self._tokens_per_second = tokens_per_second * HEADROOM
        self._requests_paid = self._tokens_paid = self._resting_until = now
        self._speed = 1.0

    def reserve(self, tokens: int, now: float) -> float:
        """Take the next place for a request of so many tokens; the seconds until it may go out."""
        if self._requests_per_second:
            self._requests_paid = max(self._requests_paid, now) + 1 / (self._requests_per_second * self._speed)
        if self._tokens_per_second:
            self._tokens_paid = max(self._tokens_paid, now) + tokens / (self._tokens_per_second * self._speed)
        return max(0.0, self._requests_paid - now, self._tokens_paid - now, self._resting_until - now)

    def settle(self, expected: int, counted: int) -> None:
        """Make good for a request whose tokens the server counted as others than were expected; it was taken, so the pace recovers."""
        if self._tokens_per_second:
            self._tokens_paid += (counted - expected) / (self._tokens_per_second * self._speed)
        self._speed = min(1.0, self._speed + RECOVERY)

    def slow_down(self, pause: float, now: float) -> None:
        """Rest for the `pause` seconds that the server asks for, and go on more slowly. Refusals while at rest are one refusal."""
        if now >= self._resting_until:
            self._speed = max(SLOWEST, self._speed * SLOWDOWN)
        self._resting_until = max(self._resting_until, now + pause)
