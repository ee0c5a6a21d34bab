"""The order in which jobs depend on one another, by freshness and by job events.

Used to start the jobs of one request upstream first, and to refuse a deploy whose jobs start each other.
"""

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from homeport.scheduling.freshness import parse_freshness
from homeport.scheduling.triggers import parse_trigger

ALLOW_CYCLE = "homeport:allow-cycle"
"""The tag of a job that may be started, over other jobs, by its own outcome."""


def upstreams_of(triggers: Iterable[str], freshness: Iterable[str] = ()) -> tuple[str, ...]:
    """The upstreams that a definition names, each once: first its job events', then its constraints'.

    A job that names itself is among its own upstreams; `find_cycle` reports it.
    """
    parsed = (parse_trigger(text) for text in triggers)
    events = [trigger.expr for trigger in parsed if trigger.is_job_event]
    return tuple(dict.fromkeys([*events, *(parse_freshness(text).job_ref for text in freshness)]))


def starts_of(triggers: Iterable[str], freshness: Iterable[str], tags: Iterable[str]) -> tuple[str, ...]:
    """The upstreams that count in the search for cycles: all of them; of a job whose tags say that it may be
    started in a circle, only those that it must be fresh to."""
    return upstreams_of(() if ALLOW_CYCLE in tags else triggers, freshness)


def dependency_order(refs: Iterable[str], upstreams_by_job: Mapping[str, Iterable[str]]) -> list[str]:
    """`refs`, each once, with upstreams before downstreams and otherwise in the order given.

    Jobs outside of `refs` are not in the answer, but what depends through them is kept in order. In a cycle
    the job that is reached first comes last: what leads to it is put before it until the cycle closes.
    """
    wanted = dict.fromkeys(refs)
    seen: set[str] = set()
    path: list[tuple[str, Iterator[str]]] = []
    ordered: list[str] = []

    def enter(job: str) -> None:
        seen.add(job)
        path.append((job, iter(upstreams_by_job.get(job, ()))))

    for ref in wanted:
        if ref not in seen:
            enter(ref)
        while path:
            _, upstreams = path[-1]
            upstream = next((name for name in upstreams if name not in seen), None)
            if upstream is not None:
                enter(upstream)
            else:
                ordered.append(path.pop()[0])
    return [ref for ref in ordered if ref in wanted]


def find_cycle(upstreams_by_job: Mapping[str, Iterable[str]]) -> list[str] | None:
    """A cycle, as a path in which each job is an upstream of the next and the first stands again at the end.

    None when there is none. A job that names itself gives `[ref, ref]`. The same edges give the same path.
    """
    try:
        TopologicalSorter(upstreams_by_job).prepare()
    except CycleError as error:
        path: list[str] = error.args[1]
        return path
    return None
