"""The house's own figures: limits, thresholds, rules, what is reported. Read once, and proved."""

from pathlib import Path
from typing import Literal

import msgspec
import yaml

from engine.compliance.limits import Ceiling, Limits, read_zones
from engine.compliance.matching import Scoring
from engine.compliance.risk import RiskPolicy
from engine.money import CURRENCIES
from engine.plain_yaml import read_yaml

POLICY_FILE = Path(__file__).parent / "policy.yaml"


class Screening(Scoring, frozen=True, forbid_unknown_fields=True):
    """How names are scored, and when a list is not believed any more."""

    list_smaller_percent_min: int
    list_stale_days: int
    list_expired_days: int = 30  # then it counts as none, where lists are required

    def __post_init__(self) -> None:
        if not 0 < self.reported_min <= self.hold_min <= self.refuse_min <= 100:
            raise ValueError("0 < reported_min <= hold_min <= refuse_min <= 100")
        if self.without_birth_max >= self.refuse_min:
            raise ValueError("a name alone must not refuse: without_birth_max < refuse_min")
        if not 0 < self.list_stale_days < self.list_expired_days:
            raise ValueError("0 < list_stale_days < list_expired_days: the alarm comes first")


class SimPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done about a payer whose SIM was changed, where somebody tells (`SimPort`)."""

    hold_hours: int = 72
    unknown: Literal["pay", "hold"] = "pay"

    def __post_init__(self) -> None:
        if self.hold_hours < 0:
            raise ValueError(f"no number of hours: {self.hold_hours}")


class NamePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose operator is asked, behind the confirm, for a name that it did not tell before."""

    asked_of: tuple[Literal["payer", "payee"], ...] = ("payee", "payer")
    unknown: Literal["pay", "hold"] = "pay"


class LargeFrom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From this sum of one day on, a payer's payments are reported. Minor units."""

    currency: str
    minor: int

    def __post_init__(self) -> None:
        if self.currency not in CURRENCIES or self.minor <= 0:
            raise ValueError(f"no threshold: {self.currency} {self.minor}")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    limits: dict[str, dict[int, Ceiling]]
    screening: Screening
    risk: RiskPolicy
    large: dict[str, LargeFrom]
    sim: SimPolicy = SimPolicy()
    names: NamePolicy = NamePolicy()


class Policy(msgspec.Struct, frozen=True):
    """All of it. `large` is country -> threshold."""

    limits: Limits
    screening: Screening
    risk: RiskPolicy
    large: dict[str, LargeFrom]
    sim: SimPolicy = SimPolicy()
    names: NamePolicy = NamePolicy()


def read_policy(path: Path = POLICY_FILE) -> Policy:
    """Raises OSError, or msgspec.ValidationError that says which figure makes no sense."""
    try:
        told = msgspec.convert(read_yaml(path.read_text(encoding="utf-8")), _File)
        limits = Limits(told.limits, read_zones())
    except msgspec.ValidationError:
        raise
    except (ValueError, yaml.YAMLError) as error:
        raise msgspec.ValidationError(f"{path.name}: {error}") from error
    return Policy(limits, told.screening, told.risk, told.large, told.sim, told.names)
