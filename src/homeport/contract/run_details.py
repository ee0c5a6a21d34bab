"""A run together with its job, as `GET job-runs` answers it (wire contract §11.3)."""

from homeport.contract.jobs import JobResponse, JobVersionResponse
from homeport.contract.runs import DownstreamJobRunResponse, JobRunResponse


class DetailedJobRunResponse(JobRunResponse):
    job: JobResponse
    job_version: JobVersionResponse
    downstream_job_runs: list[DownstreamJobRunResponse] | None = None
    """Runs that this run's outcome started, newest first; only when asked for."""
