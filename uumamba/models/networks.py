"""The networks that there are, chosen by name."""

from typing import Annotated

from pydantic import Field

from uumamba.models.baselines import NnunetPlainSettings, NnunetResEncMSettings
from uumamba.models.umamba import NoMambaSettings, UMambaSettings

NetworkSettings = Annotated[
    UMambaSettings | NoMambaSettings | NnunetPlainSettings | NnunetResEncMSettings, Field(discriminator="name")
]
"""Each says whether a scan runs in it, which blocks it has of its own (`adapt`), and builds the network (`build`)."""
