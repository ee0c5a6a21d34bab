"""What a change of variables must be like before anything is changed: every fault is named, none is half done."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from homeport.contract.variables import (
    MAX_NAME_CHARS,
    NODE_NAMES,
    RESERVED_NAMES,
    RESERVED_PREFIXES,
    PlainVariableUpsert,
    SecretVariableUpsert,
    UpdateWorkspaceVariablesRequest,
)
from homeport.errors import BadRequest

MAX_VALUE_BYTES = 64 * 1024
"""Linux takes no single variable of 128 KiB or more."""
MAX_SCOPE_BYTES = 512 * 1024
"""Two scopes make at most 1 MiB of the 2 MiB that Linux grants a process for arguments and variables."""

_NAME = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{MAX_NAME_CHARS - 1}}}")
_PROFILE = re.compile(r"[\w.-]{1,100}")
_SHOWN_CHARS = 60


@dataclass(frozen=True)
class _Fault:
    code: str
    words: str


def check_profile(profile: str | None) -> None:
    """The name of a scope; whether the workspace has such a profile is not asked: it may come later."""
    if profile is not None and not _PROFILE.fullmatch(profile):
        raise BadRequest(
            "This is no name of a profile: give letters, digits, '_', '-' and '.', at most 100 of them; or null "
            "for the whole workspace.",
            code="invalid_profile",
        )


def check_change(request: UpdateWorkspaceVariablesRequest) -> None:
    check_profile(request.profile)
    if not request.upserts and not request.deletes:
        raise BadRequest("Nothing to do: name variables in `upserts` or `deletes`.", code="nothing_to_do")
    faults = [*_faults_of_names(request), *(fault for upsert in request.upserts for fault in _faults(upsert))]
    if faults:
        raise BadRequest(
            f"Nothing was changed: {faults[0].words}" if len(faults) == 1 else "Nothing was changed:",
            code=faults[0].code,
            reasons=[fault.words for fault in faults] if len(faults) > 1 else (),
        )


def check_room(sizes: Iterator[int]) -> None:
    """`sizes` are those of all names and values that the scope would hold."""
    total = sum(sizes)
    if total > MAX_SCOPE_BYTES:
        raise BadRequest(
            f"Nothing was changed: the variables of this scope would have {total} bytes together, and at most "
            f"{MAX_SCOPE_BYTES} can be given to a process. Put large values into files of the workspace.",
            code="too_many_variables",
        )


def _faults_of_names(request: UpdateWorkspaceVariablesRequest) -> Iterator[_Fault]:
    counted = Counter(upsert.name for upsert in request.upserts)
    for name in sorted(name for name, count in counted.items() if count > 1):
        yield _Fault("named_twice", f"{_shown(name)} is set twice; say once what it shall be.")
    for name in sorted(set(counted) & set(request.deletes)):
        yield _Fault("named_twice", f"{_shown(name)} is both set and deleted; say which of the two.")


def _faults(upsert: PlainVariableUpsert | SecretVariableUpsert) -> Iterator[_Fault]:
    name = _shown(upsert.name)
    if not _NAME.fullmatch(upsert.name):
        yield _Fault(
            "invalid_name",
            f"{name} is no name of an environment variable: use letters, digits and underscores, no digit first, "
            f"at most {MAX_NAME_CHARS} characters.",
        )
    if (rule := _reserved_by(upsert.name)) is not None:
        yield _Fault("reserved_name", f"{name} is reserved: {rule}.")
    # from here on never the value itself: it may be a secret
    if upsert.type == "secret" and not upsert.value:
        yield _Fault("empty_secret", f"{name} is a secret and must not be empty; delete it instead.")
    if "\0" in upsert.value:
        yield _Fault("invalid_value", f"{name} has a null character in its value, which no process can be given.")
    if len(upsert.value.encode()) > MAX_VALUE_BYTES:
        yield _Fault(
            "value_too_large",
            f"{name} has a value of more than {MAX_VALUE_BYTES} bytes. Put it into a file of the workspace.",
        )


def _reserved_by(name: str) -> str | None:
    if name in RESERVED_NAMES | NODE_NAMES:
        return "the server sets it for every run"
    prefix = next((prefix for prefix in RESERVED_PREFIXES if name.startswith(prefix)), None)
    return None if prefix is None else f"all names that start with {prefix} belong to the server"


def _shown(name: str) -> str:
    return repr(name if len(name) <= _SHOWN_CHARS else name[:_SHOWN_CHARS] + "…")
