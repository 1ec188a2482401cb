"""Triggers: what waits in the triggerer. They import hooks inside their methods, never at module level."""
