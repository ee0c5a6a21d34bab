"""A ring is a hint that wakes whoever listens, from any thread, and nobody else."""

import asyncio
import threading

from homeport.bells import Bells


def test_who_listens_is_woken_until_they_stop_listening() -> None:
    bells, heard = Bells(), []
    with bells.wakes("a", lambda: heard.append("a")):
        bells.ring("b")
        bells.ring("a", "b")
    bells.ring("a")
    assert heard == ["a"]


def test_a_ring_from_another_thread_wakes_a_coroutine() -> None:
    bells = Bells()

    async def wait() -> str:
        with bells.heard("a") as bell:
            threading.Thread(target=bells.ring, args=("a",)).start()
            await asyncio.wait_for(bell.wait(60), 20)
            return "woken"
        return "silenced"

    assert asyncio.run(wait()) == "woken"


def test_a_ring_before_the_wait_counts() -> None:
    bells = Bells()

    async def wait() -> bool:
        with bells.heard("a") as bell:
            bells.ring("a")
            await asyncio.wait_for(bell.wait(60), 20)
        return True

    assert asyncio.run(wait())


def test_a_wait_ends_by_itself() -> None:
    async def wait() -> bool:
        with Bells().heard("a") as bell:
            await asyncio.wait_for(bell.wait(0.001), 20)
        return True

    assert asyncio.run(wait())


def test_silence_puts_everybody_out_who_waits_or_will() -> None:
    bells = Bells()

    async def wait() -> list[str]:
        ended = []
        for order in ("before", "after"):
            with bells.heard("a") as bell:
                if order == "before":
                    asyncio.get_running_loop().call_soon(bells.silence)
                await asyncio.wait_for(bell.wait(60), 20)
                ended.append("went on")
            ended.append(order)
        return ended

    assert asyncio.run(wait()) == ["before", "after"]
