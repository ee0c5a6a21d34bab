"""The order of dependent jobs, and the circle that a deploy is refused for."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.scheduling.dependency_order import dependency_order, find_cycle, upstreams_of


def test_upstreams_are_named_by_job_events_and_by_freshness() -> None:
    triggers = ["schedule:0 8 * * *", "job.success:jobs.a", "job.fail:jobs.a", "job.fail:jobs.b", "tag:x"]
    assert upstreams_of(triggers, ["job.is_fresh:jobs.c", "job.is_fresh:jobs.a"]) == ("jobs.a", "jobs.b", "jobs.c")
    assert upstreams_of([]) == ()


ORDERS = [
    ("as given without edges", "cab", {}, "cab"),
    ("upstreams first", "abc", {"a": "b", "b": "c"}, "cba"),
    ("otherwise as given", "abcd", {"b": "d"}, "adbc"),
    ("through a job that is not asked for", "ab", {"a": "x", "x": "b"}, "ba"),
    ("each once", "aab", {"a": "b"}, "ba"),
    ("two upstreams keep their order", "abc", {"a": "cb"}, "cba"),
    ("a circle", "abc", {"a": "b", "b": "c", "c": "a"}, "cba"),
    ("a job that names itself", "ab", {"a": "a"}, "ab"),
    ("nothing", "", {"a": "b"}, ""),
]


@pytest.mark.parametrize(("why", "refs", "upstreams", "expected"), ORDERS)
def test_a_batch_is_ordered_upstream_first(why: str, refs: str, upstreams: dict[str, str], expected: str) -> None:
    assert "".join(dependency_order(refs, upstreams)) == expected, why


@pytest.mark.parametrize(
    ("upstreams", "expected"),
    [
        ({"b": "a", "c": "b"}, None),
        ({"c": "ab", "b": "a"}, None),
        ({"a": "a"}, ["a", "a"]),
        ({"b": "a", "a": "b"}, ["a", "b", "a"]),
    ],
)
def test_a_circle_is_found_with_its_path(upstreams: dict[str, str], expected: list[str] | None) -> None:
    found = find_cycle(upstreams)
    assert found is None if expected is None else found is not None and set(found) == set(expected)


names = st.sampled_from("abcdef")
graphs = st.dictionaries(names, st.lists(names, max_size=3, unique=True))


@given(graphs)
def test_a_path_in_a_circle_goes_from_upstream_to_downstream_and_closes(upstreams: dict[str, list[str]]) -> None:
    path = find_cycle(upstreams)
    if path is not None:
        assert path[0] == path[-1]
        assert all(upstream in upstreams[downstream] for upstream, downstream in pairwise(path))
    assert path == find_cycle(upstreams)


@given(graphs, st.lists(names, unique=True))
def test_without_a_circle_no_job_comes_before_its_upstream(
    upstreams: dict[str, list[str]], refs: list[str]
) -> None:
    ordered = dependency_order(refs, upstreams)
    assert sorted(ordered) == sorted(refs)
    if find_cycle(upstreams) is None:
        place = {ref: index for index, ref in enumerate(ordered)}
        edges = [(up, down) for down, ups in upstreams.items() for up in ups if up in place and down in place]
        assert all(place[up] < place[down] for up, down in edges)


def test_a_chain_of_ten_thousand_jobs_is_ordered() -> None:
    chain = {str(n): [str(n + 1)] for n in range(10_000)}
    assert dependency_order(["0", "9999"], chain) == ["9999", "0"]
