"""Load tests: workloads, measurements, recorded results. Run ``python -m loadtests``."""
