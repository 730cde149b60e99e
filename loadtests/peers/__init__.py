"""The same small logic in the worker and in its peers; see ``measured`` and docs/performance.md."""
