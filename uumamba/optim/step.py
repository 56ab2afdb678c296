"""One optimisation step under any update rule; the only place that touches model, scale, random state and clipping."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from uumamba.core.errors import NotFiniteError, UumambaError
from uumamba.core.random_state import RandomState
from uumamba.optim.loss_scale import LossScale
from uumamba.optim.restored import copy_all, restored

Precision = Literal["fp32", "bf16", "fp16"]
Gradients = dict[nn.Parameter, Tensor]

_HALF_TYPES: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}
_TOTAL = ""  # beside the terms' names


class Loss(Protocol):
    """What an objective returns."""

    @property
    def total(self) -> Tensor:
        """The scalar to differentiate."""

    @property
    def terms(self) -> Mapping[str, Tensor]:
        """Parts of the loss for the log, name -> scalar."""


Objective = Callable[[nn.Module, Any], Loss]
Rule = Callable[["Step"], Gradients]


@dataclass(frozen=True)
class StepOutcome:
    """What one step did.

    `loss` and `terms` are those of the first evaluation, at the base point, averaged over the micro-batches.
    `gradient_norm` is the 2-norm of the model's gradients before clipping. `skipped`: a loss or gradient was not
    finite, and nothing has changed but the random state and the counters.
    """

    loss: float
    terms: dict[str, float]
    gradient_norm: float
    skipped: bool


def _synchronised(_: nn.Module) -> AbstractContextManager[None]:
    return nullcontext()


class Step:
    """Takes optimisation steps, `step(rule, micro_batches)`; a rule reads `params` and calls `grad` and `at`.

    `params` are the model's weights that the optimizer holds; they may be perturbed. What else the optimizer holds (a
    loss's own weights) gets its gradient from the same evaluations, but is never perturbed and is clipped by itself,
    so that it does not change the network's update. `progress` is the share of the run that is done, from 0 to 1, for
    rules that change over it; the loop sets it before each step (0 until then), and no state holds it.

    In a distributed run each synchronised evaluation is reduced by its own backward pass, so once per micro-batch with
    our rules. A process that meets a loss or gradient that is not finite does not stop, it makes its later losses NaN:
    all processes come to every reduction, and all skip. A loss with own weights must be wrapped like the model, and
    gradients must not be views of the reducer's buckets (the default), since they outlive the next evaluation.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        objectives: Mapping[str, Objective],
        *,
        clip_norm: float = 12.0,
        precision: Precision = "fp32",
        backward: Callable[[Tensor], None] = torch.Tensor.backward,
        unsynchronised: Callable[[nn.Module], AbstractContextManager[Any]] = _synchronised,
        skip_limit: int = 20,
    ) -> None:
        """Step `model` by `optimizer` on `objectives`, name -> ((model, batch) -> loss); "task" is the usual one.

        `clip_norm` bounds the 2-norm of the final gradients. `precision` sets autocast; only fp16 scales the loss.
        `backward(loss)` and `unsynchronised(model)`, a context without gradient synchronisation, are Fabric's in a
        distributed run. After `skip_limit` skips in a row (0: never) the step raises.
        """
        self.model = model
        self.optimizer = optimizer
        self.objectives = dict(objectives)
        self.clip_norm = clip_norm
        self.precision = precision
        self.skip_limit = skip_limit
        self.progress = 0.0
        self.skipped = 0
        self.skipped_in_a_row = 0
        self._backward = backward
        self._unsynchronised = unsynchronised
        self._scale = LossScale() if precision == "fp16" else None

        held = {parameter: None for group in optimizer.param_groups for parameter in group["params"]}
        of_model = dict.fromkeys(model.parameters())
        self.params = [parameter for parameter in of_model if parameter in held]
        self._others = [parameter for parameter in held if parameter not in of_model]
        self._all = [*of_model, *self._others]
        if not self.params:
            raise UumambaError("step: the optimizer holds none of the model's weights; build it for this model")
        self._device = self.params[0].device

        self._batch: Any = None
        self._random_state: RandomState | None = None
        self._clean: list[dict[str, Tensor]] = []
        self._finite = torch.ones((), dtype=torch.bool, device=self._device)

    def __call__(self, rule: Rule, micro_batches: Sequence[Any]) -> StepOutcome:
        """Apply `rule` to each micro-batch, average, clip and let the optimizer act, or skip.

        Raises `NotFiniteError` after `skip_limit` skips in a row. If anything raises, the weights are as before.
        """
        if not micro_batches:
            raise UumambaError("optimisation step: at least one micro-batch is needed, got none; check the data loader")
        self._clean = []
        self._finite = torch.ones_like(self._finite)
        buffers = list(self.model.buffers())
        base = [buffer.clone() for buffer in buffers]
        try:
            outcome = self._apply(self._average(rule, micro_batches))
            if outcome.skipped:
                copy_all(base, buffers)
                self._count_skip(outcome)
            return outcome
        finally:
            self._forget_gradients()
            self._batch, self._clean = None, []

    def grad(self, objective: str = "task", *, synchronise: bool = True) -> Gradients:
        """Evaluate an objective on the current micro-batch at the current weights; return its gradients, unscaled.

        A parameter that the objective does not reach is absent. Every evaluation of a micro-batch starts from the same
        random state. With `synchronise=False` the gradients are this process's own.
        """
        if objective not in self.objectives:
            raise UumambaError(f"optimisation step: no objective {objective!r}; there are {', '.join(self.objectives)}")
        first = self._rewind_random_state()
        self._forget_gradients()
        with nullcontext() if synchronise else self._unsynchronised(self.model):
            with self._autocast():
                loss = self.objectives[objective](self.model, self._batch)
            if first:
                self._clean.append({_TOTAL: loss.total.detach(), **loss.terms})
            self._finite = self._finite & torch.isfinite(loss.total.detach())
            scale = 1.0 if self._scale is None else self._scale.value
            self._backward(loss.total * torch.where(self._finite, scale, math.nan))
        gradients = {parameter: parameter.grad for parameter in self._all if parameter.grad is not None}
        if self._scale is not None:
            torch._foreach_mul_(list(gradients.values()), 1 / self._scale.value)
        self._finite = self._finite & torch.isfinite(get_total_norm(gradients.values()))
        return gradients

    @contextmanager
    def at(self, offsets: Gradients) -> Iterator[None]:
        """Move weights by `offsets` for the block; they and all buffers then return bitwise, whatever happens in it.

        Storage is never rebound, so views stay views. With the buffers, running statistics see only the base point.
        """
        kept = [*(parameter.detach() for parameter in offsets), *self.model.buffers()]
        with restored(kept):
            if offsets:
                torch._foreach_add_(kept[: len(offsets)], list(offsets.values()))
            yield

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs besides model, optimizer and random states: plain numbers."""
        scale = None if self._scale is None else {"value": self._scale.value, "good_steps": self._scale.good_steps}
        return {"skipped": self.skipped, "skipped_in_a_row": self.skipped_in_a_row, "scale": scale}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`; its loss scale is taken over if both precisions have one."""
        self.skipped = state["skipped"]
        self.skipped_in_a_row = state["skipped_in_a_row"]
        if self._scale is not None and state["scale"] is not None:
            self._scale = LossScale(**state["scale"])

    def _average(self, rule: Rule, micro_batches: Sequence[Any]) -> Gradients:
        average: Gradients = {}
        for batch in micro_batches:
            self._batch, self._random_state = batch, None
            for parameter, gradient in rule(self).items():
                average[parameter] = average[parameter] + gradient if parameter in average else gradient
        if len(micro_batches) > 1:
            average = {parameter: gradient / len(micro_batches) for parameter, gradient in average.items()}
        return average

    def _apply(self, gradients: Gradients) -> StepOutcome:
        """Clip and apply final gradients if all evaluations were finite; the only wait for the device."""
        norm, norm_of_others = (
            get_total_norm([gradients[parameter] for parameter in group if parameter in gradients]).to(self._device)
            for group in (self.params, self._others)
        )
        finite = self._finite & torch.isfinite(norm) & torch.isfinite(norm_of_others)
        outcome = self._outcome(finite, norm)
        if self._scale is not None:
            self._scale.update(finite=not outcome.skipped)
        if outcome.skipped:
            return outcome
        self.skipped_in_a_row = 0
        for parameter in self._all:
            parameter.grad = gradients.get(parameter)
        clip_grads_with_norm_(self.params, self.clip_norm, norm)
        clip_grads_with_norm_(self._others, self.clip_norm, norm_of_others)
        self.optimizer.step()
        return outcome

    def _outcome(self, finite: Tensor, norm: Tensor) -> StepOutcome:
        names = list(self._clean[0])
        clean = [torch.stack([losses[name].detach().float() for losses in self._clean]).mean() for name in names]
        is_finite, gradient_norm, *means = torch.stack([finite.float(), norm.float(), *clean]).tolist()
        terms = dict(zip(names, means, strict=True))
        return StepOutcome(loss=terms.pop(_TOTAL), terms=terms, gradient_norm=gradient_norm, skipped=is_finite == 0)

    def _count_skip(self, outcome: StepOutcome) -> None:
        self.skipped += 1
        self.skipped_in_a_row += 1
        if self.skipped_in_a_row == self.skip_limit:
            scale = "" if self._scale is None else f", loss scale {self._scale.value:g}"
            raise NotFiniteError(
                f"training stopped: {self.skip_limit} steps in a row were skipped because a loss or gradient was not "
                f"finite (last loss {outcome.loss:g}, gradient norm {outcome.gradient_norm:g}, {self.precision}"
                f"{scale}); the weights are those of the last good step; lower the learning rate or rho, train in bf16 "
                "or fp32, or check the images"
            )

    def _rewind_random_state(self) -> bool:
        """Give each evaluation of a micro-batch the same random state; tell whether this is the first one."""
        if self._random_state is None:
            self._random_state = RandomState.capture(self._device)
            return True
        self._random_state.restore(self._device)
        return False

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "fp32":
            return nullcontext()
        # a cast that an outer autocast remembers would hide the perturbation from the second evaluation
        return torch.autocast(self._device.type, dtype=_HALF_TYPES[self.precision], cache_enabled=False)

    def _forget_gradients(self) -> None:
        for parameter in self._all:
            parameter.grad = None
