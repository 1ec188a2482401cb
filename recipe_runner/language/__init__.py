"""What a recipe can say: steps, parameters, conditions, patterns and expressions.

Must not read or write files, and must not import `files`, `profiling` or `actions`.
"""
