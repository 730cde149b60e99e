"""What a peer does with an event, as topologies/peers says it; peers in Python call it, Java's repeats it.

A row keeps a score, the consent, the address and the instants of a day's commands. An event of two kinds
yields a command where there is consent and the cap of the day is not used up. It is much less than the worker
does for the same event (ids, decisions, expiry, holdouts, clocks, timers): the peers have the easier work.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["CAP", "decode", "encode", "step"]

POINTS = {"page_viewed": 1, "email_opened": 2, "downloaded": 8, "order_completed": 20}
ANSWERED = {"downloaded", "order_completed"}
CAP = 20  # commands of a contact in a day

decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode


def step(row: dict[str, Any] | None, event: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the contact's new row, and a command or None."""
    if row is None:
        row = {"score": 0, "events": 0, "consent": False, "email": "", "sent": []}
    kind, at = event["type"], event["occurred_at"]
    row["events"] += 1
    if kind == "profile_updated":
        row["email"] = event["properties"].get("email", "")
    elif kind == "consent_granted":
        row["consent"] = True
    row["score"] += POINTS.get(kind, 0)
    if kind not in ANSWERED or not row["consent"] or not row["email"]:
        return row, None
    # Instants are compared as text, whose order is that of time; the day is the calendar's.
    sent = [other for other in row["sent"] if other[:10] == at[:10]]
    if len(sent) >= CAP:
        return row, None
    row["sent"] = [*sent, at]
    command = {
        "command_id": event["event_id"],
        "channel": "email",
        "contact_id": event["contact_id"],
        "program": "answer",
        "template": "answer",
        "purpose": "marketing",
        "decided_at": at,
    }
    return row, command
