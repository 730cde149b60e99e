"""The step kinds, one file each."""

from processor.core.nodes.add_score import AddScore
from processor.core.nodes.alert import Alert
from processor.core.nodes.audience import Audience
from processor.core.nodes.change_consent import ChangeConsent
from processor.core.nodes.change_list import ChangeList
from processor.core.nodes.decide import Decide
from processor.core.nodes.enroll import Enroll
from processor.core.nodes.finish import Finish
from processor.core.nodes.jump import Jump
from processor.core.nodes.leave import Leave
from processor.core.nodes.offer import OFFERS_MAX, Choice, Offer
from processor.core.nodes.parallel import Parallel
from processor.core.nodes.repeat import Repeat
from processor.core.nodes.route import Route, Territory
from processor.core.nodes.send import Send, Way
from processor.core.nodes.series import PIECES_MAX, Series
from processor.core.nodes.set_profile import SetProfile
from processor.core.nodes.split import Split
from processor.core.nodes.wait import Wait, WaitClock, WaitTo
from processor.core.nodes.wait_best import WaitBest
from processor.core.nodes.wait_for import WaitFor
from processor.core.nodes.webhook import Webhook

__all__ = [
    "OFFERS_MAX",
    "PIECES_MAX",
    "AddScore",
    "Alert",
    "Audience",
    "ChangeConsent",
    "ChangeList",
    "Choice",
    "Decide",
    "Enroll",
    "Finish",
    "Jump",
    "Leave",
    "Offer",
    "Parallel",
    "Repeat",
    "Route",
    "Send",
    "Series",
    "SetProfile",
    "Split",
    "Territory",
    "Wait",
    "WaitBest",
    "WaitClock",
    "WaitFor",
    "WaitTo",
    "Way",
    "Webhook",
]
