"""What owners can do with variables, and what is refused: all of a change happens, or nothing."""

from typing import Any

import pytest

from homeport.contract.variables import NODE_NAMES, RESERVED_NAMES, RESERVED_PREFIXES
from homeport.errors import BadRequest, NotAllowed, NotFound, Unavailable
from homeport.execution import launches
from homeport.operations.variable_checks import MAX_VALUE_BYTES
from homeport.store import audit_log, workspaces
from homeport.store import variables as stored

from ..builders import at_once
from ..execution.test_launches import order as launch_order
from ..world import World
from .conftest import Variables


def test_a_plain_value_is_shown_and_a_secret_never(vars_: Variables) -> None:
    assert vars_.change({"COLOUR": "green"}, {"PASSWORD": "hunter2"}) == {
        "COLOUR": "upserted",
        "PASSWORD": "upserted",
    }
    [scope] = vars_.show().scopes
    seen = {item.name: (item.type, item.value) for item in scope.variables}
    assert seen == {"COLOUR": ("plain", "green"), "PASSWORD": ("secret", None)}
    assert vars_.of_run() == {"COLOUR": "green", "PASSWORD": "hunter2"}


def test_values_of_any_kind_come_back_as_they_were_set(vars_: Variables) -> None:
    values = {"EMPTY": "", "LINES": "a\nb\r\n\tc", "WORDS": "Obst läden 🍏", "QUOTED": "'$HOME' \"x\" \\n = #"}
    vars_.change(values)
    assert vars_.of_run() == values


def test_all_scopes_come_workspace_first_then_those_that_hold_something(vars_: Variables) -> None:
    assert [(scope.profile, scope.variables) for scope in vars_.show().scopes] == [(None, [])]
    vars_.change({"B": "1", "A": "1"}, profile="prod")
    vars_.change({"C": "1"}, profile="access")
    scopes = vars_.show().scopes
    assert [(scope.profile, [item.name for item in scope.variables]) for scope in scopes] == [
        (None, []),
        ("access", ["C"]),
        ("prod", ["A", "B"]),
    ]


def test_one_scope_is_shown_alone_and_may_be_empty(vars_: Variables) -> None:
    vars_.change({"A": "of the workspace"})
    vars_.change({"A": "of prod"}, profile="prod")
    for profile, is_workspace_scope, value in ((None, True, "of the workspace"), ("prod", False, "of prod")):
        [scope] = vars_.show(profile, is_workspace_scope).scopes
        assert (scope.profile, [item.value for item in scope.variables]) == (profile, [value])
    [empty] = vars_.show("staging").scopes
    assert (empty.profile, empty.variables) == ("staging", [])
    with pytest.raises(BadRequest, match="not both"):
        vars_.show("prod", is_workspace_scope=True)


def test_a_profile_wins_over_the_workspace(vars_: Variables) -> None:
    vars_.change({"A": "1", "B": "1"})
    vars_.change({"B": "2", "C": "2"}, profile="prod")
    assert vars_.of_run("prod") == {"A": "1", "B": "2", "C": "2"}
    assert vars_.of_run("access") == {"A": "1", "B": "1"}


def test_who_made_a_variable_stays_and_who_changed_it_is_told(vars_: Variables, world: World) -> None:
    vars_.change({"A": "1"})
    made_at = world.clock.now()
    bob = world.invite("bob@here", "owner")
    world.advance(hours=1)
    vars_.change(secret={"A": "2"}, by=bob)
    [item] = vars_.show().scopes[0].variables
    assert (item.type, item.value) == ("secret", None)
    assert (item.created_by, item.created_at) == (world.alice.member_id, made_at)
    assert (item.updated_by, item.updated_at) == (bob.member_id, world.clock.now())


