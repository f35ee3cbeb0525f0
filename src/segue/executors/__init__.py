"""Adapters to the places where jobs run. They know no engine, no store, no dialect."""
