"""A workspace that is laid out quite differently works the same: `homeport connect --create`, `dlthub deploy`."""

from pathlib import Path

import pytest

from .servers import Homeport
from .workspaces import Workspace

pytestmark = pytest.mark.acceptance

FILES = {
    "requirements.txt": """
        # no pyproject.toml here
        dlt[duckdb]>=1.31,<1.32
    """,
    ".gitignore": """
        __pycache__/
        notes/
        .dlt/*secrets.toml
    """,
    "notes/private.txt": "stays at home\n",
    ".dlt/config.toml": """
        # kept as it is
        [destination.lake]   # where it all goes
        destination_type = "duckdb"
    """,
    ".dlt/secrets.toml": """
        [sources.weather]
        token = "rain-or-shine"
    """,
    ".dlt/staging.config.toml": 'place = "the stage"\n',
    "weather/__init__.py": "",
    "weather/jobs/__init__.py": "",
    "weather/jobs/observe.py": """
        import dlt
        from dlt.hub import run
        from weather.units import celsius


        @dlt.source(name="weather")
        def stations(token: str = dlt.secrets.value):
            @dlt.resource
            def readings():
                yield {"token_length": len(token), "temperature": celsius(50)}

            return readings


        @run.pipeline("observations", require={"profile": "staging"})
        def observe():
            pipeline = dlt.pipeline("observations", destination="lake", dataset_name="weather")
            pipeline.run(stations())
            print("observed at", dlt.config["place"], "under", dlt.current.run_context().profile)


        @run.job
        async def break_down():
            raise ValueError("the wind took it")


        @run.job(trigger=break_down.fail)
        def alarm(run_context):
            print("called by", run_context["trigger"])
    """,
    "weather/units.py": """
        def celsius(fahrenheit):
            return (fahrenheit - 32) * 5 / 9
    """,
    "almanac.py": '''
        """Prints what day it is not."""

        from pathlib import Path

        import dlt

        if __name__ == "__main__":
            print("almanac sees", sorted(str(path) for path in Path().iterdir() if path.suffix == ".txt"))
            print("notes are here:", Path("notes").exists())
            print("token is", dlt.secrets["sources.weather.token"], len(dlt.secrets["sources.weather.token"]))
            print("key is", dlt.secrets.get("runtime.api_key"))
    ''',
    "__deployment__.py": '''
        """Weather -- observations from a package of its own"""

        import almanac
        from weather.jobs.observe import alarm, break_down, observe

        __all__ = ["alarm", "almanac", "break_down", "observe"]
    ''',
}


@pytest.fixture
def weather(server: Homeport, tmp_path: Path, environment: dict[str, str]) -> Workspace:
    """Connected by `homeport connect`, then deployed."""
    weather = Workspace(tmp_path / "weather", server, environment)
    weather.write(FILES)
    connected = weather.call(
        "homeport", "connect", "--url", server.url, "--create", HOMEPORT_API_KEY=server.api_key
    )
    assert connected.exit_code == 0, connected.output
    assert "Created workspace weather" in connected.output
    weather.id = next(job for job in weather.dlthub("workspace", "info").split() if job.count("-") == 4)
    return weather


def test_a_workspace_of_another_shape_deploys_and_runs(weather: Workspace) -> None:
    assert "# kept as it is" in (weather.folder / ".dlt" / "config.toml").read_text()
    assert 'token = "rain-or-shine"' in (weather.folder / ".dlt" / "secrets.toml").read_text()
    assert "5 added, 0 updated, 0 archived" in weather.dlthub("deploy")

    observed = weather.dlthub("run", "observe", "-f")
    assert "profile:    staging" in observed
    assert "observed at the stage under staging" in observed

    module = weather.ended(weather.trigger("manual:jobs.almanac")["id"])
    text = weather.text(module["id"])
    assert "almanac sees ['requirements.txt']" in text
    assert "notes are here: False" in text
    assert "token is *** 13" in text, "it is there, and logs do not show it"
    assert "key is None" in text, "the key of the person who deployed stays out of runs"

    failed = weather.run("break_down")
    assert failed["status"] == "failed"
    assert "ValueError: the wind took it" in weather.text(failed["id"])
    alarm = weather.await_run("alarm")
    assert "called by job.fail:jobs.observe.break_down" in weather.text(alarm["id"])
