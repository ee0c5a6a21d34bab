"""Packages that can be installed without an index."""

import os
import subprocess
import zipfile
from pathlib import Path


def make_wheel(folder: Path, name: str = "tiny", version: str = "1.0", answer: str = "42") -> Path:
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", f"ANSWER = {answer}\n")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", f"{name}.py,,\n")
    return wheel


class Branch:
    """A package of the name `tiny` in a repository of git."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.requirement = f"tiny @ git+{folder.as_uri()}"
        folder.mkdir()
        (folder / "pyproject.toml").write_text(
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            '[project]\nname = "tiny"\nversion = "1.0"\n'
        )
        (folder / "backend.py").write_text(
            "import shutil\n\n"
            "def build_wheel(directory, *_, **__):\n"
            "    return shutil.copy('tiny-1.0-py3-none-any.whl', directory).rpartition('/')[2]\n"
        )
        self._git("init", "--quiet")

    def commit(self, answer: str) -> None:
        """`tiny.ANSWER` is this from now on."""
        make_wheel(self._folder, answer=repr(answer))
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", answer)

    def _git(self, *words: str) -> None:
        me = {f"GIT_{role}_{what}": "me@here" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        subprocess.run(["git", *words], cwd=self._folder, env=os.environ | me, check=True)
