"""The looks of a drawing: colours by kind of step, icons, and the style sheet for light and dark pages.

Only plain CSS is used, no variables and no outside fonts, so that a file looks the same in a browser, in a
page that embeds it, and in programs that know little of SVG.
"""

from __future__ import annotations

from typing import Final

__all__ = ["COLOURS", "ICONS", "STYLE", "colour"]

# kind -> (on light ground, on dark ground)
COLOURS: Final = {
    "send": ("#2563eb", "#60a5fa"),
    "series": ("#1d4ed8", "#93c5fd"),
    "wait": ("#64748b", "#94a3b8"),
    "wait_for": ("#d97706", "#fbbf24"),
    "decide": ("#7c3aed", "#a78bfa"),
    "split": ("#c026d3", "#e879f9"),
    "parallel": ("#0369a1", "#38bdf8"),
    "set": ("#0d9488", "#2dd4bf"),
    "score": ("#0d9488", "#2dd4bf"),
    "list": ("#0d9488", "#2dd4bf"),
    "alert": ("#e11d48", "#fb7185"),
    "route": ("#e11d48", "#fb7185"),
    "webhook": ("#be185d", "#f472b6"),
    "enroll": ("#0891b2", "#22d3ee"),
    "repeat": ("#4f46e5", "#818cf8"),
    "goto": ("#4f46e5", "#818cf8"),
    "exit": ("#78716c", "#a8a29e"),
}
_OTHER: Final = ("#475569", "#cbd5e1")

# Strokes in a square of 16.
ICONS: Final = {
    "send": "M2 3.5h12v9H2zM2 4.2l6 4.9 6-4.9",
    "series": "M2 6.5h9v7H2zM2 7l4.5 3.6L11 7M4.5 4h9v7M7 1.8h7.5v6.4",
    "wait": "M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M8 4.8V8l2.4 1.6",
    "wait_for": "M4.2 2h7.6M4.2 14h7.6M5.3 2v2.4L8 8l2.7-3.6V2M5.3 14v-2.4L8 8l2.7 3.6V14",
    "decide": "M8 1.8 14.2 8 8 14.2 1.8 8z",
    "split": "M8 14V9.5L3.5 4.5M8 9.5l4.5-5M3.2 8V4.2H7M12.8 8V4.2H9",
    "parallel": "M8 1.8v3M3 14V7.6a2.8 2.8 0 0 1 2.8-2.8h4.4A2.8 2.8 0 0 1 13 7.6V14M8 4.8V14",
    "set": "M3 13l.6-2.8L10.8 3 13 5.2 5.8 12.4z",
    "score": "M2 12l4-4 3 2.5 5-6M10.5 4.5H14V8",
    "list": "M5.6 4H14M5.6 8H14M5.6 12H14M2.4 4h.3M2.4 8h.3M2.4 12h.3",
    "alert": "M4 11V7.4a4 4 0 0 1 8 0V11l1.2 1.4H2.8zM6.8 14.4h2.4",
    "route": "M8 2.2a2.7 2.7 0 1 0 0 5.4a2.7 2.7 0 1 0 0-5.4M2.8 13.8c0-3 2.3-4.4 5.2-4.4s5.2 1.4 5.2 4.4",
    "webhook": "M4 9.8a2 2 0 1 0 2 2h6M8 2.2a2 2 0 0 1 1.6 3.2l2.4 4M8 4.2 4.6 11M12 9.8a2 2 0 1 1-2 2",
    "enroll": "M2 8h8.5M7.2 4.6 10.6 8l-3.4 3.4M13.6 3v10",
    "repeat": "M13 8a5 5 0 1 1-1.5-3.6M13 1.8v3.2H9.8",
    "goto": "M3 13V8.2a2 2 0 0 1 2-2h7.6M9.6 3l3.2 3.2-3.2 3.2",
    "exit": "M9 2.5H3.5v11H9M6.5 8h7M11 5.4 13.6 8 11 10.6",
}

_FONT: Final = '"Helvetica Neue",Arial,"Liberation Sans","Segoe UI",Roboto,sans-serif'


def colour(kind: str) -> tuple[str, str]:
    """Return the colour of a kind of step, for light and for dark ground."""
    return COLOURS.get(kind, _OTHER)


