"""The address that dlt inside of a run reports to is a secret of that run: whoever knows it may report for it.

Derived, not stored: `<run id>.<HMAC over it>`. Whether the run is still on is the caller's question.
"""

import base64
import hmac
from uuid import UUID

from homeport.errors import NotSignedIn


class BeaconTokens:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def of_run(self, run_id: UUID) -> str:
        proof = hmac.digest(self._key, run_id.bytes, "sha256")
        return f"{run_id.hex}.{base64.urlsafe_b64encode(proof).decode().rstrip('=')}"

    def run_of(self, token: str) -> UUID:
        """The run that a token was made for; `NotSignedIn` for any other text."""
        name, _, _ = token.partition(".")
        try:
            run_id = UUID(hex=name)
        except ValueError:
            run_id = None
        if run_id is None or not hmac.compare_digest(self.of_run(run_id).encode(), token.encode()):
            raise NotSignedIn("This is not the address of a run's reports.", code="unknown_beacon")
        return run_id