def test_deleting_tells_of_each_name_what_became_of_it(vars_: Variables) -> None:
    vars_.change({"A": "1", "B": "1"})
    vars_.change({"A": "1"}, profile="prod")
    assert vars_.change({"C": "1"}, deletes=("A", "NEVER", "A", "\0")) == {
        "C": "upserted",
        "A": "removed",
        "NEVER": "not_found",
        "\0": "not_found",
    }
    assert vars_.values() == {(None, "B"): "1", (None, "C"): "1", ("prod", "A"): "1"}


def test_one_bad_name_changes_nothing(vars_: Variables, world: World) -> None:
    vars_.change({"KEPT": "1", "DOOMED": "1"})
    with pytest.raises(BadRequest) as refused:
        vars_.change({"KEPT": "2", "NEW": "2", "PATH": "2", "no good": "2"}, deletes=("DOOMED",))
    assert len(refused.value.reasons) == 2
    assert vars_.values() == {(None, "KEPT"): "1", (None, "DOOMED"): "1"}


RESERVED = [*RESERVED_NAMES, *NODE_NAMES, *(f"{prefix}X" for prefix in RESERVED_PREFIXES), *RESERVED_PREFIXES]


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_names_that_the_server_owns_are_refused_with_the_rule(vars_: Variables, name: str) -> None:
    with pytest.raises(BadRequest, match="reserved") as refused:
        vars_.change({name: "x"}, profile="prod")
    assert refused.value.code == "reserved_name"
    assert name in refused.value.message
    assert vars_.values() == {}


@pytest.mark.parametrize("name", ["path", "MY_PATH", "RUNTIME__LOG_LEVEL", "_", "a1", "X" * 200])
def test_names_that_only_look_reserved_or_odd_are_fine(vars_: Variables, name: str) -> None:
    assert vars_.change({name: "x"}) == {name: "upserted"}


