"""The recipe actions, one module per family of the guide. Importing this package registers all.

A module may import the language and the tables, never `api`, `checking`, `plan` or `files`.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
