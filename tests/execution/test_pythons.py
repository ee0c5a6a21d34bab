"""What can be had is told by uv, with the settings that builds have."""

import os
import sys
from pathlib import Path

import pytest

from homeport.execution import pythons

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
UV = pythons.find_uv() or "uv"


def test_the_one_that_runs_this_can_be_had() -> None:
    assert pythons.is_to_be_had(HERE, UV)


def test_one_that_uv_could_download_can_be_had() -> None:
    assert pythons.is_to_be_had("3.14", UV)


@pytest.mark.parametrize("version", ["3.99", "2.7", "--offline", "python", "/usr/bin/python3", ""])
def test_one_that_nobody_knows_cannot(version: str) -> None:
    assert not pythons.is_to_be_had(version, UV)


def test_downloads_that_are_turned_off_do_not_count(tmp_path: Path) -> None:
    settings = {
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PYTHON_PREFERENCE": "only-managed",
        "UV_PYTHON_INSTALL_DIR": str(tmp_path),
    }
    assert not pythons.is_to_be_had(HERE, UV, {**os.environ, **settings})


@pytest.mark.parametrize("uv", ["/nowhere/uv", "/bin/false", "/bin/echo"])
def test_where_uv_does_not_tell_nothing_is_certain(uv: str) -> None:
    assert pythons.is_to_be_had("3.99", uv)
