"""Commands on the server's machine need what `homeport[server]` brings."""

from collections.abc import Iterator
from contextlib import contextmanager

from homeport.errors import SetupError


@contextmanager
def server_parts() -> Iterator[None]:
    """Around imports: says how to get what is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("homeport"):
            raise
        raise SetupError(
            f"The server's parts are not installed ({error.name} is missing): pip install 'homeport[server]'."
        ) from error
