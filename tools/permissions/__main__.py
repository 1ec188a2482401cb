"""Write or check docs/permissions.md: who may do what to what, and who uses it."""

from __future__ import annotations

import argparse
import sys

from tools.permissions.page import PAGE, PageError, is_current, page
from tools.permissions.use import ROOT


def main(arguments: list[str] | None = None) -> int:
    """Write or check the page.

    :returns: The exit code: 0 written or current, 1 not current, 2 the page cannot be made.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.permissions", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write docs/permissions.md")
    what.add_argument("--check", action="store_true", help="fail if it is not current")
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
