"""`make bench` measures everything; `python -m bench lists` one part (README.md)."""

import sys
from importlib import import_module

PARTS = ("runs", "logs", "lists", "schedules", "apps")


def main() -> None:
    wanted = sys.argv[1:] or PARTS
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        sys.exit(f"There is no part {', '.join(unknown)}; the parts are: {', '.join(PARTS)}.")
    for name in wanted:
        print(f"== {name}")
        # a part's own libraries are loaded with it: one more floor is no burden for the others
        import_module(f"bench.{name}").main()
        print()


if __name__ == "__main__":
    main()
