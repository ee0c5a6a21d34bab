import subprocess
import sys


def test_the_command_is_also_a_module() -> None:
    said = subprocess.run([sys.executable, "-m", "homeport", "--help"], capture_output=True, text=True, check=True)
    assert "Usage: homeport" in said.stdout
