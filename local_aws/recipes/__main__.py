"""`python -m local_aws.recipes`: see cli.py."""

from __future__ import annotations

import sys

from local_aws.recipes.cli import main

sys.exit(main())
