"""The pure domain: what a person may ask, what is kept and why, and when it is due.

The one rule: nothing here reads a clock, opens a file or waits. Time and texts are arguments.
"""
