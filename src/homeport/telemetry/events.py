"""Every event of the server: its name, its level and what it means. Code says what happened; this decides how
it looks.

    events.emit(RUN_ENDED, run=…, status=…)
"""

import logging
from dataclasses import dataclass
from typing import Any

import structlog


@dataclass(frozen=True)
class Event:
    """Something that happened, with the sentence that tells it."""

    name: str
    level: int
    meaning: str


SERVER_STARTED = Event("server_started", logging.INFO, "Homeport is up")
SERVER_STOPPED = Event("server_stopped", logging.INFO, "Homeport has stopped")
SERVICE_FAILED = Event("service_failed", logging.ERROR, "a background service failed and tries again")
DEPLOYED = Event("deployed", logging.INFO, "a manifest was deployed")
PACKAGE_UPLOADED = Event("package_uploaded", logging.INFO, "a new version was uploaded")
VARIABLES_CHANGED = Event("variables_changed", logging.INFO, "variables of a workspace were set or removed")
PACKAGE_REFUSED = Event("package_refused", logging.WARNING, "an upload was refused")
RUN_CREATED = Event("run_created", logging.INFO, "a run waits to be started")
RUN_NOT_STARTED = Event("run_not_started", logging.INFO, "a start was declined")
RUN_SUBMITTED = Event("run_submitted", logging.INFO, "a run was given to the engine")
RUN_RESUBMITTED = Event(
    "run_resubmitted", logging.WARNING, "nobody claimed a run; it was given to the engine again"
)
RUN_STARTED = Event("run_started", logging.INFO, "a run's process lives")
RUN_CANCEL_ASKED = Event("run_cancel_asked", logging.INFO, "somebody wants a run to stop")
RUN_ENDED = Event("run_ended", logging.INFO, "a run is over")
RUN_RETRIED = Event("run_retried", logging.WARNING, "an attempt of a run ended, and another one follows")
APP_IDLE = Event("app_idle", logging.INFO, "an app that nobody uses was asked to stop")
PROXY_FAILED = Event("proxy_failed", logging.ERROR, "a visit of an app hit a fault of ours")
RUN_LOST = Event("run_lost", logging.WARNING, "a run's runner is gone without a word")
LOGS_REMOVED = Event("logs_removed", logging.INFO, "logs were removed that have been kept long enough")
ENVIRONMENTS_REMOVED = Event(
    "environments_removed", logging.INFO, "environments were removed that no run has used of late"
)
WATCH_SLEPT = Event("watch_slept", logging.WARNING, "the server slept, or its clock jumped: silence counts anew")
ATTEMPT_KILLED = Event("attempt_killed", logging.WARNING, "the engine was asked to kill a runner")
TICK_NOT_STARTED = Event("tick_not_started", logging.INFO, "a scheduled moment passed without a run")
CANNOT_ANSWER = Event("cannot_answer", logging.WARNING, "a request or a runner was told to come again later")
REQUEST_FAILED = Event("request_failed", logging.ERROR, "a request hit a fault of ours")
WORKSPACE_CHANGED = Event("workspace_changed", logging.INFO, "a workspace was archived or came back")
JOB_CHANGED = Event("job_changed", logging.INFO, "a job was paused, archived, published, or came back")
WORKSPACE_CREATED = Event("workspace_created", logging.INFO, "a workspace was created")
SIGNED_IN = Event("signed_in", logging.INFO, "somebody signed in with a browser")
SIGN_IN_REFUSED = Event("sign_in_refused", logging.WARNING, "a password was not right")
PROVIDER_SIGN_IN_REFUSED = Event(
    "provider_sign_in_refused", logging.WARNING, "a sign-in with an identity provider was refused"
)
PROVIDER_FAILED = Event("provider_failed", logging.WARNING, "an identity provider did not answer as it should")
MAIL_FAILED = Event("mail_failed", logging.WARNING, "a mail could not be sent")
LOGGED_IN = Event("logged_in", logging.INFO, "somebody's command line was let in")
REFRESH_TOKEN_REUSED = Event(
    "refresh_token_reused", logging.WARNING, "a used refresh token came again, and its login was ended"
)
MEMBERS_CHANGED = Event("members_changed", logging.INFO, "somebody's place or role was changed")
KEY_CREATED = Event("key_created", logging.INFO, "an API key was made")
KEY_REVOKED = Event("key_revoked", logging.INFO, "an API key was revoked")

_log = structlog.get_logger("homeport")


def emit(event: Event, **data: Any) -> None:
    """Tell an event. No secrets in `data`: it goes to the log as it is."""
    _log.log(event.level, event.name, **data)
