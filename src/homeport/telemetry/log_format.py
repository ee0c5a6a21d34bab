"""How the server's own log looks: readable lines on a terminal, JSON lines elsewhere."""

import logging
import sys

import structlog
from structlog.typing import EventDict


def configure(log_format: str) -> None:
    """`auto` takes console on a terminal and json otherwise."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    renderer = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=20)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *([] if as_json else [_readable]),  # JSON escapes by itself
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _readable(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Text of others cannot move the cursor, set colours or turn the direction of writing: it is shown escaped."""
    return {name: _escaped(value) if isinstance(value, str) else value for name, value in event.items()}


def _escaped(text: str) -> str:
    # lines are kept: a traceback has them, and in other values the renderer shows them escaped
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)
