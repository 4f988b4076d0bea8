"""Measure the package: ``python -m benchmarks --help`` lists the jobs."""
