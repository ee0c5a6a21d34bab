"""Where dlt inside of a run reports to (wire contract §8.6): a token in the path, a body without content type."""

from typing import Annotated, Literal

from fastapi import Path, Request
from starlette.concurrency import run_in_threadpool

from homeport.api.asking import PlatformOf
from homeport.contract.runner_protocol import Accepted
from homeport.errors import TooLarge
from homeport.operations import beacon


async def take_in(
    request: Request,
    platform: PlatformOf,
    token: Annotated[str, Path(max_length=300)],
    kind: Literal["trace", "state", "job_result"],
) -> Accepted:
    run_id = await run_in_threadpool(beacon.check, platform, token)
    await run_in_threadpool(beacon.take_in, platform, run_id, kind, await _body(request))
    return Accepted()


async def _body(request: Request) -> bytes:
    """Refused while it comes in, not after: a body may be of any length."""
    blocks: list[bytes] = []
    size = 0
    async for block in request.stream():
        size += len(block)
        if size > beacon.MAX_REPORT_BYTES:
            raise TooLarge(f"A report has at most {beacon.MAX_REPORT_BYTES} bytes.", code="report_too_large")
        blocks.append(block)
    return b"".join(blocks)
