"""The public link of a job's app and its terms; it is made with `-publish` (`control.py`)."""

from uuid import UUID

from homeport.api.asking import ByKey
from homeport.contract.public_links import PublicLinkResponse, UpdatePublicLinkRequest
from homeport.operations import public_links


def get_public_link(asking: ByKey, workspace_id: UUID, job_id: UUID) -> PublicLinkResponse:
    return public_links.show(asking.platform, asking.principal, workspace_id, job_id)


def change_public_link(
    asking: ByKey, workspace_id: UUID, job_id: UUID, request: UpdatePublicLinkRequest
) -> PublicLinkResponse:
    return public_links.change(asking.platform, asking.principal, workspace_id, job_id, request)
