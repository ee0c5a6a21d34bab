"""The one way a preparation fails."""

from __future__ import annotations


class SetupFailed(Exception):
    """The run cannot be started; the message is one line for the person who started it."""
