"""The facts of a workflow: names, states, graph, events. Standard library only.

This room knows no file, no clock, no database and no batch system.
"""
