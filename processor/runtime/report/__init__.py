"""Reports of what programs did: one pass over decisions, statistics, and the pages and files made of them.

:class:`~processor.runtime.report.accumulate.Accumulator` takes decisions, from files or topics;
:func:`~processor.runtime.report.build.build` makes the :class:`~processor.runtime.report.model.Report`;
``page`` and ``export`` show it. Nothing here decides anything.
"""

from processor.runtime.report.accumulate import Accumulator
from processor.runtime.report.build import build
from processor.runtime.report.model import Report

__all__ = ["Accumulator", "Report", "build"]
