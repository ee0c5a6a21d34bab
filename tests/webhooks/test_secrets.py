"""Who may see and renew how a job is called."""

import pytest

from homeport.contract.lists import ListQuery
from homeport.errors import BadRequest, Conflict, NotAllowed
from homeport.operations import auditing, webhooks

from ..world import World
from .conftest import HookDoors, issue


def test_a_job_gets_its_address_with_its_first_secret(world: World) -> None:
    world.deploy_jobs(("a", "webhook:"))
    job_id = world.current("a").job.id
    before = webhooks.show(world.platform, world.alice, world.workspace.id, job_id)
    assert (before.urls, before.issued_at) == ([], None)
    made = issue(world)
    after = webhooks.show(world.platform, world.alice, world.workspace.id, job_id)
    assert after.urls == made.urls
    assert after.issued_at == world.clock.now()
    assert "secret" not in after.model_dump()
    assert made.secret.startswith("whsec_")


def test_a_secret_is_replaced_only_when_that_is_asked_for(world: World) -> None:
    world.deploy_jobs(("a", "webhook:"))
    issue(world)
    with pytest.raises(Conflict, match="replace"):
        issue(world)
    issue(world, replace=True)
    entries = auditing.page(world.platform, world.alice, world.alice.organization_id, ListQuery()).items
    assert [entry.target for entry in entries if entry.action == "webhook.secret"] == ["jobs.a", "jobs.a"]


def test_a_job_without_webhook_trigger_gets_none(world: World) -> None:
    world.deploy_jobs(("a", "every:1h"))
    with pytest.raises(BadRequest, match="webhook trigger"):
        issue(world)


@pytest.mark.parametrize(("role", "status"), [("owner", 200), ("developer", 200), ("viewer", 403)])
def test_owners_and_developers_may(world: World, doors: HookDoors, role: str, status: int) -> None:
    world.deploy_jobs(("a", "webhook:"))
    key = world.key_of(world.invite(f"{role}@homeport", role))
    path = f"{doors.ws}/jobs/{world.current('a').job.id}/webhook"
    assert doors.get(path, key).status_code == status
    assert doors.post(f"{path}/-issue-secret", key, json={}).status_code == status


def test_a_viewer_is_refused_by_the_operation_itself(world: World) -> None:
    world.deploy_jobs(("a", "webhook:"))
    viewer = world.invite("v@homeport", "viewer")
    with pytest.raises(NotAllowed):
        webhooks.issue_secret(world.platform, viewer, world.workspace.id, world.current("a").job.id, False)
