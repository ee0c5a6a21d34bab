import signal
import sys
import time

import dlt
from dlt.hub import run


@run.job()
def hello():
    print("hello")


@run.job(trigger=hello.success)
def after_hello():
    print("after hello")


@run.job()
def load_few():
    """A small DuckDB load."""
    pipeline = dlt.pipeline("load_few", destination="duckdb", dataset_name="bench")
    pipeline.run([{"id": number} for number in range(100)], table_name="numbers")


@run.job()
def print_fast():
    """As fast as it can."""
    for number in range(500_000):
        print(f"line {number} of a run that prints as fast as it can")


@run.job(execute={"concurrency": None})
def many():
    print("one of many")


@run.job(execute={"intercept_signals": False})
def obeys():
    """Says when it was told to stop."""

    def leave(*_):
        print(time.time())
        sys.exit()

    signal.signal(signal.SIGTERM, leave)
    print("waiting")
    while True:
        signal.pause()
