"""Packages: what is unpacked, and what is refused before it does harm."""

from __future__ import annotations

import io
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from homeport_runner.unpack import BadPackage, unpack

from .conftest import Stage, make_package

Member = tuple[tarfile.TarInfo, bytes]


def file(name: str, content: bytes = b"x", mode: int = 0o644) -> Member:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), mode, 1_700_000_000
    return member, content


def special(name: str, kind: bytes, target: str = "") -> Member:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def link(name: str, target: str) -> Member:
    return special(name, tarfile.SYMTYPE, target)


MANIFEST = file("manifest.yaml", b"files: []\n")


@pytest.fixture
def unpacked(tmp_path: Path) -> Callable[..., Path]:
    def build(*members: Member, **limits: int) -> Path:
        archive, folder = tmp_path / "package.tar.gz", tmp_path / "root"
        folder.mkdir()
        with tarfile.open(archive, "w:gz") as tar:
            for member, content in members:
                tar.addfile(member, io.BytesIO(content))
        unpack(archive, folder, **limits)
        return folder

    return build


def test_files_and_links_are_unpacked(unpacked: Callable[..., Path]) -> None:
    root = unpacked(
        link("files/early", "folder/deep/b"),
        file("files/a.py", b"a", 0o755),
        file("files/folder/deep/b", b"b", 0o4000),
        link("files/to-folder", "folder"),
        link("files/folder/up", "../a.py"),
        link("files/dangling", "nowhere"),
        MANIFEST,
    )
    assert (root / "early").read_bytes() == b"b"
    assert (root / "to-folder/up").read_bytes() == b"a"
    assert (root / "dangling").is_symlink()
    assert stat.S_IMODE((root / "a.py").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "folder/deep/b").stat().st_mode) == 0o600
    assert (root / "a.py").stat().st_mtime == 1_700_000_000


def test_a_mode_can_be_laid_down(unpacked: Callable[..., Path]) -> None:
    root = unpacked(file("files/secrets.toml", mode=0o666), MANIFEST, file_mode=0o600)
    assert stat.S_IMODE((root / "secrets.toml").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([file("/etc/x"), MANIFEST], "no path inside"),
        ([file("files//etc/x"), MANIFEST], "no path inside"),
        ([file("files/../x"), MANIFEST], "no path inside"),
        ([file("files/a/../../x"), MANIFEST], "no path inside"),
        ([file("elsewhere/x"), MANIFEST], "no path inside"),
        ([file("files"), MANIFEST], "no path inside"),
        ([special("files/fifo", tarfile.FIFOTYPE), MANIFEST], "neither a file"),
        ([special("files/disk", tarfile.BLKTYPE), MANIFEST], "neither a file"),
        ([special("files/tty", tarfile.CHRTYPE), MANIFEST], "neither a file"),
        ([file("files/a"), special("files/b", tarfile.LNKTYPE, "files/a"), MANIFEST], "neither a file"),
        ([file("files/a"), file("files/a"), MANIFEST], "'a' twice"),
        ([file("files/a"), link("files/a", "b"), MANIFEST], "'a' twice"),
        ([link("files/a", "b"), link("files/a", "b"), MANIFEST], "'a' twice"),
        ([file("files/a"), file("files/a/b"), MANIFEST], "no folder"),
        ([file("files/a/b"), file("files/a"), MANIFEST], "'a' twice"),
        ([link("files/a", "/etc/passwd"), MANIFEST], "leads out"),
        ([link("files/a", ".."), MANIFEST], "leads out"),
        ([link("files/folder/a", "../../root-of-another"), MANIFEST], "leads out"),
        ([link("files/a", "b/.."), link("files/b", "."), MANIFEST], "leads out"),
        ([file("files/d/e/f"), link("files/s", "d/e"), link("files/t", "s/../../.."), MANIFEST], "leads out"),
        ([link("files/a", "b"), file("files/a/through"), MANIFEST], "'a' twice"),
        ([file("files/a")], "missing at its end"),
        ([MANIFEST, file("files/a")], "comes after"),
        ([file("files/a"), file("files/b"), MANIFEST], "more than 2 members"),
        ([file("files/a", b"x" * 101), MANIFEST], "too large"),
    ],
)
def test_a_package_that_is_not_in_order_is_refused(
    unpacked: Callable[..., Path], tmp_path: Path, members: list[Member], why: str
) -> None:
    limits = {"most_members": 2 if "members" in why else 100, "most_bytes": 100}
    with pytest.raises(BadPackage, match=why):
        unpacked(*members, **limits)
    assert {path.name for path in tmp_path.iterdir()} == {"package.tar.gz", "root"}


def test_an_absolute_link_is_refused_even_if_it_leads_inside(
    unpacked: Callable[..., Path], tmp_path: Path
) -> None:
    """It led somewhere else on the machine it comes from."""
    with pytest.raises(BadPackage, match="leads out"):
        unpacked(file("files/b"), link("files/a", str(tmp_path / "root/b")), MANIFEST)


@pytest.mark.parametrize("damage", [lambda d: d[: len(d) // 2], lambda d: b"junk" + d, lambda d: b""])
def test_a_damaged_package_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    archive = tmp_path / "package.tar.gz"
    archive.write_bytes(damage(make_package({"a.py": "print(1)\n" * 2000})))
    (tmp_path / "root").mkdir()
    with pytest.raises(BadPackage):
        unpack(archive, tmp_path / "root")


def test_a_bad_package_fails_the_setup_with_a_reason(stage: Stage) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        tar.addfile(link("files/a", "/etc")[0])
        tar.addfile(MANIFEST[0], io.BytesIO(MANIFEST[1]))
    server = stage.serve(code=data.getvalue())
    exit = stage.run(server)
    assert (exit["cause"], exit["exit_code"]) == ("setup_failed", None)
    assert exit["detail"] == "the code package cannot be used: the link 'a' leads out of the workspace"
    assert server.contents("setup") == [exit["detail"]]
    assert server.pid is None


def test_a_package_with_another_digest_is_not_unpacked(stage: Stage) -> None:
    server = stage.serve("print('x')")
    server.launch["packages"] = {"code": {"sha256": "0" * 64}, "configuration": None}
    exit = stage.run(server)
    assert exit["cause"] == "setup_failed"
    assert "should be 0000" in exit["detail"]


def test_a_pinned_profile_and_odd_settings_folders_have_no_say(stage: Stage) -> None:
    server = stage.serve(
        "import os; print(os.path.exists('.dlt/profile-name'))", files={".dlt/profile-name": "tests"}
    )
    stage.run(server)
    assert server.contents() == ["False"]
    exit = stage.run(stage.serve(files={".dlt": "a file"}))
    assert exit["detail"] == "the code package cannot be used: .dlt is not a folder"
