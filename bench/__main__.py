"""`make bench` measures everything; `python -m bench lists` one part (README.md)."""

import sys

from bench import lists, runs

PARTS = {"runs": runs.main, "lists": lists.main}


def main() -> None:
    wanted = sys.argv[1:] or list(PARTS)
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        sys.exit(f"There is no part {', '.join(unknown)}; the parts are: {', '.join(PARTS)}.")
    for name in wanted:
        print(f"== {name}")
        PARTS[name]()
        print()


if __name__ == "__main__":
    main()
