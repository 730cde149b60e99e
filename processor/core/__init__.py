"""The pure core: what is decided, as a function of a row, the partition's row and one input.

It imports nothing of the rest of the package, and no clock, chance, I/O or logging; import-linter checks it.
Start reading in :mod:`processor.core.lifecycle` (the theory and the transition tables), then
:mod:`processor.core.machine`.
"""