def plain(name: str, value: str = "x") -> dict[str, str]:
    return {"type": "plain", "name": name, "value": value}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "nothing_to_do"),
    "an empty name": ({"upserts": [plain("")]}, "invalid_name"),
    "a digit first": ({"upserts": [plain("1A")]}, "invalid_name"),
    "an equals sign": ({"upserts": [plain("A=B")]}, "invalid_name"),
    "a line end": ({"upserts": [plain("A\n")]}, "invalid_name"),
    "a null in a name": ({"upserts": [plain("A\0")]}, "invalid_name"),
    "a foreign letter": ({"upserts": [plain("Ä")]}, "invalid_name"),
    "a long name": ({"upserts": [plain("X" * 201)]}, "invalid_name"),
    "a null in a value": ({"upserts": [plain("A", "a\0b")]}, "invalid_value"),
    "a large value": ({"upserts": [plain("A", "ä" * (MAX_VALUE_BYTES // 2 + 1))]}, "value_too_large"),
    "an empty secret": ({"upserts": [{"type": "secret", "name": "A", "value": ""}]}, "empty_secret"),
    "set twice": ({"upserts": [plain("A"), {"type": "secret", "name": "A", "value": "y"}]}, "named_twice"),
    "set and deleted": ({"upserts": [plain("A")], "deletes": ["A"]}, "named_twice"),
    "too much": ({"upserts": [plain(f"A{n}", "x" * MAX_VALUE_BYTES) for n in range(9)]}, "too_many_variables"),
    "an empty profile": ({"profile": "", "upserts": [plain("A")]}, "invalid_profile"),
    "a path as a profile": ({"profile": "../prod", "upserts": [plain("A")]}, "invalid_profile"),
    "a null in a profile": ({"profile": "a\0", "deletes": ["A"]}, "invalid_profile"),
    "a long profile": ({"profile": "x" * 101, "upserts": [plain("A")]}, "invalid_profile"),
}


@pytest.mark.parametrize(("request_", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_is_refused_with_a_reason(vars_: Variables, request_: dict[str, Any], code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        vars_.ask({"profile": None, **request_})
    assert refused.value.code == code
    assert len(refused.value.message) < 300
    assert vars_.values() == {}


def test_a_refusal_never_repeats_a_value(vars_: Variables) -> None:
    with pytest.raises(BadRequest) as refused:
        vars_.change(secret={"PATH": "hunter2", "A": "hunter2\0", "B": "hunter2" * MAX_VALUE_BYTES})
    assert len(refused.value.reasons) == 3
    assert "hunter2" not in refused.value.message + "".join(refused.value.reasons)


@pytest.mark.parametrize("role", ["developer", "viewer"])
def test_only_owners_see_and_change_variables(vars_: Variables, world: World, role: str) -> None:
    bob = world.invite("bob@here", role)
    with pytest.raises(NotAllowed, match=role):
        vars_.change({"A": "1"}, by=bob)
    with pytest.raises(NotAllowed, match=role):
        vars_.show(by=bob)
    charlie, _ = world.stranger()
    with pytest.raises(NotFound):
        vars_.show(by=charlie)
    assert vars_.values() == {}


def test_an_archived_workspace_can_still_be_cleared_of_secrets(vars_: Variables, world: World) -> None:
    vars_.change(secret={"A": "1"})
    with world.database.write() as tx:
        tx.execute(workspaces.table.update().values(archived_at=world.clock.now()))
    assert vars_.values() == {(None, "A"): None}
    assert vars_.change(deletes=("A",)) == {"A": "removed"}


def test_a_run_is_launched_with_what_is_set_when_it_starts(vars_: Variables, world: World) -> None:
    world.deploy_jobs(("a",))
    vars_.change({"COLOUR": "green"}, {"PASSWORD": "hunter2"})
    run = world.start("a")
    vars_.change({"COLOUR": "red"}, profile="prod")
    launch = world.claim(run).launch
    assert (launch.variables["COLOUR"], launch.variables["PASSWORD"]) == ("red", "hunter2")
    assert launch.variables["WORKSPACE__PROFILE"] == "prod"
    assert "hunter2" not in repr(launch.command)


def test_what_the_server_sets_wins_over_any_variable(world: World) -> None:
    stray = dict.fromkeys(("RUNTIME__RUN_ID", "WORKSPACE__PROFILE", "RUNTIME__DLTHUB_TELEMETRY"), "of somebody")
    order = launch_order(variables=stray | {"MARIMO__ASSET_URL": "https://assets"})
    variables = launches.compose(order, "session", "digest").variables
    assert "of somebody" not in variables.values()
    assert variables["MARIMO__ASSET_URL"] == "https://assets"  # a default of ours, not reserved
    assert "of somebody" not in repr(order)


def test_a_secret_that_is_marked_plain_in_the_database_is_not_shown(vars_: Variables, world: World) -> None:
    vars_.change(secret={"PASSWORD": "hunter2"})
    with world.database.write() as tx:
        tx.execute(stored.table.update().values(kind="plain"))
    with pytest.raises(Unavailable, match="PASSWORD"):
        vars_.show()


def test_the_audit_log_tells_names_and_never_values(vars_: Variables, world: World) -> None:
    vars_.change({"COLOUR": "hunter2-plain"}, {"PASSWORD": "hunter2"}, profile="prod")
    with pytest.raises(BadRequest):
        vars_.change({"PATH": "x"})
    with world.database.read() as tx:
        entries, _ = audit_log.page(tx, world.alice.organization_id, limit=100, offset=0, cap=100)
    [entry] = [entry for entry in entries if entry.action == "variables.change"]
    assert (entry.target, entry.workspace_id) == ("the profile prod", world.workspace.id)
    assert entry.detail == {"upserted": ["COLOUR", "PASSWORD"], "removed": []}


def test_changes_at_once_leave_one_value_of_each_name(vars_: Variables) -> None:
    at_once(4, lambda number: vars_.change({"A": str(number), f"B{number}": "x"}))
    assert {name for _, name in vars_.values()} == {"A", "B0", "B1", "B2", "B3"}
