"""Who is let in to which app. Answers are remembered for a moment, for a page of a hundred files is one visit."""

import time
from collections import OrderedDict

from starlette.concurrency import run_in_threadpool

from homeport.operations import app_visits
from homeport.operations.app_visits import AppState, Shown, Visitor
from homeport.operations.platform import Platform

Admitted = tuple[AppState, Visitor | None]

REMEMBERED_SECONDS = 2.0
"""So long after a link was revoked, or somebody was removed, requests may still pass."""
_MOST = 4096


class Gate:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._remembered: OrderedDict[tuple[str, Shown], tuple[float, Admitted]] = OrderedDict()

    async def admit(self, name: str, shown: Shown, address: str, *, afresh: bool = False) -> Admitted:
        """The app and the visitor; `NotFound`, `NotAllowed` as `app_visits.admit`."""
        key, now = (name, shown), time.monotonic()
        known = self._remembered.get(key)
        if known is not None and not afresh and now - known[0] < REMEMBERED_SECONDS:
            return known[1]
        self._remembered.pop(key, None)
        admitted = await run_in_threadpool(app_visits.admit, self._platform, name, shown, address)
        state, visitor = admitted
        # what changes at any moment, or is shown by whoever guesses, is looked up each time
        if visitor is not None and state.is_serving:
            self._remembered[key] = (now, admitted)
            if len(self._remembered) > _MOST:
                self._remembered.popitem(last=False)
        return admitted
