"""The model card that travels in a bundle."""

from collections.abc import Mapping, Sequence
from typing import Any

from uumamba.core.settings import leaves
from uumamba.data.plan import Plan

_LIMITATIONS = (
    "Research use only: not a medical device, not for diagnosis or treatment. A person must look at every result.",
    "Other scanners, sequences, views, diseases and patients than those of the training data may fail without a sign.",
)

IMAGE_AXES = {
    "canonical": "Images may be stored in any orientation.",
    "stored": "Images are taken in the axes that they are stored in: store them as the training images were.",
}
"""What a plan's orientation asks of its users."""


def write_model_card(
    *,
    plan: Plan,
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    origin: Mapping[str, Any] | None,
    versions: Mapping[str, str],
    terms: Mapping[str, str],
    use: Mapping[str, Sequence[str]],
    limitations: Sequence[str],
) -> str:
    """A model card in Markdown: intended use, input and output, training data, scores, limitations, versions.

    `network`, `training` and `origin` are JSON values: the network's settings, the training record, the origin. `terms`
    are those of the training data, `use` sections (title -> lines) on what inference does with the network's output.
    """
    structures = plan.labels.in_words
    spacing = " x ".join(f"{value:g}" for value in plan.spacing_mm)
    patch = " x ".join(str(size) for size in plan.patch_size)
    sections = [
        ("Intended use", [f"Research use only: {structures} in images like those of {plan.dataset}."]),
        (
            "Input and output",
            [
                f"Channels: {', '.join(f'{channel.name} ({channel.normalization})' for channel in plan.channels)}.",
                f"Plan {plan.configuration}: spacing {spacing} mm (network axis order), patch {patch}.",
                IMAGE_AXES[plan.orientation],
                f"Output: a label map on the input's own grid; 0 background, {structures}.",
            ],
        ),
        ("Network", [f"{key}: {value}" for key, value in leaves(network).items()]),
        ("Training data", [f"{plan.dataset}, {len(training['cases']) or 'unknown number of'} cases.",
                           *(f"{key}: {value}" for key, value in terms.items())]),
        ("Training", [f"{key}: {training[key]}" for key in ("seed", "epochs", "fold") if training[key] is not None]),
        ("Imported from", _lines(origin or {})),
        ("Scores", [f"{name}: {_score(value)}" for name, value in training["scores"].items()] or ["Not evaluated."]),
        *use.items(),
        ("Limitations", [*_LIMITATIONS, *limitations]),
        ("Versions", [f"{name} {version}" for name, version in versions.items()]),
    ]  # fmt: skip
    body = [f"## {title}\n\n" + "\n".join(f"* {line}" for line in lines) for title, lines in sections if lines]
    return "\n\n".join([f"# {plan.dataset} {plan.configuration}, {network.get('name', 'network')}", *body]) + "\n"


def _lines(origin: Mapping[str, Any]) -> list[str]:
    contradictions = origin.get("contradictions", ())
    return [*(f"{key}: {value}" for key, value in origin.items() if key != "contradictions"), *contradictions]


def _score(value: float | None) -> str:
    return "no value" if value is None else f"{value:.4f}"
