"""The table that steps change: lazy frames, column types, and how rows stream through them.

Must not import any other part of the runner than `errors`.
"""
