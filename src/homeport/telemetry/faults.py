"""Faults of ours as the log tells them: kinds and places, never the words of an exception.

An exception's text quotes what it stumbled over (a driver names the value that a column did not take, a parser the
text it could not read), and that may be somebody's secret.
"""

import traceback


def told(error: BaseException) -> str:
    """The chain of exceptions, outermost first: what each is, what a database calls it, where it came from."""
    parts: list[str] = []
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        frames = traceback.extract_tb(following.__traceback__)
        places = [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        parts.append("\n".join([named(following), *places]))
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return "\nbecause of ".join(parts)


def shown(error: BaseException) -> dict[str, str]:
    """As the fields of an event."""
    return {"error": named(error), "trace": told(error)}


def named(error: BaseException) -> str:
    """`IntegrityError (23505)`."""
    kind = type(error).__qualname__
    driver = getattr(error, "orig", None) or error
    for name in ("sqlstate", "sqlite_errorname", "errno"):
        code = getattr(driver, name, None)
        if code:
            return f"{kind} ({code})"
    return kind
