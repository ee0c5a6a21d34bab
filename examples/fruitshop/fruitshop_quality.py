"""Looks at what the ingest has loaded and fails when something is wrong with it."""

from dlt.hub import run
from dlt.hub.run import trigger
from warehouse import ask_warehouse

CHECKS = {
    "purchases that are there twice": "SELECT id FROM purchases GROUP BY id HAVING count(*) > 1",
    "purchases of nothing": "SELECT id FROM purchases WHERE quantity < 1",
    "purchases by nobody we know": """
        SELECT purchases.id FROM purchases LEFT JOIN customers ON customers.id = purchases.customer_id
        WHERE customers.id IS NULL
    """,
    "purchases of what is not sold here": """
        SELECT purchases.id FROM purchases LEFT JOIN inventory ON inventory.id = purchases.fruit_id
        WHERE inventory.id IS NULL
    """,
}
"""What would be wrong, and the query that finds it."""


@run.job(
    trigger=trigger.schedule("0 * * * *"),
    expose={"display_name": "Fruit shop data quality"},
)
def check_fruitshop() -> None:
    """Validate the loaded data; the job fails if any check fails."""
    found = {name: len(rows) for name, rows in zip(CHECKS, ask_warehouse(*CHECKS.values()), strict=True)}
    for name, count in found.items():
        print(f"{'FAIL' if count else 'ok':<6}{name}: {count}")
    failed = [f"{count} {name}" for name, count in found.items() if count]
    if failed:
        raise RuntimeError(f"Data quality checks failed: {'; '.join(failed)}")


if __name__ == "__main__":
    check_fruitshop()
