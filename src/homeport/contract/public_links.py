"""The public link of a job's app, and its terms. Homeport's own."""

from datetime import datetime
from uuid import UUID

from pydantic import AwareDatetime, Field

from homeport.contract.base import MAX_NAME_CHARS, Model


class PublicLinkResponse(Model):
    job_id: UUID
    job_ref: str
    public_url: str | None
    """None where the job is not published; then there are no terms either."""
    expires_at: datetime | None
    """From then on it leads nowhere; null: never."""
    has_password: bool
    views: int
    """How often it was opened."""


class UpdatePublicLinkRequest(Model):
    """A key that is left out keeps what is there."""

    expires_at: AwareDatetime | None = None
    """Null: the link does not end."""
    password: str | None = Field(default=None, max_length=MAX_NAME_CHARS, repr=False)
    """Never shown again; null: none is asked for."""
