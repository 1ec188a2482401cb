"""Run the command line (`python -m recipe_runner`); see `recipe_runner.cli`."""

from __future__ import annotations

import sys

from recipe_runner.cli import main

sys.exit(main())
