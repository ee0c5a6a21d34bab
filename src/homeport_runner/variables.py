"""The environment variables of a run, built from nothing.

The runner's own hold whatever the machine's administrator or a cluster put there; none of it is the
run's business but the few that say where the machine's certificates are and what time it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_COPIED = ("TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def variables_of_run(
    own: Mapping[str, str],
    launched: Mapping[str, str],
    environment: Path,
    home: Path,
    temporary: Path,
    storage: Path,
    artifacts: Mapping[str, Path] | None = None,
) -> dict[str, str]:
    """Defaults of the machine, over them the launch's, over them what must be as it is here."""
    return {
        "LANG": "C.UTF-8",
        **{name: own[name] for name in _COPIED if name in own},
        **launched,
        "PATH": f"{environment}/bin:/usr/local/bin:/usr/bin:/bin",
        "VIRTUAL_ENV": str(environment),
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PYTHONUNBUFFERED": "1",
        # dlt uses it as it is; the profile is already part of the storage's name.
        "WORKSPACE__SETTINGS__LOCAL_DIR": str(storage),
        **_of_artifacts(artifacts or {}),
    }


def _of_artifacts(folders: Mapping[str, Path]) -> dict[str, str]:
    """Where dlt puts its artifacts (`SEND`) and finds those of other runs (`SYNC`)."""
    found = {f"{way}__ARTIFACTS__BUCKET_URL": f"file://{folder}" for way, folder in folders.items()}
    # else dlt makes no folders
    return {**found, **{f"{way}__ARTIFACTS__KWARGS": '{"auto_mkdir": true}' for way in folders}}
