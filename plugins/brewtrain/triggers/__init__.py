"""Triggers: they wait in the triggerer.

They import hooks inside their methods, never at module level.
"""
