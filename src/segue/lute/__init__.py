"""Managed Tasks: what runs inside a job of a LUTE workflow, and what it is told by.

A managed Task is an Executor together with a Task. The Executor is the first process of the
job: it reads the config, starts the Task in a process of its own, listens to it, writes
down the result and tells the workflow's Server. Nothing in this room knows the engine: it
runs on batch nodes, where only the config, the environment and HTTP reach it.
"""
