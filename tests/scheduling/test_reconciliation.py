"""What a deploy creates, updates, leaves alone and archives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.errors import BadRequest
from homeport.scheduling.reconciliation import Change, DeployedJob, JobDeployOutcome, WantedJob, reconcile

CREATED, UPDATED = JobDeployOutcome.CREATED, JobDeployOutcome.UPDATED
UNCHANGED, ARCHIVED = JobDeployOutcome.UNCHANGED, JobDeployOutcome.ARCHIVED
MODULE = "__deployment__"


def outcome_of(deployed: DeployedJob | None, wanted: WantedJob | None, module: str | None) -> Change | None:
    changes = reconcile([deployed] if deployed else [], [wanted] if wanted else [], module)
    return changes[0] if changes else None


CASES = [
    # deployed (hash, module, archived), wanted hash, deploying module → outcome, owner, new version, unarchived
    (None, "1", MODULE, (CREATED, MODULE, True, False)),
    (None, "1", None, (CREATED, None, True, False)),
    (("1", MODULE, False), "1", MODULE, (UNCHANGED, MODULE, False, False)),
    (("1", MODULE, False), "2", MODULE, (UPDATED, MODULE, True, False)),
    (("1", MODULE, False), None, MODULE, (ARCHIVED, MODULE, False, False)),
    # archived and present again: live, with a version only if it changed
    (("1", MODULE, True), "1", MODULE, (UPDATED, MODULE, False, True)),
    (("1", MODULE, True), "2", MODULE, (UPDATED, MODULE, True, True)),
    (("1", MODULE, True), "1", None, (UPDATED, MODULE, False, True)),
    (("1", MODULE, True), None, MODULE, None),
    # ad-hoc: archives nothing, takes nothing over
    (("1", MODULE, False), None, None, None),
    (("1", None, False), None, None, None),
    (("1", MODULE, False), "2", None, (UPDATED, MODULE, True, False)),
    (("1", None, False), "1", None, (UNCHANGED, None, False, False)),
    # other modules' jobs are left alone, or taken over when named
    (("1", "other", False), None, MODULE, None),
    (("1", None, False), None, MODULE, None),
    (("1", "other", False), "1", MODULE, (UNCHANGED, MODULE, False, False)),
    (("1", None, False), "1", MODULE, (UNCHANGED, MODULE, False, False)),
]


@pytest.mark.parametrize(("deployed", "wanted", "module", "expected"), CASES)
def test_what_becomes_of_one_job(
    deployed: tuple[str, str | None, bool] | None, wanted: str | None, module: str | None, expected: object
) -> None:
    before = DeployedJob("jobs.a", *deployed) if deployed else None
    change = outcome_of(before, WantedJob("jobs.a", wanted) if wanted else None, module)
    found = change and (change.outcome, change.deployment_module, change.is_new_version, change.is_unarchived)
    assert found == expected


def test_wanted_jobs_come_first_and_in_their_order() -> None:
    deployed = [DeployedJob(f"jobs.{name}", "1", MODULE) for name in "xay"]
    wanted = [WantedJob("jobs.b", "1"), WantedJob("jobs.a", "1")]
    found = [(change.job_ref, change.outcome) for change in reconcile(deployed, wanted, MODULE)]
    assert found == [("jobs.b", CREATED), ("jobs.a", UNCHANGED), ("jobs.x", ARCHIVED), ("jobs.y", ARCHIVED)]


def test_a_job_that_is_wanted_twice_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match=r"jobs\.a is in this deploy twice"):
        reconcile([], [WantedJob("jobs.a", "1"), WantedJob("jobs.a", "2")], MODULE)


refs, hashes = st.sampled_from([f"jobs.{name}" for name in "abcd"]), st.sampled_from("12")
modules = st.sampled_from([MODULE, "other", None])
deployments = st.tuples(
    modules,
    st.dictionaries(refs, hashes).map(
        lambda jobs: [*map(WantedJob, *zip(*jobs.items(), strict=True))] if jobs else []
    ),
)


def apply(deployed: list[DeployedJob], changes: list[Change]) -> list[DeployedJob]:
    after = {job.job_ref: job for job in deployed}
    for change in changes:
        is_archived = change.outcome is ARCHIVED
        after[change.job_ref] = DeployedJob(
            change.job_ref, change.definition_hash, change.deployment_module, is_archived
        )
    return list(after.values())


@given(st.lists(deployments, max_size=5))
def test_a_second_deploy_of_the_same_changes_nothing_and_the_first_leaves_what_was_wanted(
    history: list[tuple[str | None, list[WantedJob]]],
) -> None:
    jobs: list[DeployedJob] = []
    for module, wanted in history:
        jobs = apply(jobs, reconcile(jobs, wanted, module))
        live = {job.job_ref: job for job in jobs if not job.is_archived}
        assert all(live[job.job_ref].definition_hash == job.definition_hash for job in wanted)
        if module is not None:
            owned = {job.job_ref for job in live.values() if job.deployment_module == module}
            assert owned == {job.job_ref for job in wanted}
        assert {change.outcome for change in reconcile(jobs, wanted, module)} <= {UNCHANGED}
