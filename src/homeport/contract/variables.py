"""Environment variables that a workspace's runs get (wire contract §8.2, §8.3, §11.2)."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from homeport.contract.base import Model

MAX_NAME_CHARS = 200
MAX_CHANGES = 1_000
"""Variables of one request, and of one scope."""

RESERVED_NAMES = frozenset(
    {
        "DASHBOARD__SYNC_FROM_RUNTIME",
        "HOME",
        "PATH",
        "PORT",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "RUNTIME__API_BASE_URL",
        "RUNTIME__AUTH_TOKEN",
        "RUNTIME__DATAPLANE_BASE_URL",
        "RUNTIME__ORGANIZATION_ID",
        "RUNTIME__RUN_ID",
        "RUNTIME__WORKSPACE_ID",
        "WORKSPACE__PROFILE",
    }
)
"""Names that the platform owns (wire contract §8.3)."""

RESERVED_PREFIXES = (
    "SEND__ARTIFACTS__",
    "SYNC__ARTIFACTS__",
    "DESTINATION__PLAYGROUND__",
    "RUNTIME__DLTHUB_",
    "HOMEPORT_WEBHOOK_",
)

NODE_NAMES = frozenset({"TMPDIR", "VIRTUAL_ENV", "WORKSPACE__SETTINGS__LOCAL_DIR"})
"""Names that our runner sets by what it finds on its node; another value would be lost without a word."""


def _whole(text: str) -> str:
    """JSON can write half a character, which nothing can store; the error of an encoder would quote the value."""
    if text != text.encode(errors="replace").decode():
        raise ValueError("half a character, which is no text")
    return text


# taken in up to here; the true limits are told in words that name the variable
_Name = Annotated[str, Field(max_length=1_000), AfterValidator(_whole)]
_Value = Annotated[str, Field(max_length=1024 * 1024), AfterValidator(_whole)]

VariableKind = Literal["plain", "secret"]
VariableChangeStatus = Literal["upserted", "removed", "not_found"]


class PublicVariable(Model):
    name: str
    type: VariableKind
    value: str | None
    """Null for a secret, always."""
    created_at: datetime
    created_by: UUID
    """Organization membership of the author."""
    updated_at: datetime
    updated_by: UUID


class ScopeVariablesResponse(Model):
    profile: str | None
    """Null: the scope of the whole workspace."""
    variables: list[PublicVariable]


class WorkspaceVariablesResponse(Model):
    scopes: list[ScopeVariablesResponse]
    """The whole workspace first, then each profile that has any."""


class PlainVariableUpsert(Model):
    type: Literal["plain"]
    name: _Name
    value: _Value
    """May be empty: the variable is then set, and empty."""


class SecretVariableUpsert(Model):
    type: Literal["secret"]
    name: _Name
    value: _Value = Field(repr=False)
    """Not empty; never shown again."""


VariableUpsert = Annotated[PlainVariableUpsert | SecretVariableUpsert, Field(discriminator="type")]


class UpdateWorkspaceVariablesRequest(Model):
    """Changes of one scope: all of them, or none."""

    profile: _Name | None
    upserts: list[VariableUpsert] = Field(default_factory=list, max_length=MAX_CHANGES)
    deletes: list[_Name] = Field(default_factory=list, max_length=MAX_CHANGES)


class VariableChangeResult(Model):
    name: str
    status: VariableChangeStatus


class UpdatedVariablesResponse(Model):
    results: list[VariableChangeResult]
    """One for each name, in the order they were asked for."""
