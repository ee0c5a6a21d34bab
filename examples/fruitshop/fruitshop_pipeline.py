"""Loads customers, inventory and purchases of the fruit shop into the warehouse."""

from collections.abc import Iterator
from typing import Any

import dlt
from dlt.hub import run
from dlt.hub.run import trigger
from fruitshop_data import CUSTOMERS, FRUITS, purchases_after
from warehouse import turn_at_the_warehouse


@dlt.resource(primary_key="id", write_disposition="merge")
def customers() -> Iterator[dict[str, Any]]:
    """Who buys: known customers are updated, new ones are added."""
    yield from CUSTOMERS


@dlt.resource(write_disposition="replace")
def inventory() -> Iterator[dict[str, Any]]:
    """What is sold, at what price."""
    yield from FRUITS


@dlt.resource(write_disposition="append")
def purchases(
    after: dlt.sources.incremental[int] = dlt.sources.incremental(  # noqa: B008 - dlt binds it per run
        "id", initial_value=0, range_start="open"
    ),
) -> Iterator[dict[str, Any]]:
    """What was bought since the last load: each run goes on where the one before it ended."""
    yield from purchases_after(after.last_value)


@dlt.source
def fruitshop() -> Any:
    return customers, inventory, purchases


@run.pipeline(
    "fruitshop_pipeline",
    trigger=trigger.every("5m"),
    expose={"tags": ["ingest"], "display_name": "Fruit shop ingest"},
)
def load_fruitshop() -> None:
    """Load customers, inventory and new purchases of the fruit shop."""
    pipeline = dlt.pipeline(
        pipeline_name="fruitshop_pipeline",
        destination="warehouse",
        dataset_name="fruitshop_data",
    )
    with turn_at_the_warehouse():
        pipeline.run(fruitshop())
    rows = pipeline.last_trace.last_normalize_info.row_counts
    loaded = ", ".join(f"{rows.get(table, 0)} {table}" for table in ("customers", "inventory", "purchases"))
    print(f"Loaded {loaded} into {pipeline.dataset_name}.")


if __name__ == "__main__":
    load_fruitshop()
