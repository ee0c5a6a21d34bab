"""The ledger: no operation of the SDK without a test, and no mark without an operation."""

from .ledger import covered, operations


def test_the_sdk_is_looked_at_and_has_operations() -> None:
    assert {"Jobs.list", "JobRun.wait", "Runtime.me", "Variables.apply"} <= operations()


def test_every_operation_of_the_sdk_is_covered() -> None:
    assert operations() - covered("sdk") == set()


def test_no_mark_names_an_operation_that_the_sdk_does_not_have() -> None:
    assert covered("sdk") - operations() == set()
