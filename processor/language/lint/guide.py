"""The guide to the rules, written from the registry: ``python -m processor.language.lint.guide [FILE]``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from processor.language.lint import RULES, Rule

__all__ = ["guide"]

_HEAD: Final = """\
# Lint

`trayecto lint DIR` reads a topology and says what is wrong with it, and what is allowed and still likely a
mistake. Every finding names the file, line and column, the rule, and what to write instead.

- **error**: the topology must not be run so. Rules marked *refused* are found while the files are read, and
  nothing is loaded.
- **warning**: it runs, and probably not as it was meant.
- **info**: worth a look.

A comment silences a rule on its line, or on the line below it when it stands alone:

```yaml
  - wait_for: contract_signed  # lint: ignore wait-without-end
```

The examples leave out what does not matter; each is checked by a test, and so is what to write instead.
"""


def guide() -> str:
    """Return the page on lint: a table of all rules, then each with an example and what to write instead."""
    return "\n".join([_HEAD, *_table(), *(part for rule in RULES.values() for part in _section(rule))])


def _table() -> Iterator[str]:
    yield "| rule | severity | what it finds |"
    yield "| --- | --- | --- |"
    for rule in RULES.values():
        yield f"| [`{rule.name}`](#{rule.name}) | {_severity(rule)} | {rule.summary} |"


def _severity(rule: Rule) -> str:
    return "error, refused" if rule.severity == "error" and rule.check is None else rule.severity


def _section(rule: Rule) -> Iterator[str]:
    yield f"\n## {rule.name}\n"
    yield f"*{_severity(rule)}* · {rule.summary}\n\n{rule.why}\n"
    yield f"```yaml\n{rule.example.strip()}\n```\n\nWrite instead:\n\n```yaml\n{rule.better.strip()}\n```"


def main() -> None:
    """Write the guide to the file that is named, or to docs/guide/lint.md."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/guide/lint.md")
    target.write_text(guide() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
