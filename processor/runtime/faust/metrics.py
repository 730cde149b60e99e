"""What a worker shows: Prometheus series made when somebody asks, from what its partitions have counted.

Nothing is paid for them on the path of an event but the counting itself. Labels are bounded by the topology
(types, channels, programs, rules), by codes of ours (reasons, kinds, states) and by partitions; there is no
contact in any of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from processor.runtime.faust.deciding import Tally
from processor.runtime.faust.standing import LaneState

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from processor.runtime.faust.away import Presence
    from processor.runtime.faust.owner import Lanes

__all__ = ["SERIES", "WorkerCollector"]

SERIES: Final[Mapping[str, str]] = {
    "trayecto_events_total": "Events that were applied, by type.",
    "trayecto_dead_letters_total": "Records and timers that could not be taken, by reason.",
    "trayecto_commands_total": "Commands given, by channel and program.",
    "trayecto_decisions_total": "Decisions, by kind: what was decided or held back.",
    "trayecto_suppressed_total": "Sends that were not made, by the rule that held them back.",
    "trayecto_timers_quarantined_total": "Timers that raised and were stopped, by program: alert on it.",
    "trayecto_timers_released_total": "Stopped timers that an operator released, by program.",
    "trayecto_program_braked": "1 for a program that is stopped: paused, or by its breaker. Alert on it.",
    "trayecto_braked_total": "Tracks that a brake held (by which) or let go of, by program.",
    "trayecto_forwarded_total": "Records forwarded to the partition of their contact.",
    "trayecto_keys_misplaced_total": "Records whose key is not their contact, in the right partition.",
    "trayecto_records_total": "Records of source topics that were worked on.",
    "trayecto_records_skipped_total": "Records that were fetched again and had been worked on before.",
    "trayecto_records_restored_total": "Rows read from the changelog when partitions were taken over.",
    "trayecto_restoring_rows": "Rows read so far by a partition's latest restore from the changelog.",
    "trayecto_restoring_ratio": "How much of its changelog a partition's latest restore has read, 0 to 1.",
    "trayecto_transactions_total": "Transactions that were committed.",
    "trayecto_commit_seconds_total": "Time that committing took, from the beginning to the local write.",
    "trayecto_partition_restarts_total": "How often a partition began anew after an error.",
    "trayecto_chunks_dropped_total": "Chunks thrown away, by why: stale after a seek, or behind a lost one.",
    "trayecto_watermark_timestamp_seconds": "Until when a partition has decided, seconds since 1970 UTC.",
    "trayecto_partition_state": "1 for the state a partition is in.",
    "trayecto_partition_lost": "1 for a partition that is stopped because its position was lost, and why.",
    "trayecto_partition_resumed_total": "How often a lost position was mended by an operator's command.",
    "trayecto_registry_unanswered_total": "Questions to the schema registry that were not answered.",
    "trayecto_kafka_away_seconds": "For how long no broker has answered; 0 while one does.",
    "trayecto_kafka_away_total": "How often no broker answered for longer than away_after_s.",
    "trayecto_ready": "1 while Kafka answers and every partition of this worker is being worked on.",
}
"""Every series by name, with its help."""


class WorkerCollector(Collector):
    """Collects from the lanes of a worker and from what their engines counted."""

    def __init__(self, lanes: Lanes, presence: Presence, tallies: Mapping[int, Tally]) -> None:
        self._lanes = lanes
        self._presence = presence
        self._tallies = tallies

    def collect(self) -> Iterable[Metric]:
        """Return every family of :data:`SERIES`."""
        yield from self._decided(list(self._tallies.values()))
        yield from self._worked()

    def _decided(self, tallies: list[Tally]) -> Iterator[Metric]:
        yield _counter("trayecto_events_total", ["type"], _summed(t.events for t in tallies))
        yield _counter("trayecto_dead_letters_total", ["reason"], _summed(t.dead for t in tallies))
        commands = _summed(t.commands for t in tallies)
        yield _counter("trayecto_commands_total", ["channel", "program"], commands)
        yield _counter("trayecto_decisions_total", ["kind"], _summed(t.decisions for t in tallies))
        yield _counter("trayecto_suppressed_total", ["rule"], _summed(t.suppressed for t in tallies))
        stopped, let_go = _summed(t.quarantined for t in tallies), _summed(t.released for t in tallies)
        yield _counter("trayecto_timers_quarantined_total", ["program"], stopped)
        yield _counter("trayecto_timers_released_total", ["program"], let_go)
        yield _counter("trayecto_braked_total", ["program", "what"], _summed(t.braked for t in tallies))
        yield _plain("trayecto_forwarded_total", sum(t.forwarded for t in tallies))
        yield _plain("trayecto_keys_misplaced_total", sum(t.misplaced_keys for t in tallies))

    def _worked(self) -> Iterator[Metric]:
        counts = list(self._lanes.counts().values())
        yield _plain("trayecto_records_total", sum(c.records for c in counts))
        yield _plain("trayecto_records_skipped_total", sum(c.skipped for c in counts))
        yield _plain("trayecto_records_restored_total", sum(c.restored for c in counts))
        yield _plain("trayecto_transactions_total", sum(c.transactions for c in counts))
        yield _plain("trayecto_commit_seconds_total", sum(c.commit_s for c in counts))
        yield _plain("trayecto_partition_restarts_total", sum(c.restarts for c in counts))
        dropped = {"stale": sum(c.chunks_stale for c in counts), "lost": sum(c.chunks_lost for c in counts)}
        yield _counter("trayecto_chunks_dropped_total", ["why"], dropped)
        yield _plain("trayecto_partition_resumed_total", sum(c.resumed for c in counts))
        yield _plain("trayecto_registry_unanswered_total", sum(c.unanswered for c in counts))
        yield from self._restoring()
        states = self._lanes.states()
        marks = _gauge("trayecto_watermark_timestamp_seconds", ["partition"])
        for number in states:
            tally = self._tallies.get(number)
            if tally is not None and tally.watermark_ms:
                marks.add_metric([str(number)], tally.watermark_ms / 1000)
        yield marks
        yield _brakes([self._tallies[number] for number in states if number in self._tallies])
        stands = _gauge("trayecto_partition_state", ["partition", "state"])
        for number, (state, _) in states.items():
            for each in LaneState:
                stands.add_metric([str(number), each.value], float(each is state))
        yield stands
        lost = _gauge("trayecto_partition_lost", ["partition", "reason"])
        for number, code in self._lanes.lost().items():
            lost.add_metric([str(number), code], 1.0)
        yield lost
        away = _gauge("trayecto_kafka_away_seconds", [])
        away.add_metric([], self._presence.away_s)
        yield away
        yield _plain("trayecto_kafka_away_total", self._presence.times)
        ready = _gauge("trayecto_ready", [])
        ready.add_metric([], float(self._lanes.ready and not self._presence.reason))
        yield ready

    def _restoring(self) -> Iterator[Metric]:
        rows = _gauge("trayecto_restoring_rows", ["partition"])
        ratio = _gauge("trayecto_restoring_ratio", ["partition"])
        for number, found in self._lanes.restoring().items():
            rows.add_metric([str(number)], found.rows)
            ratio.add_metric([str(number)], found.share)
        yield rows
        yield ratio


def _brakes(tallies: list[Tally]) -> GaugeMetricFamily:
    family = _gauge("trayecto_program_braked", ["program", "brake"])
    found: dict[tuple[str, str], bool] = {}
    for tally in tallies:
        for name, (paused, tripped) in tally.brakes.items():
            for brake, on in (("paused", paused), ("breaker", tripped)):
                found[name, brake] = found.get((name, brake), False) or on
    for pair, on in sorted(found.items()):
        family.add_metric(list(pair), float(on))
    return family


def _summed(parts: Iterable[Mapping[Any, int]]) -> Mapping[Any, int]:
    total: Counter[Any] = Counter()
    for part in parts:
        total.update(part)
    return total


def _counter(name: str, labels: list[str], values: Mapping[Any, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, SERIES[name], labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(list(key) if isinstance(key, tuple) else [key], value)
    return family


def _plain(name: str, value: float) -> CounterMetricFamily:
    family = CounterMetricFamily(name, SERIES[name])
    family.add_metric([], value)
    return family


def _gauge(name: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, SERIES[name], labels=labels)
