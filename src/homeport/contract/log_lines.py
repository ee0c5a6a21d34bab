"""Lines of a run's log (wire contract §8.4)."""

from datetime import datetime
from typing import Literal

from homeport.contract.base import Model

IoStream = Literal["stdout", "stderr", "other"]
Source = Literal["user", "setup", "runner"]
Stage = Literal["build", "run"]


class LogLine(Model):
    line_num: int
    """0-based over the whole log."""
    reported_at: datetime
    io_stream: IoStream
    source: Source
    """user: the job's own output; setup: environment and packages; runner: Homeport's remarks."""
    stage: Stage
    content: str
