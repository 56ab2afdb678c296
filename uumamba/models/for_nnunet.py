"""U-Mamba as nnU-Net builds a network: from the `architecture` of its plans.json."""

from typing import Any

from torch import Tensor

from uumamba.core.errors import InputError
from uumamba.core.settings import Settings
from uumamba.core.topology import Topology
from uumamba.models.decoders.table import DecoderSettings
from uumamba.models.decoders.unet import UNetDecoderSettings
from uumamba.models.encoder import Generation
from uumamba.models.umamba import MambaPlace, UMamba

_UNET = UNetDecoderSettings()


class _Arguments(Settings):
    """The `arch_kwargs`: nnU-Net's names where it has one, then ours. `every_head`: has heads for deep supervision."""

    features_per_stage: tuple[int, ...]
    kernel_sizes: tuple[tuple[int, ...], ...]
    strides: tuple[tuple[int, ...], ...]
    n_conv_per_stage: tuple[int, ...]
    n_conv_per_stage_decoder: tuple[int, ...]
    patch_size: tuple[int, ...]
    mamba: MambaPlace
    generation: Generation
    decoder: DecoderSettings = _UNET
    every_head: bool


class UMambaForNnunet(UMamba):
    """The same network, parameters by the same names, for nnU-Net's trainer and predictor.

    It gives a list of logits, one per decoder stage, exactly while `decoder.deep_supervision` is set, which nnU-Net's
    trainer switches, in training and in evaluation. Its heads are there whether it is set or not. Raises `InputError`
    if deep supervision is asked of weights that have one head.
    """

    def __init__(
        self, *, input_channels: int, num_classes: int, deep_supervision: bool = True, **arch_kwargs: Any
    ) -> None:
        arguments = _Arguments.model_validate(arch_kwargs)
        if deep_supervision and not arguments.every_head:
            raise InputError(
                "network: trained without deep supervision, it has one head; train it with nnU-Net's "
                "nnUNetTrainerNoDeepSupervision"
            )
        topology = Topology(
            patch_size=arguments.patch_size,
            features=arguments.features_per_stage,
            kernels=arguments.kernel_sizes,
            strides=arguments.strides,
            blocks_encoder=arguments.n_conv_per_stage,
            blocks_decoder=arguments.n_conv_per_stage_decoder,
        )
        super().__init__(
            topology,
            input_channels=input_channels,
            classes=num_classes,
            mamba=arguments.mamba,
            generation=arguments.generation,
            deep_supervision=arguments.every_head,
            fusion=arguments.decoder.fusion(topology, arguments.generation),
        )
        self.decoder.deep_supervision = deep_supervision

    def forward(self, x: Tensor) -> list[Tensor] | Tensor:
        """Logits as `UMamba.forward`, in a list exactly while `decoder.deep_supervision` is set."""
        every_level = self.decoder.deep_supervision
        logits = self.every_logits(x, every_level=every_level)
        return logits if every_level else logits[0]


def nnunet_architecture(
    topology: Topology,
    *,
    mamba: MambaPlace,
    generation: Generation,
    every_head: bool,
    decoder: DecoderSettings = _UNET,
) -> dict[str, Any]:
    """The `architecture` of plans.json from which nnU-Net builds this network, where uumamba is installed."""
    arguments = _Arguments(
        features_per_stage=topology.features,
        kernel_sizes=topology.kernels,
        strides=topology.strides,
        n_conv_per_stage=topology.blocks_encoder,
        n_conv_per_stage_decoder=topology.blocks_decoder,
        patch_size=topology.patch_size,
        mamba=mamba,
        generation=generation,
        decoder=decoder,
        every_head=every_head,
    )
    return {
        "network_class_name": f"{UMambaForNnunet.__module__}.{UMambaForNnunet.__qualname__}",
        "arch_kwargs": arguments.model_dump(mode="json"),
        "_kw_requires_import": [],
    }
