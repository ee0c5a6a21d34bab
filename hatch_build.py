"""Puts `homeport_dlt_hub.pth` at the root of site-packages, in wheels and in editable installs alike.

The file makes `from dlt.hub import run` work (see `src/homeport_dlt_hub.py`); hatchling's own
`force-include` leaves editable installs out.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class HomeportBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        section = "force_include_editable" if version == "editable" else "force_include"
        build_data.setdefault(section, {})["src/homeport_dlt_hub.pth"] = "homeport_dlt_hub.pth"
