"""Notifiers: they tell a person that a task failed, or asks.

They import hooks inside their methods, never at module level.
"""
