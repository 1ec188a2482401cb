"""The parts of the state machine, one module each; workflow.py puts them together.

A part is a function that makes states and connects them with each other. Where a part leads on to
another one, it gets that one's first state as an argument.
"""
