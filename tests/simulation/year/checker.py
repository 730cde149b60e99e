"""Watches a year and says what must not be: an account of its own, of the log, the outputs and the files.

It shares no code with what it checks: consent, quiet hours, caps and the rest are worked out anew from the
events and the YAML. A violation is counted by its rule; of each rule the first few are kept as text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from processor.core.outputs import Command, Decision
from tests.simulation.year.rules import Rules, minutes, ms

__all__ = ["Checker"]

KEPT: Final = 5
OPEN_DAYS_MAX: Final = 400
EXACTLY: Final = 1e-6
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MS: Final = 86_400_000
REMEMBERED_MS: Final = 100 * DAY_MS
ENDS: Final = frozenset({"goal", "exited", "observed_out"})
NOT_ENTERED: Final = frozenset({
    "no_key", "window_not_open", "window_closed", "audience", "audience_never", "already_inside",
    "too_many_enrollments", "reenter_never", "reenter_too_soon", "entrants_full", "outranked", "paused",
})  # fmt: skip


class _Contact:
    """What is known of a contact by its events alone."""

    __slots__ = ("alive_ms", "consent", "first_send_ms", "profile", "sends")

    def __init__(self) -> None:
        self.profile: dict[str, Any] = {}
        self.consent: dict[str, bool] = {}  # by purpose, or purpose/channel
        self.alive_ms = 0
        self.first_send_ms = 0
        self.sends: list[tuple[int, str, str]] = []  # when, channel, purpose; the recent ones

    def agrees(self, purpose: str, channel: str) -> bool:
        """The answer for the channel goes before the general one; no answer is no."""
        return self.consent.get(f"{purpose}/{channel}", self.consent.get(purpose, False))


class _Enrollment:
    """One run of a contact through a program, by its decisions."""

    __slots__ = ("contact", "entered_ms", "gone_ms", "kind", "program", "until_ms")

    def __init__(self, contact: str, program: str, entered_ms: int, kind: str) -> None:
        self.contact = contact
        self.program = program
        self.entered_ms = entered_ms
        self.kind = kind
        self.until_ms = 0
        self.gone_ms = 0  # since when its reason is gone, by the log


class Checker:
    """A watcher of :mod:`tests.simulation.year.world`. ``violations`` counts by rule."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.violations: Counter[str] = Counter()
        self.samples: dict[str, list[str]] = defaultdict(list)
        self.checked: Counter[str] = Counter()
        self.suppressed: Counter[str] = Counter()
        self.spent: defaultdict[tuple[str, str], float] = defaultdict(float)  # by budget and period
        self._contacts: defaultdict[str, _Contact] = defaultdict(_Contact)
        self._open: dict[str, _Enrollment] = {}
        self._inside: defaultdict[str, dict[str, _Enrollment]] = defaultdict(dict)
        self._ended: dict[str, int] = {}
        self._command_ids: set[str] = set()
        self._entered_once: set[tuple[str, str, str]] = set()
        self._owed: dict[tuple[str, str, int], None] = {}  # entries that a decision has to answer
        self._plain = rules.plain_entries()
        self._stops = {name: rules.ends(name) for name in rules.programs}
        self._zones: dict[str, ZoneInfo] = {}

    # -------------------------------------------------------------------------------------- what comes in

    def event(self, at_ms: int, contact: str, kind: str, properties: dict[str, Any]) -> None:
        """Note what the event says of the contact, and which enrollments must be over now."""
        self._settle_owed(at_ms)
        known = self._contacts[contact]
        if kind == "profile_updated":
            known.profile.update(properties)
        elif kind in {"consent_granted", "consent_withdrawn"}:
            self._answer(known, properties, granted=kind == "consent_granted")
        if kind in self.rules.dormant.get("of", ()):
            known.alive_ms = at_ms
        for running in self._inside[contact].values():
            if not running.gone_ms and self._is_over(running, at_ms, kind, properties):
                running.gone_ms = at_ms
        for program in self._plain.get(kind, ()):
            self._owed[contact, program, at_ms] = None

    def _is_over(self, running: _Enrollment, at_ms: int, kind: str, properties: dict[str, Any]) -> bool:
        """Whether the event is the goal or an exit of the program, whatever it holds."""
        if kind == "consent_withdrawn" and self.rules.leaves_on_withdrawal(running.program):
            purpose = self.rules.programs[running.program].get("purpose", "")
            return "channel" not in properties and properties.get("purpose", purpose) == purpose
        within_ms = self._stops[running.program].get(kind)
        return within_ms is not None and (not within_ms or at_ms <= running.entered_ms + within_ms)

    def _answer(self, known: _Contact, properties: dict[str, Any], *, granted: bool) -> None:
        purpose, channel = properties.get("purpose"), properties.get("channel")
        if channel:
            known.consent[f"{purpose}/{channel}"] = granted
            return
        purposes = [purpose] if purpose else list(self.rules.needs_consent)
        for name in purposes:
            if granted:
                known.consent[name] = True
            else:
                for key in [key for key in known.consent if key.split("/")[0] == name]:
                    known.consent[key] = False

    def command(self, command: Command) -> None:
        """A command: of an enrollment that runs, once, and if it is a message by every policy."""
        self.checked["commands"] += 1
        if command.command_id in self._command_ids:
            self._wrong("command-twice", command, "its id was used before")
        self._command_ids.add(command.command_id)
        ended = self._ended.get(command.enrollment)
        if ended is not None and command.decided_ms >= ended:
            self._wrong("sent-after-exit", command, f"its enrollment ended at {ended}")
        running = self._open.get(command.enrollment)
        if running is not None and running.kind == "holdout":
            self._wrong("holdout-treated", command, "the contact is held out")
        if running is not None and 0 < running.gone_ms < command.decided_ms:
            self._wrong("sent-without-reason", command, f"the log ended it at {running.gone_ms}")
        if command.channel in self.rules.messages:
            self._message(command)

    def _message(self, command: Command) -> None:
        self.checked["messages"] += 1
        known = self._contacts[command.contact_id]
        purpose, channel, at_ms = command.purpose, command.channel, command.decided_ms
        if self.rules.needs_consent[purpose] and not known.agrees(purpose, channel):
            self._wrong("no-consent", command, f"there is no consent for {purpose}")
        attribute = self.rules.address[channel]
        if attribute and not known.profile.get(attribute):
            self._wrong("no-address", command, f"{attribute} is not known")
        if purpose in self.rules.transactional:
            return
        if self._quiet_until(known, channel, purpose, at_ms):
            self._wrong("quiet", command, "it is quiet")
        elif command.expires_ms > self._next_quiet(known, channel, purpose, at_ms):
            self._wrong("into-quiet", command, "it is good beyond the next quiet period")
        if self._blackout(known, channel, purpose, at_ms):
            self._wrong("blackout", command, "it is a day of a blackout")
        for cap in self.rules.caps:
            if cap.counts(channel, purpose) and self._used(known, cap, at_ms) >= cap.at_most:
                self._wrong("above-cap", command, f"the cap {cap.name} is used up")
        if self._dormant_full(known, at_ms):
            self._wrong("dormant", command, "the contact is dormant, and had its share")
        self._spend(command)
        known.sends = [one for one in known.sends if one[0] > at_ms - REMEMBERED_MS]
        known.sends.append((at_ms, channel, purpose))
        known.first_send_ms = known.first_send_ms or at_ms

    def decision(self, decision: Decision) -> None:
        """A decision: it moves its enrollment, and if something was held back its reason has to be true."""
        self.checked["decisions"] += 1
        kind, at_ms = decision.kind, decision.at_ms
        if kind in {"entered", "holdout", "not_entered"}:
            self._owed.pop((decision.contact_id, decision.program, at_ms), None)
        if kind in {"entered", "holdout"}:
            self._enter(decision)
        elif kind in {"suppressed", "held", "not_entered"}:
            self._explained(decision)
        if not decision.enrollment or kind == "not_entered":
            return
        running = self._open.get(decision.enrollment)
        if running is None:
            if kind not in {"entered", "holdout"}:
                self._wrong("unknown-enrollment", decision, f"{kind} of an enrollment that does not run")
            return
        if kind in ENDS or (kind == "completed" and not self._observed(running, at_ms)):
            del self._open[decision.enrollment]
            self._inside[decision.contact_id].pop(decision.enrollment, None)
            self._ended[decision.enrollment] = at_ms
        elif running.kind != "holdout":
            running.kind = kind
            running.until_ms = (decision.detail or {}).get("until", 0)

    def fault(self, reason: str) -> None:
        """An input was refused."""
        self.violations["fault"] += 1
        self.samples["fault"].append(reason)

    def finish(self, end_ms: int) -> None:
        """The year is over: whoever is still inside has to be waiting for something that comes."""
        self._settle_owed(end_ms)
        for name, running in self._open.items():
            self.checked["open at the end"] += 1
            window_ms = self.rules.goal_ms(running.program)
            if running.kind in {"holdout", "completed"}:
                fine = running.entered_ms + window_ms >= end_ms - 1
            elif running.kind in {"waiting", "held"}:
                fine = running.until_ms >= end_ms - 1
            else:
                fine = False
            if end_ms - running.entered_ms > OPEN_DAYS_MAX * DAY_MS:
                fine = False
            if not fine:
                text = f"{name} of {running.contact} in {running.program}: {running.kind}"
                self._note("stuck", f"{text}, until {running.until_ms}")

    def _spend(self, command: Command) -> None:
        """Take what the send costs out of the budgets that cover it."""
        for budget in self.rules.budgets:
            if not budget.covers(command.program, command.channel, command.purpose):
                continue
            local = datetime.fromtimestamp(command.decided_ms / 1000, ZoneInfo(self.rules.zone))
            period = (budget.name, budget.period(local))
            cost = (command.program, command.channel, command.template, command.values)
            self.spent[period] += 1.0 if budget.counted else self.rules.cost(*cost)
            if self.spent[period] > budget.amount + EXACTLY:
                self._wrong("above-budget", command, f"{budget.name} is overdrawn: {self.spent[period]}")

    # ------------------------------------------------------------------------------------------- entering

    def _enter(self, decision: Decision) -> None:
        self.checked["entered"] += 1
        contact, program = decision.contact_id, decision.program
        made = _Enrollment(contact, program, decision.at_ms, decision.kind)
        key = str((decision.detail or {}).get("key", ""))
        if self.rules.once(program):
            if (contact, program, key) in self._entered_once:
                self._wrong("entered-twice", decision, "nobody enters this program twice")
            self._entered_once.add((contact, program, key))
        group, value = self.rules.group_of(program)
        if group and decision.kind == "entered":
            for other in self._inside[contact].values():
                theirs, rank = self.rules.group_of(other.program)
                walks = other.kind not in {"holdout", "completed"}
                if theirs == group and rank > value and walks:
                    self._wrong("outranked", decision, f"the contact is in {other.program}, of higher value")
        self._open[decision.enrollment] = made
        self._inside[contact][decision.enrollment] = made

    def _observed(self, running: _Enrollment, at_ms: int) -> bool:
        """Whether all steps are done and the goal may still be reached."""
        return at_ms < running.entered_ms + self.rules.goal_ms(running.program)

    def _settle_owed(self, at_ms: int) -> None:
        """Entries of earlier instants have been answered, or never will be."""
        while self._owed:
            owed = next(iter(self._owed))
            if owed[2] >= at_ms:
                return
            del self._owed[owed]
            self._note("entry-unanswered", f"{owed[0]} at {owed[2]}: nothing says why not in {owed[1]}")

    # ------------------------------------------------------------------------------------------- policies

    def _used(self, known: _Contact, cap: Any, at_ms: int) -> int:
        since_ms = at_ms - cap.per_ms
        return sum(
            1 for at, channel, purpose in known.sends if at > since_ms and cap.counts(channel, purpose)
        )

    def _dormant_full(self, known: _Contact, at_ms: int, *, silent: bool = False) -> bool:
        """Whether a dormant contact has had its share; ``silent``: also who never gave a sign of life.

        Their silence begins with the first send that the row remembers, which is not for others to know: the
        first one ever is the earliest it can be.
        """
        rule = self.rules.dormant
        since_ms = known.alive_ms or (known.first_send_ms if silent else 0)
        if not rule or not since_ms:
            return False
        from_ms = since_ms + ms(rule["inactive"])
        if at_ms < from_ms:
            return False
        since_ms = max(from_ms, at_ms - ms(rule["per"]) + 1)
        return sum(1 for at, _, _ in known.sends if at >= since_ms) >= int(rule["at_most"])

    def _local(self, known: _Contact, at_ms: int) -> datetime:
        name = known.profile.get("tz") or self.rules.zone
        zone = self._zones.get(name)
        if zone is None:
            zone = self._zones[name] = ZoneInfo(name)
        return datetime.fromtimestamp(at_ms / 1000, zone)

    def _quiet_until(self, known: _Contact, channel: str, purpose: str, at_ms: int) -> bool:
        local = self._local(known, at_ms)
        now = local.hour * 60 + local.minute
        for rule in self.rules.quiet:
            if self._concerns(rule, channel, purpose):
                begin, end = minutes(rule["from"]), minutes(rule["to"])
                since_today = now >= begin and (now < end or end <= begin)
                since_yesterday = end <= begin and now < end
                if (since_today and self._starts(rule, local)) or (
                    since_yesterday and self._starts(rule, local - timedelta(days=1))
                ):
                    return True
        return False

    def _starts(self, rule: dict[str, Any], day: datetime) -> bool:
        """Whether these quiet hours start on that day."""
        return WEEKDAYS[day.weekday()] in rule.get("days", WEEKDAYS)

    def _next_quiet(self, known: _Contact, channel: str, purpose: str, at_ms: int) -> float:
        local = self._local(known, at_ms)
        found = float("inf")
        for rule in self.rules.quiet:
            if self._concerns(rule, channel, purpose):
                begin = minutes(rule["from"])
                start = local.replace(hour=begin // 60, minute=begin % 60, second=0, microsecond=0)
                while start <= local or not self._starts(rule, start):
                    start += timedelta(days=1)
                found = min(found, start.timestamp() * 1000)
        return found

    def _blackout(self, known: _Contact, channel: str, purpose: str, at_ms: int) -> bool:
        day = self._local(known, at_ms).date()
        return any(
            rule["from"] <= day <= rule["to"]
            for rule in self.rules.blackouts
            if self._concerns(rule, channel, purpose)
        )

    def _concerns(self, rule: dict[str, Any], channel: str, purpose: str) -> bool:
        channels, purposes = rule.get("channels"), rule.get("purposes")
        return (not channels or channel in channels) and (not purposes or purpose in purposes)

    # --------------------------------------------------------------------------------------- explanations

    def _explained(self, decision: Decision) -> None:
        """What was held back says why, and the reason holds by this account too."""
        reason, kind = decision.reason, decision.kind
        rule, _, name = reason.partition(":")
        self.suppressed[f"{kind} {reason}"] += 1
        if kind == "not_entered":
            if reason not in NOT_ENTERED:
                self._wrong("unexplained", decision, f"{reason!r} is no reason")
            return
        detail = decision.detail or {}
        known = self._contacts[decision.contact_id]
        channel, at_ms = detail.get("channel", ""), decision.at_ms
        purposes = self._purposes(decision)
        holds = {
            "no_address": lambda: not known.profile.get(self.rules.address.get(channel, "")),
            "no_consent": lambda: any(not known.agrees(one, channel) for one in purposes),
            "quiet_hours": lambda: any(self._quiet_until(known, channel, one, at_ms) for one in purposes),
            "blackout": lambda: any(self._blackout(known, channel, one, at_ms) for one in purposes),
            "cap": lambda: any(
                cap.name == name and self._used(known, cap, at_ms) >= cap.at_most for cap in self.rules.caps
            ),
            "dormant": lambda: self._dormant_full(known, at_ms, silent=True),
            "budget": lambda: any(spent > 0 for (one, _), spent in self.spent.items() if one == name),
            "held_too_long": lambda: bool(detail.get("held_by")),
            "breaker": lambda: True,
        }.get(rule)
        if holds is None:
            self._wrong("unexplained", decision, f"{reason!r} is no reason")
        elif not holds():
            self._wrong("untrue-reason", decision, f"{reason} does not hold by the log")

    def _purposes(self, decision: Decision) -> list[str]:
        """What the send may be for: its own purpose where the record has it, else any of the program's."""
        purpose = (decision.detail or {}).get("purpose")
        if purpose:
            return [purpose]
        text = str(self.rules.programs[decision.program])
        return [name for name in self.rules.needs_consent if f"'{name}'" in text]

    def _wrong(self, rule: str, about: Command | Decision, why: str) -> None:
        at = about.decided_ms if isinstance(about, Command) else about.at_ms
        step = f"{about.program}/{about.step} for {about.contact_id}"
        self._note(rule, f"{step} at {datetime.fromtimestamp(at / 1000)} ({about.kind}): {why}")  # noqa: DTZ006

    def _note(self, rule: str, text: str) -> None:
        self.violations[rule] += 1
        if len(self.samples[rule]) < KEPT:
            self.samples[rule].append(text)
