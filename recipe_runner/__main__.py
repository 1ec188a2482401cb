"""`python -m recipe_runner`: see cli.py."""

from __future__ import annotations

import sys

from recipe_runner.cli import main

sys.exit(main())
