"""Small makers of what the world sends us: job definitions, packages, requirements."""

import io
import tarfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import yaml

Result = TypeVar("Result")

LAUNCHERS = "dlt._workspace.deployment.launchers"
DEADLINE_SECONDS = 20.0


def definition(name: str, *triggers: str, **parts: Any) -> dict[str, Any]:
    """A job definition as the client sends it. `name` is `section.name` or a plain name."""
    section, _, function = name.rpartition(".")
    return {
        "engine_version": 2,
        "job_ref": f"jobs.{name}",
        "entry_point": {
            "module": section or "shop",
            "function": function,
            "job_type": "batch",
            "launcher": f"{LAUNCHERS}.job",
        },
        "triggers": list(triggers),
        "execute": {},
        "expose": {"manual": True},
        **parts,
    }


def interactive(name: str, **parts: Any) -> dict[str, Any]:
    """A notebook."""
    found = definition(name, "http:", **parts)
    found["entry_point"] |= {"job_type": "interactive", "launcher": f"{LAUNCHERS}.marimo"}
    return found


def requirements(*main: str, **parts: Any) -> dict[str, Any]:
    """A requirements manifest whose workspace depends on `main`."""
    return {
        "engine_version": 2,
        "python_version": "3.11",
        "dlt_version": {"name": "dlt", "extras": [], "version": "1.31.0", "mode": "pypi"},
        "default_groups": ["main"],
        "groups": {"main": list(main)},
        "launcher_requirements": {f"{LAUNCHERS}.job": ["botocore", "s3fs", "dlthub", "dlt==1.31.0"]},
        **parts,
    }


def regular(name: str, content: bytes | str = b"") -> tuple[tarfile.TarInfo, bytes]:
    """A file as a member of an archive."""
    data = content.encode() if isinstance(content, str) else content
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info, data


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    """A symbolic link, or with another `kind` something stranger."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


MANIFEST = regular("manifest.yaml", yaml.safe_dump({"engine_version": 1, "files": []}))


def archive(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """These members and no more, gzipped."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def package(files: Mapping[str, str]) -> bytes:
    """A well-formed package with these files."""
    return archive([*(regular(f"files/{path}", text) for path, text in files.items()), MANIFEST])


def until(condition: Callable[[], object], seconds: float = DEADLINE_SECONDS) -> None:
    """Wait for something that only a look can tell."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.005)


def at_once(count: int, work: Callable[[int], Result]) -> list[Result]:
    """What `work` gives in so many threads that begin together; the first exception is raised here."""
    barrier = threading.Barrier(count)
    results: dict[int, Result] = {}
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait(DEADLINE_SECONDS)
            results[number] = work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    if failures:
        raise failures[0]
    assert len(results) == count, "a thread did not come back"
    return [results[number] for number in range(count)]
