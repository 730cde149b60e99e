"""Load tests: workloads, what they are measured against, and recorded results. Run ``python -m loadtests``."""
