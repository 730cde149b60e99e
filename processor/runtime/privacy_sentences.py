"""Sentences for decisions about consent, erasure and what may be kept, for `sentences`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from processor.runtime.moments import Moment

__all__ = ["PRIVACY", "PRIVACY_REASONS"]

PRIVACY_REASONS: Final[Mapping[str, Mapping[str, str]]] = {
    "consented": {
        "granted": "consent given for {for}",
        "pending": "consent given for {for}, to be confirmed",
        "confirmed": "consent confirmed for {for}",
        "not_pending": "consent confirmed for {for}, but nothing was pending",
        "lapsed": "consent for {for} was not confirmed in time",
        "withdrawn": "consent withdrawn for {for}",
        "outdated": "consent given for {for}, but it had been withdrawn later than that, and stays so",
        "arrived": "the answers for {for} came with the contact that became this one",
    },
    "commanded": {"confirmation": "to confirm a consent"},
    "erased": {
        "asked": "everything held of the contact was erased",
        "other_id": "everything held of the contact was erased, as was asked under another of its ids",
        "alias": "this id was erased with the contact that it had become",
    },
    "forgotten": {"inactive": "nothing had come of the contact for long, and nothing is kept of it any more"},
    "refused": {"erased": "the contact was erased"},
}
"""kind -> reason -> what it means."""


def _said(moment: Moment) -> str:
    about = moment.detail
    text = PRIVACY_REASONS[moment.kind].get(moment.reason, moment.reason)
    return text.replace("{for}", ", ".join(about.get("for", ())))


def _consented(moment: Moment) -> str:
    about = moment.detail
    text = f", to the text {about['text']}" if about.get("text") else ""
    by = f", taken down by {about['by']}" if about.get("by") else ""
    return _said(moment) + text + by


def _erased(moment: Moment) -> str:
    channels = ", ".join(moment.detail.get("channels", ()))
    ended = moment.detail.get("enrollments")
    told = f"; told: {channels}" if channels else ""
    return _said(moment) + (f"; {ended} programs ended" if ended else "") + told


def _refused(moment: Moment) -> str:
    message = moment.detail.get("message")
    what = f"a message ({message})" if message else f"event {moment.detail.get('event')}"
    return f"{what} was not taken: {_said(moment)}"


def _unscored(moment: Moment) -> str:
    return f"score {moment.detail.get('score')} deleted: no consent to {moment.detail.get('needs')}"


def _not_scored(moment: Moment) -> str:
    score, needs = moment.detail.get("score"), moment.detail.get("needs")
    return f"{moment.step}: no points for {score}, no consent to {needs}"


def _cancelled(moment: Moment) -> str:
    channel, purpose = moment.detail.get("channel"), moment.detail.get("purpose")
    return f"{channel} is told to drop what is left of {purpose}"


def _anew(moment: Moment) -> str:
    return f"begins anew with event {moment.detail.get('event')}, after having been erased"


PRIVACY: Final[Mapping[str, Callable[[Moment], str]]] = {
    "consented": _consented,
    "unscored": _unscored,
    "not_scored": _not_scored,
    "cancelled": _cancelled,
    "erased": _erased,
    "forgotten": _erased,
    "refused": _refused,
    "anew": _anew,
}
"""kind -> its sentence."""
