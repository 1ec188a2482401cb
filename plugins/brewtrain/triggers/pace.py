"""How fast a poll loop may go: fast after a change, slow in a long training, within a fixed budget.

Pure except for the clock and the random numbers, which are passed in. Must not import Airflow or
boto3.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (full jitter on errors).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LONGEST_BACK_OFF_SECONDS = 60.0


@dataclass(frozen=True)
class Tempo:
    """How fast a loop polls.

    :param fastest_seconds: Between two polls right after a change.
    :param slowest_seconds: Between two polls when nothing has changed for long.
    :param share_of_wait: The delay, as a share of the time since the last change.
    :param burst_calls: Calls that may be made at once.
    :param calls_per_second: Calls in the long run, however many wait.
    :param largest_debt: Calls that may be owed at most.
    """

    fastest_seconds: float
    slowest_seconds: float
    share_of_wait: float
    burst_calls: float
    calls_per_second: float
    largest_debt: float


# A change 10 s ago makes a poll every second, one a minute ago every 5 s. At most 80 calls in any
# minute. The debt is small, so that many ends at once do not keep the other executions waiting.
EXECUTIONS = Tempo(
    fastest_seconds=0.5,
    slowest_seconds=5.0,
    share_of_wait=0.1,
    burst_calls=20.0,
    calls_per_second=1.0,
    largest_debt=10.0,
)


class Pace:
    """Decides when to poll next, and how many calls a poll may make.

    :param clock: Monotonic seconds.
    :param jitter: Random number in [0, 1).
    :param tempo: How fast; by default as for executions.
    """

    def __init__(self, clock: Callable[[], float], jitter: Callable[[], float], tempo: Tempo | None = None) -> None:
        self._tempo = tempo or EXECUTIONS
        self._clock = clock
        self._jitter = jitter
        self._changed_at = clock()
        self._tokens = self._tempo.burst_calls
        self._filled_at = self._changed_at
        self._failures = 0

    def changed(self) -> None:
        """Note that something changed, since the next change may be near."""
        self._changed_at = self._clock()

    def spend(self, calls: int) -> None:
        """Note that calls were made."""
        self._fill()
        self._tokens = max(-self._tempo.largest_debt, self._tokens - calls)

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
            fastest = self._tempo.fastest_seconds
            ceiling = min(LONGEST_BACK_OFF_SECONDS, fastest * 2.0 ** min(self._failures, 10))
            return fastest + self._jitter() * ceiling
        self._fill()
        waited = self._clock() - self._changed_at
        wanted = max(self._tempo.fastest_seconds, self._tempo.share_of_wait * waited)
        wanted = min(self._tempo.slowest_seconds, wanted)
        affordable = max(0.0, (calls - self._tokens) / self._tempo.calls_per_second)
        return max(wanted, affordable) * (0.9 + 0.2 * self._jitter())

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(
            self._tempo.burst_calls, self._tokens + (now - self._filled_at) * self._tempo.calls_per_second
        )
        self._filled_at = now
