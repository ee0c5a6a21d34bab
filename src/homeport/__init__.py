"""Homeport: the open, self-hosted home for dlt data pipelines."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("homeport")
except PackageNotFoundError:  # a source tree that nobody installed
    __version__ = "0.0.0"
