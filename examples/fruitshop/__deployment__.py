"""Fruit shop -- loads a small shop's books, checks them and reports the revenue"""

from fruitshop_pipeline import load_fruitshop
from fruitshop_quality import check_fruitshop
from fruitshop_report import report_revenue

__all__ = [
    "check_fruitshop",
    "load_fruitshop",
    "report_revenue",
]