def _kinds(theme: int) -> str:
    rules = []
    for kind, tones in (*COLOURS.items(), ("other", _OTHER)):
        tone = tones[theme]
        rules.append(
            f".tp .k-{kind} .stripe,.tp .k-{kind} .tile{{fill:{tone}}}"
            f".tp .k-{kind} .icon{{stroke:{tone}}}.tp .k-{kind} .head{{fill:{tone}}}"
        )
    return "".join(rules)


def _theme(names: tuple[str, ...]) -> str:
    page, ink, soft, card, edge, line, mark, frame, chip = names
    return (
        f".tp .page{{fill:{page}}}.tp .title,.tp .text{{fill:{ink}}}"
        f".tp .detail,.tp .tag,.tp .note{{fill:{soft}}}"
        f".tp .card{{fill:{card};stroke:{edge}}}"
        f".tp .line{{stroke:{line}}}.tp .tip{{fill:{line}}}"
        f".tp .back,.tp .jump{{stroke:{mark}}}.tp .tip-back{{fill:{mark}}}"
        f".tp .label rect{{fill:{page};stroke:{edge}}}.tp .label text{{fill:{ink}}}"
        f".tp .frame{{fill:{frame};stroke:{mark}}}"
        f".tp .chip rect{{fill:{chip}}}.tp .chip text{{fill:{ink}}}.tp .chip .what{{fill:{soft}}}"
        f".tp .end rect{{fill:{card};stroke:{line}}}.tp .end text{{fill:{soft}}}"
        f".tp .rule{{stroke:{edge}}}"
    )


_LIGHT: Final = (
    "#f8fafc", "#0f172a", "#64748b", "#ffffff", "#dbe2ea", "#94a3b8", "#6366f1", "#eef2ff", "#eaeff5",
)  # fmt: skip
_DARK: Final = (
    "#0f172a", "#f1f5f9", "#94a3b8", "#1e293b", "#334155", "#64748b", "#818cf8", "#171f3d", "#1e293b",
)  # fmt: skip

STYLE: Final = (
    f".tp text{{font-family:{_FONT}}}"
    ".tp .title{font-size:21px;font-weight:700}.tp .note{font-size:12.5px}"
    ".tp .head{font-size:10.5px;font-weight:700;letter-spacing:.02em}"
    ".tp .text{font-size:13.5px;font-weight:600}"
    ".tp .detail,.tp .tag{font-size:11.5px}.tp .tag{font-style:italic}"
    ".tp .card{stroke-width:1}.tp .shadow{fill:#0f172a;opacity:.07}"
    ".tp .tile{opacity:.13}.tp .icon{fill:none;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}"
    ".tp .line{fill:none;stroke-width:1.6}.tp .timeout{stroke-dasharray:5 4}"
    ".tp .back,.tp .jump{stroke-width:1.8}"
    ".tp .label text{font-size:11.5px;text-anchor:middle}.tp .label rect{stroke-width:1}"
    ".tp .label-timeout rect{stroke-dasharray:3 3}"
    ".tp .frame{fill-opacity:.75;stroke-opacity:.45;stroke-dasharray:2 4;stroke-width:1.2}"
    ".tp .entry rect{fill:#059669}.tp .entry text{fill:#fff}"
    ".tp .entry text,.tp .end text{font-size:13.5px;font-weight:600;text-anchor:middle}"
    ".tp .end rect{stroke-width:1.4}.tp .chip text{font-size:11.5px}.tp .chip .what{font-weight:700}"
    ".tp .count rect{fill:#059669}"
    ".tp .count text{fill:#fff;font-size:11px;font-weight:700;text-anchor:middle}"
    ".tp .faded{opacity:.5}"
    + _kinds(0)
    + _theme(_LIGHT)
    + ".tp .chip-goal rect{fill:#059669;fill-opacity:.17}.tp .chip-exit rect{fill:#e11d48;fill-opacity:.1}"
    + "@media (prefers-color-scheme:dark){"
    + _kinds(1)
    + _theme(_DARK)
    + ".tp .shadow{opacity:0}.tp .chip-goal rect{fill:#059669;fill-opacity:.3}"
    + ".tp .chip-exit rect{fill:#e11d48;fill-opacity:.25}}"
)
