"""What must never be unpacked is refused when it is uploaded, and named."""

import base64
import gzip
import hashlib
import io
import tarfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from dlt._workspace.deployment.package_builder import PackageBuilder, compute_package_content_hash

from homeport.contract import dlt_deployment
from homeport.errors import BadRequest, TooLarge
from homeport.execution import archives

from ..builders import MANIFEST, archive, link, package, regular

MIB = 1024 * 1024
Member = tuple[tarfile.TarInfo, bytes]


def examine(folder: Path, content: bytes, max_bytes: int = 10 * MIB) -> list[dict[str, Any]]:
    path = folder / "archive.tar.gz"
    path.write_bytes(content)
    return archives.examine(path, max_bytes)


def test_files_are_listed_by_path_with_size_and_digest(tmp_path: Path) -> None:
    found = examine(tmp_path, archive([regular("files/b/c.py", "two"), regular("files/a.py"), MANIFEST]))
    digest = base64.b64encode(hashlib.sha3_256(b"two").digest()).decode()
    assert [file["relative_path"] for file in found] == ["a.py", "b/c.py"]
    assert found[1] == {"relative_path": "b/c.py", "size_in_bytes": 3, "sha3_256": digest}


def test_a_link_inside_the_workspace_is_taken_with_the_digest_of_its_target(tmp_path: Path) -> None:
    found = examine(tmp_path, archive([regular("files/a/x"), link("files/b/y", "../a/x"), MANIFEST]))
    assert found[1]["linkname"] == "../a/x"
    assert found[1]["sha3_256"] == base64.b64encode(hashlib.sha3_256(b"../a/x").digest()).decode()


def test_the_archives_own_manifest_is_not_trusted(tmp_path: Path) -> None:
    lies = regular("manifest.yaml", "engine_version: 1\nfiles: [{relative_path: x, size_in_bytes: 9}]")
    assert [file["relative_path"] for file in examine(tmp_path, archive([regular("files/a"), lies]))] == ["a"]


BAD: dict[str, tuple[Sequence[Member], str]] = {
    "a way up": ([regular("files/../evil")], "files/../evil"),
    "a way up in the middle": ([regular("files/a/../../evil")], "plain relative path"),
    "an absolute path": ([regular("/etc/passwd")], "/etc/passwd"),
    "an absolute path below files": ([regular("files//etc/passwd")], "plain relative path"),
    "a file beside files": ([regular("evil.py")], "evil.py"),
    "a backslash": ([regular("files/a\\b")], "characters"),
    "a control character": ([regular("files/a\nb")], "characters"),
    "a very long path": ([regular("files/" + "x" * 2000)], "too long"),
    "a dot": ([regular("files/./a")], "plain relative path"),
    "a link to an absolute path": ([link("files/a", "/etc/passwd")], "/etc/passwd"),
    "a link out": ([link("files/a", "../evil")], "points out"),
    "a link out and in again": ([link("files/a", "../../files/b")], "points out"),
    "a link out from a folder": ([link("files/a/b", "../../evil")], "points out"),
    "a file behind an earlier link": ([link("files/a", "b"), regular("files/a/evil")], "behind a symbolic link"),
    "a link behind an earlier link": ([link("files/a", "b"), link("files/a/c", "d")], "behind a symbolic link"),
    "a hard link": ([regular("files/a"), link("files/b", "files/a", tarfile.LNKTYPE)], "neither a file"),
    "a character device": ([link("files/null", "", tarfile.CHRTYPE)], "neither a file"),
    "a block device": ([link("files/disk", "", tarfile.BLKTYPE)], "neither a file"),
    "a fifo": ([link("files/pipe", "", tarfile.FIFOTYPE)], "neither a file"),
    "a folder": ([link("files/folder", "", tarfile.DIRTYPE)], "neither a file"),
    "a file twice": ([regular("files/a"), regular("files/a")], "twice"),
    "a file and a link of one name": ([regular("files/a"), link("files/a", "b")], "twice"),
}


