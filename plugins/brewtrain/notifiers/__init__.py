"""Notifiers: who is told when a task fails. They import hooks inside their methods, never at module level."""
