"""Is the process alive, and can it serve: for load balancers, scripts and `homeport connect`."""

from collections.abc import Callable

from fastapi import Request
from fastapi.responses import JSONResponse

import homeport
from homeport.errors import HomeportError


def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok", "service": "homeport", "version": homeport.__version__}


def readyz(request: Request) -> JSONResponse:
    """Database, storage, background services and engine answer; 503 names those that do not."""
    checks: dict[str, Callable[[], None]] = request.app.state.readiness
    results = {name: _result(check) for name, check in checks.items()}
    is_ready = all(result == "ok" for result in results.values())
    return JSONResponse(
        {"status": "ok" if is_ready else "unavailable", "checks": results}, 200 if is_ready else 503
    )


def _result(check: Callable[[], None]) -> str:
    try:
        check()
    except HomeportError as error:
        return error.message
    except Exception as error:  # a fault of its own must not hide how the others are
        return f"It cannot be told: {type(error).__name__}."
    return "ok"