@pytest.mark.parametrize(("members", "word"), BAD.values(), ids=BAD)
def test_what_must_not_be_unpacked_is_refused_by_name(
    tmp_path: Path, members: Sequence[Member], word: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        examine(tmp_path, archive([*members, MANIFEST]))
    assert word in refused.value.message
    assert refused.value.code == "invalid_package"


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_link_that_leads_out_through_another_link_is_refused(tmp_path: Path, order: str) -> None:
    # read as text, `deep/er/here/../../..` stays inside; but `here` is `deep/er` itself
    members = {"a": link("files/deep/er/here", "."), "b": link("files/out", "deep/er/here/../../..")}
    with pytest.raises(BadRequest, match="points out"):
        examine(tmp_path, archive([*(members[name] for name in order), MANIFEST]))


@pytest.mark.parametrize("target", ["a", "b", "./c/../b", "c/../../files/x"])
def test_links_that_lead_nowhere_end_too(tmp_path: Path, target: str) -> None:
    members = [link("files/a", target), link("files/b", "a"), link("files/c", "d"), MANIFEST]
    with pytest.raises(BadRequest):
        examine(tmp_path, archive(members))


def test_links_through_links_inside_the_workspace_are_taken(tmp_path: Path) -> None:
    members = [regular("files/v2/x"), link("files/current", "v2"), link("files/a/y", "../current/x"), MANIFEST]
    assert len(examine(tmp_path, archive(members))) == 3


def test_an_archive_without_manifest_was_cut_off(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"manifest\.yaml"):
        examine(tmp_path, archive([regular("files/a")]))


def test_nothing_may_come_after_the_manifest(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="last member"):
        examine(tmp_path, archive([MANIFEST, regular("files/a")]))


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_an_upload_that_was_cut_anywhere_is_refused(tmp_path: Path, part: float) -> None:
    whole = package({"a.bin": "".join(map(str, range(20_000)))})
    with pytest.raises(BadRequest, match="Upload it again"):
        examine(tmp_path, whole[: int(len(whole) * part)])


@pytest.mark.parametrize(
    "content",
    [b"", b"not an archive", b"\x1f\x8b", gzip.compress(b"not a tar"), gzip.compress(b"\0" * 10_240)],
    # gzip writes the time into its header: names made of the content would differ between workers
    ids=["nothing", "text", "a header", "no tar in it", "zeroes"],
)
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadRequest):
        examine(tmp_path, content)


def test_damage_in_the_middle_is_noticed(tmp_path: Path) -> None:
    whole = bytearray(package({"a.bin": "".join(map(str, range(20_000)))}))
    whole[len(whole) // 2] ^= 0xFF
    with pytest.raises(BadRequest):
        examine(tmp_path, bytes(whole))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = archive([regular("files/zeros", bytes(64 * MIB)), MANIFEST])
    assert len(bomb) < MIB
    with pytest.raises(TooLarge, match="HOMEPORT_MAX_UNPACKED_BYTES"):
        examine(tmp_path, bomb, max_bytes=MIB)


def test_many_small_files_are_counted_together(tmp_path: Path) -> None:
    members = [regular(f"files/{number}", bytes(1024)) for number in range(20)]
    with pytest.raises(TooLarge):
        examine(tmp_path, archive([*members, MANIFEST]), max_bytes=10 * 1024)


def with_headers(count: int, size: int, kind: bytes) -> bytes:
    """An archive that begins with so many extended headers of such a size."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as packed:
        header = tarfile.TarInfo("header")
        header.type, header.size = kind, size
        for _ in range(count):
            packed.write(header.tobuf(tarfile.USTAR_FORMAT) + b"x" * size + bytes(-size % 512))
        packed.write(gzip.decompress(package({"a": ""})))
    return out.getvalue()


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME], ids=str)
def test_a_bomb_in_a_header_is_refused_before_it_is_read(tmp_path: Path, kind: bytes) -> None:
    # tarfile reads an extended header into memory whole before it shows the member
    bomb = with_headers(1, 64 * MIB, kind)
    tracemalloc.start()
    with pytest.raises(BadRequest, match="header"):
        examine(tmp_path, bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MIB


def test_an_endless_chain_of_headers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest):
        examine(tmp_path, with_headers(3_000, 512, tarfile.GNUTYPE_LONGNAME))


class Context:
    def __init__(self, run_dir: Path) -> None:
        self.run_dir = str(run_dir)


def test_the_content_hash_is_the_clients_own(tmp_path: Path) -> None:
    root = tmp_path / "workspace"
    (root / "inner").mkdir(parents=True)
    (root / "job.py").write_text("print('hello')")
    (root / "inner" / "ä b.sql").write_text("select 1")
    (root / "link").symlink_to("inner/ä b.sql")
    selected = [
        (path, path.relative_to(root)) for path in sorted(root.rglob("*"), reverse=True) if not path.is_dir()
    ]
    out = io.BytesIO()
    said = PackageBuilder(Context(root)).write_package_to_stream(selected, out)  # type: ignore[arg-type]
    files = examine(tmp_path, out.getvalue())
    assert dlt_deployment.content_hash(files) == said
    assert compute_package_content_hash({"engine_version": 1, "files": files}) == said  # type: ignore[typeddict-item]
    assert dlt_deployment.content_hash(files[::-1]) == said
