"""The test kit that is shipped: fakes that have passed the suites of the real things."""
