"""Jobs that do next to nothing, for measuring what is around them."""

from bench_app import app
from bench_jobs import after_hello, hello, load_few, many, obeys, print_fast

__all__ = ["after_hello", "app", "hello", "load_few", "many", "obeys", "print_fast"]
