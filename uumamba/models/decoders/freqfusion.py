"""FreqFusion (Chen et al., IEEE TPAMI 2024, arXiv 2408.12879): fusing a coarse and a fine feature map, in 2D and 3D."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import PositiveInt, ValidationError
from torch import Tensor, nn
from torch.nn import functional

from uumamba.core.errors import ConfigError, InputError
from uumamba.core.settings import Settings, first_problem
from uumamba.models.blocks import convolution, zero_bias
from uumamba.models.decoders.adaptive_kernels import KernelGenerator, Padding
from uumamba.models.decoders.offsets import OffsetGenerator, cut

_PUBLISHED = {
    "hr_channel_compressor.": "compress_hr.",
    "lr_channel_compressor.": "compress_lr.",
    "content_encoder.": "low_pass.encoder.",
    "content_encoder2.": "high_pass.encoder.",
    "dysampler.": "offset_generator.",
}
_PUBLISHED_CONSTANTS = ("hamming_lowpass", "hamming_highpass", "dysampler.init_pos")
_INTERPOLATION = {2: "bilinear", 3: "trilinear"}


class FreqFusionOptions(Settings):
    """Options by their published names, then ours: `scale` between the maps, `padding`; sizes per axis or for all.

    An axis whose `lowpass_kernel` is 1 is flat: all windows are 1 along it. `semi_conv` filters the coarse map while it
    is enlarged, and makes kernels of each map apart; without it both are enlarged before, the filtered one by
    `upsample_mode`. `comp_feat_upsample` sharpens the fine map before low-pass kernels are made of it, and enlarges the
    coarse map's logits by such kernels. `feature_resample` turns the offset generator on. `padding`: see
    `KernelGenerator`. What is published as `use_low_pass` has no effect there and is not here.
    """

    scale_factor: Literal[1] = 1
    lowpass_kernel: int | tuple[int, ...] = 5
    highpass_kernel: int | tuple[int, ...] = 3
    up_group: PositiveInt = 1
    encoder_kernel: int | tuple[int, ...] = 3
    encoder_dilation: PositiveInt = 1
    compressed_channels: PositiveInt = 64
    align_corners: bool = False
    upsample_mode: Literal["nearest", "bilinear"] = "nearest"
    feature_resample: bool = False
    feature_resample_group: PositiveInt = 4
    comp_feat_upsample: bool = True
    use_high_pass: bool = True
    hr_residual: bool = True
    semi_conv: bool = True
    hamming_window: bool = True
    feature_resample_norm: bool = True
    scale: int | tuple[int, ...] = 2
    padding: Padding = "zeros"


@dataclass(frozen=True)
class Responses:
    """What FreqFusion computes on its way, all of the fine map's size.

    `low_pass_kernels` and `high_pass_kernels` (batch, groups taps, *high) have sum 1; `smoothed_lr` is the coarse map
    enlarged and filtered, `lr` the same after resampling; `smoothed_hr` is what is taken from the fine map, `hr` the
    sharpened one. `offsets` as `OffsetGenerator` gives them. None for what is turned off.
    """

    low_pass_kernels: Tensor
    high_pass_kernels: Tensor | None
    smoothed_lr: Tensor
    smoothed_hr: Tensor | None
    offsets: Tensor | None
    lr: Tensor
    hr: Tensor


class FreqFusion(nn.Module):
    """Enlarges a coarse map, smooth inside structures and sharp at their borders, and sharpens the fine map.

    The adaptive low-pass filter (`low_pass`) enlarges the coarse map, the offset generator corrects where it is read
    (`offset_generator`), the adaptive high-pass filter (`high_pass`) amplifies the fine map's details. `options` are
    those of `FreqFusionOptions`. Published 2D state dicts load as they are. Raises `ConfigError` on wrong options.
    """

    def __init__(self, spatial_dims: int, hr_channels: int, lr_channels: int, **options: Any) -> None:
        super().__init__()
        try:
            self.options = chosen = FreqFusionOptions.model_validate(options)
        except ValidationError as error:
            raise ConfigError(f"FreqFusion: {first_problem(error)}") from None
        if spatial_dims not in _INTERPOLATION:
            raise ConfigError(f"FreqFusion: spatial_dims must be 2 or 3, got {spatial_dims}")
        low_pass = _per_axis("lowpass_kernel", chosen.lowpass_kernel, spatial_dims)
        self.scale = _per_axis("scale", chosen.scale, spatial_dims, odd=False)
        high_pass, encoder = (
            tuple(
                1 if low == 1 else size
                for low, size in zip(low_pass, _per_axis(name, sizes, spatial_dims), strict=True)
            )
            for name, sizes in (("highpass_kernel", chosen.highpass_kernel), ("encoder_kernel", chosen.encoder_kernel))
        )
        _check_groups(chosen, hr_channels, lr_channels)
        compressed = chosen.compressed_channels
        self.compress_hr, self.compress_lr = (
            convolution(channels, compressed, [1] * spatial_dims) for channels in (hr_channels, lr_channels)
        )
        kernels: dict[str, Any] = {
            "encoder_kernel": encoder,
            "encoder_dilation": chosen.encoder_dilation,
            "groups": chosen.up_group,
            "hamming": chosen.hamming_window,
            "padding": chosen.padding,
        }
        self.low_pass = KernelGenerator(compressed, low_pass, **kernels)
        self.high_pass = KernelGenerator(compressed, high_pass, **kernels) if chosen.use_high_pass else None
        self.offset_generator = (
            OffsetGenerator(
                compressed,
                kernel=encoder,
                scale=self.scale,
                groups=chosen.feature_resample_group,
                norm=chosen.feature_resample_norm,
            )
            if chosen.feature_resample
            else None
        )
        self.register_load_state_dict_pre_hook(_rename_published)  # type: ignore[no-untyped-call]
        self.initialise()

    def initialise(self) -> None:
        """Kernels start near the window alone, offsets near nothing."""
        for compressor in (self.compress_hr, self.compress_lr):
            nn.init.xavier_uniform_(compressor.weight)
            zero_bias(compressor)
        for generator in (self.low_pass, self.high_pass):
            if generator is not None:
                nn.init.normal_(generator.encoder.weight, std=0.001)
                zero_bias(generator.encoder)
        if self.offset_generator is not None:
            self.offset_generator.initialise()

    def forward(self, hr: Tensor, lr: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Low-pass kernels, the sharpened fine map and the enlarged coarse map.

        `hr` is (batch, hr_channels, *high), `lr` (batch, lr_channels, *low) with low = ceil(high / scale), and so are
        the results, but for the coarse map's size, which is *high; kernels are (batch, taps, *high).
        """
        responses = self.responses(hr, lr)
        return responses.low_pass_kernels, responses.hr, responses.lr

    def responses(self, hr: Tensor, lr: Tensor) -> Responses:
        """Everything on the way; arguments as of `forward`. Raises `InputError` if the maps do not fit."""
        self._check(hr, lr)
        fine, coarse = self.compress_hr(hr), self.compress_lr(lr)
        low_logits, high_logits, fine = self._logits(fine, coarse)
        kernels = self.low_pass.kernels(low_logits, scale=self.scale if self.options.semi_conv else self._ones)
        smoothed = self._enlarge(lr, kernels, hr.shape[2:])
        high_kernels, smoothed_hr = None, None
        if self.high_pass is not None and high_logits is not None:
            high_kernels = self.high_pass.kernels(high_logits, scale=self._ones)
            smoothed_hr = self.high_pass.smooth(hr, high_kernels, scale=self._ones)
            hr = hr - smoothed_hr + hr if self.options.hr_residual else hr - smoothed_hr
        offsets, enlarged = None, smoothed
        if self.offset_generator is not None:
            offsets = self.offset_generator(fine, coarse)
            enlarged = self.offset_generator.resample(smoothed, offsets)
        return Responses(kernels, high_kernels, smoothed, smoothed_hr, offsets, enlarged, hr)

    def _check(self, hr: Tensor, lr: Tensor) -> None:
        axes, channels = len(self.scale), (self.compress_hr.in_channels, self.compress_lr.in_channels)
        shapes = f"got hr {tuple(hr.shape)}, lr {tuple(lr.shape)}"
        fits = hr.ndim == lr.ndim == axes + 2 and (hr.shape[1], lr.shape[1]) == channels and len(hr) == len(lr)
        if not fits or 0 in hr.shape:
            raise InputError(
                f"FreqFusion: hr must be (batch, {channels[0]}, *high) and lr (batch, {channels[1]}, *low), with "
                f"{axes} spatial axes, none of them 0; {shapes}"
            )
        wanted = tuple(-(-size // step) for size, step in zip(hr.shape[2:], self.scale, strict=True))
        if tuple(lr.shape[2:]) != wanted:
            raise InputError(f"FreqFusion: for this hr and scale {self.scale} lr must have size {wanted}; {shapes}")

    @property
    def _ones(self) -> tuple[int, ...]:
        return (1,) * len(self.scale)

    def _logits(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Logits of low-pass and high-pass kernels, and the fine map as the offset generator takes it."""
        size = fine.shape[2:]
        if not self.options.semi_conv:
            both = self.repeat(coarse, size) + fine
            return self.low_pass.logits(both), None if self.high_pass is None else self.high_pass.logits(both), fine
        if not self.options.comp_feat_upsample:
            low = self.low_pass.logits(fine) + self.repeat(self.low_pass.logits(coarse), size)
            if self.high_pass is None:
                return low, None, fine
            return low, self.high_pass.logits(fine) + self.repeat(self.high_pass.logits(coarse), size), fine
        high = None
        if self.high_pass is not None:
            high = self.high_pass.logits(fine)
            kernels = self.high_pass.kernels(high, scale=self._ones)
            fine = 2 * fine - self.high_pass.smooth(fine, kernels, scale=self._ones)
        low = self.low_pass.logits(fine)
        low = low + self._by_kernels(self.low_pass.logits(coarse), low)
        if self.high_pass is not None and high is not None:
            high = high + self._by_kernels(self.high_pass.logits(coarse), low)
        return low, high, fine

    def _by_kernels(self, coarse: Tensor, logits: Tensor) -> Tensor:
        """A coarse map enlarged by the low-pass kernels of `logits`."""
        return self.low_pass.smooth(coarse, self.low_pass.kernels(logits, scale=self.scale), scale=self.scale)

    def _enlarge(self, lr: Tensor, kernels: Tensor, size: Sequence[int]) -> Tensor:
        if self.options.semi_conv:
            return self.low_pass.smooth(lr, kernels, scale=self.scale)
        return self.low_pass.smooth(self._interpolate(lr, size), kernels, scale=self._ones)

    def _interpolate(self, x: Tensor, size: Sequence[int]) -> Tensor:
        if self.options.upsample_mode == "nearest":
            return self.repeat(x, size)
        mode, align = _INTERPOLATION[len(size)], self.options.align_corners
        return functional.interpolate(x, size=tuple(size), mode=mode, align_corners=align)

    def repeat(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """A coarse map (batch, channels, *low) with every voxel repeated `scale` times, cut to `size`."""
        enlarged = functional.interpolate(x, scale_factor=tuple(map(float, self.scale)), mode="nearest")
        return cut(enlarged, size)


def _per_axis(name: str, given: int | tuple[int, ...], axes: int, *, odd: bool = True) -> tuple[int, ...]:
    numbers = (given,) * axes if isinstance(given, int) else given
    if len(numbers) != axes or any(number < 1 or (odd and number % 2 == 0) for number in numbers):
        what = "an odd number" if odd else "a whole number"
        raise ConfigError(f"FreqFusion: {name} must be {what}, at least 1, or one for each of {axes} axes, got {given}")
    return numbers


def _check_groups(options: FreqFusionOptions, hr_channels: int, lr_channels: int) -> None:
    """Groups of channels must divide them."""
    resampled = options.feature_resample_group if options.feature_resample else 1
    for name, groups, channels in (
        ("up_group", options.up_group, hr_channels),
        ("up_group", options.up_group, lr_channels),
        ("feature_resample_group", resampled, lr_channels),
    ):
        if channels % groups:
            raise ConfigError(f"FreqFusion: {name} must divide the {channels} channels of its map, got {groups}")


def _rename_published(_module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Published names to ours; published constants, which are made anew, are dropped."""
    for name in [name for name in state if name.startswith(prefix)]:
        published = name.removeprefix(prefix)
        part = next((theirs for theirs in _PUBLISHED if published.startswith(theirs)), None)
        if published in _PUBLISHED_CONSTANTS:
            del state[name]
        elif part is not None:
            state[prefix + _PUBLISHED[part] + published.removeprefix(part)] = state.pop(name)
