"""A real Chromium that knows nothing of anybody."""

import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import Page, Request, sync_playwright

from .servers import Homeport

LOADED_MS = 60_000


@contextmanager
def browser(inside: tuple[str, ...] = ()) -> Iterator[Page]:
    """One page; whatever it loads from anywhere but this machine fails the test. `inside`: the start of a command
    that runs in the network where it is to be."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        missing = "apps are looked at with Chromium: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    outside: list[Request] = []
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        started = Path(folder) / "chromium"
        started.write_text(f'#!/bin/sh\nexec {shlex.join([*inside, program])} "$@"\n')
        started.chmod(0o700)
        chromium = playwright.chromium.launch(executable_path=started, args=["--no-sandbox"])
        page = chromium.new_page()
        page.set_default_timeout(LOADED_MS)
        page.on("request", lambda request: None if _is_here(request.url) else outside.append(request))
        yield page
        # what the page's policy forbids was asked for, but not sent
        sent = {request.url for request in outside if request.failure != "csp"}
        chromium.close()
    assert sent == set()


def sign_in(page: Page, server: Homeport) -> None:
    """Through the form that is there."""
    page.fill("input[name=api_key]", server.api_key)
    page.locator("form:has(input[name=api_key]) button").click()


def _is_here(url: str) -> bool:
    host = url.partition("://")[2].partition("/")[0].partition(":")[0]
    return url.startswith(("data:", "blob:")) or host == "localhost" or host.endswith(".localhost")
