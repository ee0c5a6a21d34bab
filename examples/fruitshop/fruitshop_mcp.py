"""Answers questions about the fruit shop, for assistants that speak MCP"""

from fastmcp import FastMCP
from fruitshop_report import REVENUE_BY_FRUIT
from warehouse import ask_warehouse

mcp: FastMCP = FastMCP("Fruit shop")


@mcp.tool
def revenue_by_fruit() -> list[dict[str, float | str]]:
    """Pieces sold and revenue of every fruit, the best first."""
    [rows] = ask_warehouse(REVENUE_BY_FRUIT)
    return [{"fruit": name, "pieces": pieces, "revenue": float(revenue)} for name, pieces, revenue in rows]


@mcp.tool
def pieces_sold(fruit: str) -> int:
    """How many pieces of a fruit have been sold."""
    [rows] = ask_warehouse(REVENUE_BY_FRUIT)
    return int(next((row[1] for row in rows if row[0].lower() == fruit.lower()), 0))
