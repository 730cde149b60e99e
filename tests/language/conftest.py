"""A small shop, and the means to load changed copies of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from processor.language import LanguageError, Loaded, load_topology

SHOP = """\
topology: shop
timezone: Europe/London
events:
  page_viewed: {url: string, seconds: number?}
  order_completed: {order_id: string, value: number?, lines: list?, cart_id: string?}
  cart_abandoned: {cart_id: string, value: number, lines: number?}
  email_clicked: {template: string}
profile:
  email: string
  first_name: string
  birthday: date
  trial_ends: time
  owner: map
  tier: string
  visits: number
purposes: {marketing: {consent: required}, receipts: {transactional: true}}

channels:
  ads: {kind: audience}
  email: {expires_after: 2d, address: email, templates: [welcome, cart-reminder]}
  push: {expires_after: 4h}
  crm: {kind: task}
  slack: {kind: alert}
teams:
  inbound-sales: {channel: crm, members: [ana, ben]}
lists: [newsletter, vip]
scores:
  engagement:
    half_life: 14d
    max: 1000
    grades: {cold: 0, warm: 30, hot: {at: 60, until: 50}}
    rules:
      - on: page_viewed
        if: event.url == "/pricing"
        add: 3
        cap: {points: 10, per: 1d}
        name: pricing-page
      - {on: [order_completed, cart_abandoned], add: "event.value * 2"}
segments:
  both: in_segment("big-spender") and not in_segment("staff")
  big-spender: sum("order_completed", "value", within="90d") >= 500
  staff: {if: 'ends_with(profile.email, "@shop.example")'}
  engaged: score.engagement > 10
  reader: in_list("newsletter") and consent("marketing")
policies:
  quiet_hours:
    - {from: "21:00", to: "09:00", days: [mon, tue], channels: [push], purposes: [marketing]}
  caps:
    - {name: weekly-mail, at_most: 3, per: 7d, channels: [email], purposes: [marketing]}
    - {at_most: 1, per: 1d}
  holdout: 5
"""


class Shop:
    """Writes a topology folder and loads it, or returns the problems as texts."""

    text = SHOP

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, topology: str = SHOP, **programs: str) -> Path:
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "programs").mkdir(parents=True)
        (self.folder / "topology.yaml").write_text(topology, encoding="utf-8")
        for name, text in programs.items():
            path = self.folder / "programs" / f"{name.replace('_', '-')}.yaml"
            path.write_text(text, encoding="utf-8")
        return self.folder

    def load(self, topology: str = SHOP, **programs: str) -> Loaded:
        return load_topology(self.write(topology, **programs))

    def problems(self, topology: str = SHOP, **programs: str) -> list[str]:
        with pytest.raises(LanguageError) as caught:
            self.load(topology, **programs)
        return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")
