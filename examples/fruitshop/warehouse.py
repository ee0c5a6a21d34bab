"""Reading the warehouse, one job at a time.

DuckDB lets a single process open a file while it is being written, and turns every other one away at
once. At the full hour the ingest and the quality job start together, so each waits here for its turn.
The lock goes away with the process that holds it. With a database server as `warehouse` there is no
need to take turns.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dlt
from dlt.destinations.exceptions import DatabaseUndefinedRelation


@contextmanager
def turn_at_the_warehouse() -> Iterator[None]:
    """Wait until no other job of this workspace uses the warehouse, and keep it until the end."""
    lock_file = Path(dlt.current.run_context().local_dir) / "warehouse.lock"
    with lock_file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ask_warehouse(*questions: str) -> list[Sequence[Any]]:
    """The rows that each of the queries finds in what the ingest has loaded."""
    with turn_at_the_warehouse(), dlt.dataset("warehouse", "fruitshop_data") as dataset:
        try:
            return [dataset.sql_client.execute_sql(question) for question in questions]
        except DatabaseUndefinedRelation:
            raise RuntimeError("There is nothing in the warehouse yet: run load_fruitshop first.") from None
