"""A report as one HTML page: :func:`~processor.runtime.report.page.build.page`."""

from processor.runtime.report.page.build import page

__all__ = ["page"]
