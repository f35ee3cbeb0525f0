"""The seams of the house: what the engine asks of executors, stores, dialects, clocks."""
