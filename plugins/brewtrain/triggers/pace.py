"""How fast a poll loop may go: fast after a change, slow in a long training, within a fixed budget.

Pure except for the clock and the random numbers, which are passed in. Must not import Airflow or
boto3.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (full jitter on errors).
"""

from __future__ import annotations

from collections.abc import Callable

FASTEST_SECONDS = 0.5
SLOWEST_SECONDS = 5.0
# A change 10 s ago makes a poll every second, one a minute ago every 5 s: the delay stays near a
# tenth of the wait.
SHARE_OF_WAIT = 0.1
# Calls that may be made at once, and calls a second in the long run: at most 80 in any minute,
# however many wait.
BURST_CALLS = 20.0
CALLS_PER_SECOND = 1.0
# What may be owed at most, so that many ends at once do not keep the other executions waiting.
LARGEST_DEBT = 10.0
LONGEST_BACK_OFF_SECONDS = 60.0


class Pace:
    """Decides when to poll next, and how many calls a poll may make.

    :param clock: Monotonic seconds.
    :param jitter: Random number in [0, 1).
    """

    def __init__(self, clock: Callable[[], float], jitter: Callable[[], float]) -> None:
        self._clock = clock
        self._jitter = jitter
        self._changed_at = clock()
        self._tokens = BURST_CALLS
        self._filled_at = self._changed_at
        self._failures = 0

    def changed(self) -> None:
        """Note that something changed, since the next change may be near."""
        self._changed_at = self._clock()

    def spend(self, calls: int) -> None:
        """Note that calls were made."""
        self._fill()
        self._tokens = max(-LARGEST_DEBT, self._tokens - calls)

    def affordable(self) -> int:
        """Return how many calls may be made now."""
        self._fill()
        return max(0, int(self._tokens))

    def succeeded(self) -> None:
        """Note that a poll was answered."""
        self._failures = 0

    def failed(self) -> None:
        """Note that a poll was throttled, met a 5xx, or could not reach AWS."""
        self._failures += 1

    @property
    def failures(self) -> int:
        """Number of polls in a row that were not answered."""
        return self._failures

    def delay_seconds(self, calls: int) -> float:
        """Return how many seconds to sleep before a poll that makes so many calls."""
        if self._failures:
            ceiling = min(LONGEST_BACK_OFF_SECONDS, FASTEST_SECONDS * 2.0 ** min(self._failures, 10))
            return FASTEST_SECONDS + self._jitter() * ceiling
        self._fill()
        waited = self._clock() - self._changed_at
        wanted = min(SLOWEST_SECONDS, max(FASTEST_SECONDS, SHARE_OF_WAIT * waited))
        affordable = max(0.0, (calls - self._tokens) / CALLS_PER_SECOND)
        return max(wanted, affordable) * (0.9 + 0.2 * self._jitter())

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(BURST_CALLS, self._tokens + (now - self._filled_at) * CALLS_PER_SECOND)
        self._filled_at = now
