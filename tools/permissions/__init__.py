"""docs/permissions.md: which principal may do what to what, and who uses it."""
