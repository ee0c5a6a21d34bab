"""Browsers know that every name below `localhost` is this machine; not all resolvers do."""

import httpx


def to_this_machine(request: httpx.Request) -> httpx.Request:
    """The same, to where it is meant to go; its `Host` stays."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host="127.0.0.1"),
        headers=request.headers,
        stream=request.stream,
        extensions=request.extensions,
    )
