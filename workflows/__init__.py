"""The life of a request, as durable Temporal workflows.

The one rule: a workflow decides by what activities tell it and by the clock; it touches nothing itself.
"""
