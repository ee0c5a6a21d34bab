"""A run together with its job, as `GET job-runs` answers it (wire contract §11.3)."""

from homeport.contract.jobs import JobResponse, JobVersionResponse
from homeport.contract.runs import JobRunResponse


class DetailedJobRunResponse(JobRunResponse):
    job: JobResponse
    job_version: JobVersionResponse
