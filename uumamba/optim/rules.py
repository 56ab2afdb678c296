"""All update rules, by name."""

from typing import Annotated

from pydantic import Field

from uumamba.optim.plain import PlainSettings
from uumamba.optim.sharpness_aware import SharpnessAwareSettings

RuleSettings = Annotated[PlainSettings | SharpnessAwareSettings, Field(discriminator="name")]
