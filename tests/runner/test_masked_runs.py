"""A secret that a run prints is neither sent nor written to the runner's disk."""

from __future__ import annotations

import base64

from .conftest import Stage
from .fake_server import SESSION

SECRET = "hunter2-of-the-shop"

PRINTS = f"""
import base64, os, sys, time
secret = {SECRET[:7]!r} + {SECRET[7:]!r}
print("plain", secret)
print("errors", secret, file=sys.stderr)
print("encoded", base64.b64encode(b"user:" + secret.encode()).decode())
os.write(1, b"in two " + secret[:9].encode())
time.sleep(0.1)
os.write(1, secret[9:].encode() + b" writes\\n")
os.write(1, b"x" * 262140 + secret.encode() + b"y" * 300000 + b"\\n")
while not os.path.exists({{told!r}}): time.sleep(0.01)
raise ValueError("cannot log in with " + secret)
"""


def test_a_secret_leaves_no_trace(stage: Stage) -> None:
    told = stage.node / "told"
    server = stage.serve(PRINTS.format(told=str(told)), secrets=[SECRET])
    server.broken.add("lines")
    runner = stage.start(server)
    server.wait(lambda s: s.requests.count("lines") > 3)
    spooled = b"".join(file.read_bytes() for file in (stage.run_folder / "spool").iterdir())
    server.broken.clear()
    server.wait(lambda s: any("yyy" in line for line in s.contents()))
    told.touch()
    assert runner.wait(20) == 0
    contents = server.contents(None)
    assert "plain ***" in contents
    assert "errors ***" in contents
    assert "in two *** writes" in contents
    assert "ValueError: cannot log in with ***" in contents
    everything = "\n".join(contents)
    for form in (SECRET, SESSION, base64.b64encode(b"user:" + SECRET.encode()).decode()[8:-4]):
        assert form not in everything
        assert form.encode() not in spooled


def test_why_a_setup_failed_is_told_without_secrets(stage: Stage) -> None:
    environment = {"key": "broken", "requirements": [f"x @ file:///nowhere/{SECRET}/x-1.0-py3-none-any.whl"]}
    server = stage.serve("print('x')", secrets=[SECRET], environment=environment)
    ending = stage.run(server)
    assert ending["cause"] == "setup_failed"
    assert "***" in ending["detail"]
    assert SECRET not in ending["detail"]
    assert SECRET not in "\n".join(server.contents(None))
