"""Revenue of the fruit shop, fruit by fruit"""

import marimo

app = marimo.App(app_title="Fruit shop")


@app.cell
def _():
    import marimo as mo
    from fruitshop_report import REVENUE_BY_FRUIT
    from warehouse import ask_warehouse

    return REVENUE_BY_FRUIT, ask_warehouse, mo


@app.cell
def _(REVENUE_BY_FRUIT, ask_warehouse):
    [rows] = ask_warehouse(REVENUE_BY_FRUIT)
    return (rows,)


@app.cell
def _(mo):
    least = mo.ui.slider(0, 200, value=0, step=10, label="Revenue of at least")
    least
    return (least,)


@app.cell
def _(least, mo, rows):
    shown = [row for row in rows if row[2] >= least.value]
    mo.vstack(
        [
            mo.md(f"**{len(shown)} fruits**, together {sum(row[2] for row in shown):.2f}"),
            mo.ui.table(
                [{"fruit": name, "pieces": pieces, "revenue": revenue} for name, pieces, revenue in shown]
            ),
        ]
    )
    return


if __name__ == "__main__":
    app.run()
