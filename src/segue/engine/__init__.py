"""The heart: decides, schedules, dispatches, recovers. It knows no executor by name."""
