"""Prints what the shop has earned."""

from dlt.hub import run
from fruitshop_pipeline import load_fruitshop
from warehouse import ask_warehouse

REVENUE_BY_FRUIT = """
    SELECT inventory.name, sum(purchases.quantity), sum(purchases.quantity * inventory.price) AS revenue
    FROM purchases JOIN inventory ON inventory.id = purchases.fruit_id
    GROUP BY inventory.name
    ORDER BY revenue DESC
"""


@run.job(
    trigger=load_fruitshop.success,
    expose={"display_name": "Fruit shop revenue"},
)
def report_revenue() -> None:
    """Print revenue by fruit, each time the ingest has succeeded."""
    [rows] = ask_warehouse(REVENUE_BY_FRUIT)
    total = ("total", sum(row[1] for row in rows), sum(row[2] for row in rows))
    print(f"{'fruit':<10}{'pieces':>8}{'revenue':>12}")
    for fruit, pieces, revenue in [*rows, total]:
        print(f"{fruit:<10}{pieces:>8}{revenue:>12.2f}")


if __name__ == "__main__":
    report_revenue()
