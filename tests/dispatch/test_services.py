"""Every service starts, survives and stops the same way."""

import threading
from collections.abc import Hashable, Iterator

import pytest

from homeport.bells import Bells
from homeport.clock import SystemClock
from homeport.dispatch.service import AT_ONCE, Service

from ..builders import until

DAY = 86_400.0


class Counting:
    """A duty that counts its units of work, and fails when told to."""

    name = "counting"
    topic: Hashable | None = "work"

    def __init__(self, then: float = DAY) -> None:
        self.done = 0
        self.fails = False
        self.then = then

    def work(self, now: object) -> float:
        self.done += 1
        if self.fails:
            self.fails = False
            raise LookupError("on command")
        return self.then


@pytest.fixture
def bells() -> Bells:
    return Bells()


@pytest.fixture
def duty() -> Counting:
    return Counting()


@pytest.fixture
def service(duty: Counting, bells: Bells) -> Iterator[Service]:
    service = Service(duty, SystemClock(), bells)
    yield service
    service.stop()


def test_a_service_works_at_once_when_it_starts(service: Service, duty: Counting) -> None:
    service.start()
    until(lambda: duty.done == 1)


def test_a_ring_cuts_the_wait_short(service: Service, duty: Counting, bells: Bells) -> None:
    service.start()
    until(lambda: duty.done == 1)
    bells.ring("another topic", "work")
    until(lambda: duty.done == 2)


def test_it_goes_on_at_once_while_there_is_work(service: Service, duty: Counting) -> None:
    duty.then = AT_ONCE
    service.start()
    until(lambda: duty.done > 50)


def test_it_survives_an_exception(service: Service, duty: Counting, bells: Bells) -> None:
    duty.fails = True
    service.start()
    until(lambda: duty.done == 2)
    assert service.is_alive


def test_starting_and_stopping_twice_is_harmless(service: Service, duty: Counting) -> None:
    service.start()
    service.start()
    until(lambda: duty.done == 1)
    service.stop()
    service.stop()
    assert duty.done == 1
    assert not service.is_alive


def test_one_that_never_started_can_be_stopped(service: Service) -> None:
    service.stop()
    assert not service.is_alive


def test_stopping_waits_for_the_work_at_hand(bells: Bells) -> None:
    begun, may_end = threading.Event(), threading.Event()

    class Slow(Counting):
        def work(self, now: object) -> float:
            begun.set()
            may_end.wait(20)
            return super().work(now)

    duty = Slow()
    service = Service(duty, SystemClock(), bells)
    service.start()
    begun.wait(20)
    stopping = threading.Thread(target=service.stop)
    stopping.start()
    assert stopping.is_alive()
    may_end.set()
    stopping.join(20)
    assert duty.done == 1
