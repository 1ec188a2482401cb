"""``python -m tools.permissions --write`` or ``--check``."""

from __future__ import annotations

import argparse
import sys

from tools.permissions.page import PAGE, ROOT, PageError, is_current, page


def main(arguments: list[str] | None = None) -> int:
    """Write or check the page; answers the exit code.

    :param arguments: ``None`` takes ``sys.argv``.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.permissions", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write docs/permissions.md")
    what.add_argument("--check", action="store_true", help="fail if it is not what would be written")
    options = parser.parse_args(arguments)
    shown = PAGE.relative_to(ROOT)
    try:
        if options.write:
            PAGE.write_text(page(), "utf-8")
            print(f"permissions: wrote {shown}")
        elif not is_current():
            print(f"permissions: {shown} is not current; run make permissions and commit it", file=sys.stderr)
            return 1
    except PageError as error:
        print(f"permissions: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
