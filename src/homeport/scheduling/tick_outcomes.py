"""What a scheduled moment can come to, and which answers leave it waiting (run contract §14.4).

    due ──▶ triggered                       a run was started
        ──▶ skipped_…                       the start decision's obstacle, or one of the store's
        ──▶ covered                         another run's window reaches back over it
        ──▶ deferred ──▶ any of the above   an upstream is not fresh: it waits for it

Every moment ends once. `deferred` is the only outcome that is left again, and a trigger has one at a time: its
next tick takes the waiting one over, for its window reaches back over both.
"""

from enum import StrEnum

from homeport.scheduling.start_decision import TriggerStatus

TRIGGERED = str(TriggerStatus.TRIGGERED)
DEFERRED = "deferred"
COVERED = "covered"
TRIGGER_REMOVED = "skipped_trigger_removed"
"""A deploy took the trigger away while the tick waited."""


class DecidedBy(StrEnum):
    """What had a moment decided."""

    CLOCK = "clock"
    """It was due."""
    UPSTREAM = "upstream"
    """An upstream completed."""
    LATER_TICK = "later_tick"
    """The next tick took it over."""
    CHANGE = "change"
    """A person's change: resumed, deployed, archived."""


_WAITS_WHEN_DUE = frozenset({TriggerStatus.SKIPPED_FRESH, TriggerStatus.SKIPPED_UPSTREAM_PENDING})
# a pause stops the cascade, it does not forget what waits: after it the tick has its turn
_WAITS_ON = _WAITS_WHEN_DUE | {TriggerStatus.SKIPPED_PAUSED}


def outcome_when_due(status: str, comes_again: bool = True) -> str:
    """What a declined start means for a moment that has just come.

    The run after a pause reaches back over the ticks in it; a moment that is named only once has no later tick
    that could, so it waits for the end of the pause.
    """
    return DEFERRED if status in (_WAITS_WHEN_DUE if comes_again else _WAITS_ON) else status


def outcome_when_waiting(status: str) -> str:
    """What a declined start means for a tick that waits already."""
    return DEFERRED if status in _WAITS_ON else status


def outcome_of_earlier(later: str) -> str:
    """What becomes of moments that a later tick takes over: they share its fate.

    When that one runs, or waits and will reach back when it runs, they are covered. Otherwise nothing covers them
    yet, and they were not started for the reason that it was not.
    """
    return COVERED if later in (TRIGGERED, DEFERRED, COVERED) else later
