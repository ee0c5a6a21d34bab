"""The shop's books, made up on the spot: the same numbers every time, and no network.

Purchase number n is always the same purchase, so the till can be asked for "what came after number n"
as often as one likes, which is what the incremental load in `fruitshop_pipeline.py` does.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

OPENED_AT = datetime(2025, 1, 1, 8, tzinfo=UTC)
BETWEEN_PURCHASES = timedelta(seconds=12)
FIRST_VISIT = 100
"""Purchases that wait in the till when it is asked for the first time."""
LATER_VISITS = 25
"""Purchases of five minutes, one every twelve seconds."""

FRUITS = [
    {"id": 1, "name": "apple", "price": 0.45, "stock": 400},
    {"id": 2, "name": "banana", "price": 0.30, "stock": 620},
    {"id": 3, "name": "cherry", "price": 0.12, "stock": 2500},
    {"id": 4, "name": "mango", "price": 1.80, "stock": 80},
    {"id": 5, "name": "pear", "price": 0.55, "stock": 310},
]

CUSTOMERS = [
    {"id": number, "name": name, "city": city}
    for number, (name, city) in enumerate(
        [
            ("Ada", "London"),
            ("Blaise", "Paris"),
            ("Carl", "Göttingen"),
            ("Emmy", "Erlangen"),
            ("Grace", "New York"),
            ("Hedy", "Vienna"),
            ("Leonhard", "Basel"),
            ("Maria", "Bologna"),
            ("Srinivasa", "Kumbakonam"),
        ],
        start=1,
    )
]


def purchases_after(number: int) -> Iterator[dict[str, Any]]:
    """What was sold since purchase `number`; 0 asks for everything there is."""
    visit = LATER_VISITS if number else FIRST_VISIT
    for purchase in range(number + 1, number + visit + 1):
        dice = random.Random(purchase)  # noqa: S311 - a shop, not a vault
        yield {
            "id": purchase,
            "customer_id": dice.choice(CUSTOMERS)["id"],
            "fruit_id": dice.choice(FRUITS)["id"],
            "quantity": dice.randint(1, 12),
            "sold_at": OPENED_AT + purchase * BETWEEN_PURCHASES,
        }
