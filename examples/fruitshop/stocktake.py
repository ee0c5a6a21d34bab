"""Counts the shelves and writes the count into the warehouse.

A plain script, no decorator: `python stocktake.py` runs it here, `dlthub run stocktake.py` on the server.
"""

from datetime import UTC, datetime

import dlt
from fruitshop_data import FRUITS
from warehouse import turn_at_the_warehouse


def take_stock() -> None:
    counted_at = datetime.now(UTC)
    pipeline = dlt.pipeline("stocktake", destination="warehouse", dataset_name="stocktake")
    shelves = [{"fruit": f["name"], "pieces": f["stock"], "counted_at": counted_at} for f in FRUITS]
    with turn_at_the_warehouse():
        pipeline.run(shelves, table_name="shelves", write_disposition="append")
    print(f"Counted {len(shelves)} shelves, {sum(f['pieces'] for f in shelves)} pieces.")


if __name__ == "__main__":
    take_stock()
