"""Sixteen float32 values side by side as one value of numba: a vector register, or two or four narrower ones.

Loops over lanes are then vector instructions by construction: no vectoriser must prove that arrays do not overlap.
`spread`, `load` and `store` move values; `+ - *` are elementwise and may be contracted to fused operations; `exp2`,
`softplus` and `sigmoid` err by a few units in the last place. NaN stays NaN.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

from uumamba.scan.cpu_problem import LANES

_CONTRACT = ("contract",)
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_WHOLE = ir.VectorType(ir.IntType(32), LANES)
_LOG2_E = math.log2(math.e)
# Added to a float below 2^22, it leaves the rounded value in the lowest bits of the sum.
_ROUNDER = float(3 << 22)
_LOWEST, _HIGHEST = -126.0, 127.0
_MANTISSA_BITS = 23
# Minimax polynomials, the lowest power first: 2^x for |x| <= 1/2; atanh(s) / s in powers of s^2 for s <= 1/3.
_EXP2 = (1.0, 0.69314721, 0.24022647, 0.055503288, 0.0096184890, 0.0013399931, 0.00015345812)
_ATANH = (1.0, 0.33333157, 0.20012455, 0.13980301, 0.14089167)


class _LanesType(types.Type):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__(name="Lanes")


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, lanes: Any) -> None:
        super().__init__(manager, lanes, _FLOATS)


_LANES = _LanesType()


def _intrinsic(write: Callable[..., Any]) -> Any:
    """A numba function whose instructions `write` writes."""
    return intrinsic(write)


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_FLOATS, [value] * LANES)


def _whole(value: int) -> ir.Constant:
    return ir.Constant(_WHOLE, [value] * LANES)


def _elementwise(arguments: int, build: Callable[..., Any]) -> Any:
    """A numba function from lanes to lanes whose instructions `build(builder, *values)` writes."""

    def typed(_context: Any, *given: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            return build(builder, *values)

        return _LANES(*given), generate

    if arguments == 1:
        return intrinsic(lambda context, x: typed(context, x))
    return intrinsic(lambda context, x, y: typed(context, x, y))


def _spread(builder: Any, value: Any) -> Any:
    first = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, ir.Constant(_FLOATS, ir.Undefined), _whole(0))


def _exp2_of(builder: Any, x: Any) -> Any:
    """Split x into a whole number, which goes into the exponent's bits, and a rest, for which a polynomial is good."""
    given = x
    x = builder.select(builder.fcmp_ordered("<", x, _constant(_LOWEST)), _constant(_LOWEST), x)
    x = builder.select(builder.fcmp_ordered(">", x, _constant(_HIGHEST)), _constant(_HIGHEST), x)
    shifted = builder.fadd(x, _constant(_ROUNDER))
    rest = builder.fsub(x, builder.fsub(shifted, _constant(_ROUNDER)))
    mantissa = _polynomial(builder, rest, _EXP2)
    exponent = builder.shl(builder.bitcast(shifted, _WHOLE), _whole(_MANTISSA_BITS))
    result = builder.bitcast(builder.add(builder.bitcast(mantissa, _WHOLE), exponent), _FLOATS)
    # The bits of a NaN may have become those of a number.
    return builder.select(builder.fcmp_unordered("uno", given, given), given, result)


def _softplus_of(builder: Any, x: Any) -> Any:
    """log(1 + e^x) = max(x, 0) + log(1 + t), t = e^-|x|, by log(1 + t) = 2 atanh(t / (2 + t)): exact for tiny t too."""
    negative = builder.fcmp_ordered("<", x, _constant(0.0))
    size = builder.select(negative, builder.fneg(x), x)
    t = _exp2_of(builder, builder.fmul(size, _constant(-_LOG2_E)))
    s = builder.fdiv(t, builder.fadd(t, _constant(2.0)))
    log = builder.fmul(builder.fmul(s, _constant(2.0)), _polynomial(builder, builder.fmul(s, s), _ATANH))
    return builder.fadd(builder.select(negative, _constant(0.0), x), log)


def _sigmoid_of(builder: Any, x: Any) -> Any:
    """1 / (1 + e^-x)."""
    t = _exp2_of(builder, builder.fmul(x, _constant(-_LOG2_E)))
    return builder.fdiv(_constant(1.0), builder.fadd(t, _constant(1.0)))


def _polynomial(builder: Any, x: Any, coefficients: tuple[float, ...]) -> Any:
    result = _constant(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        product = builder.fmul(result, x, flags=_CONTRACT)
        result = builder.fadd(product, _constant(coefficient), flags=_CONTRACT)
    return result


exp2 = _elementwise(1, _exp2_of)
softplus = _elementwise(1, _softplus_of)
sigmoid = _elementwise(1, _sigmoid_of)
spread = _elementwise(1, _spread)


def _overload_arithmetic(operation: Any, name: str) -> None:
    """Let numba do `operation` on lanes and lanes, or lanes and a float32."""
    both = _elementwise(2, lambda builder, x, y: getattr(builder, name)(x, y, flags=_CONTRACT))

    def choose(x: Any, y: Any) -> Any:
        if x == _LANES and y == _LANES:
            return lambda x, y: both(x, y)
        if x == _LANES and y == types.float32:
            return lambda x, y: both(x, spread(y))
        return None

    overload(operation, strict=False)(choose)


for _operation, _name in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul")):
    _overload_arithmetic(_operation, _name)


def _place(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """The address of an element of an array, whose memory is contiguous, by its flat index."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _FLOATS.as_pointer())


@_intrinsic
def load(_context: Any, array: Any, index: Any) -> Any:
    """Sixteen neighbours of a contiguous array, from a flat index on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_place(context, builder, signature.args[0], *values), align=4)

    return _LANES(array, types.intp), generate


@_intrinsic
def store(_context: Any, array: Any, index: Any, lanes: Any) -> Any:
    """Put lanes into a contiguous array, from a flat index on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array, index, lanes = values
        builder.store(lanes, _place(context, builder, signature.args[0], array, index), align=4)
        return context.get_dummy_value()

    return types.none(array, types.intp, lanes), generate


@_intrinsic
def transpose(_context: Any, source: Any, first: Any, stride: Any, target: Any, place: Any, pitch: Any) -> Any:
    """Copy a square of LANES x LANES values between contiguous arrays, rows becoming columns.

    Rows of the source begin at `first` and lie `stride` apart; in the target they begin at `place`, `pitch` apart.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        source, first, stride, target, place, pitch = values
        rows = []
        for _ in range(LANES):
            rows.append(builder.load(_place(context, builder, signature.args[0], source, first), align=4))
            first = builder.add(first, stride)
        # Swap halves, quarters, ... of pairs of rows, and the square is transposed.
        for width in (8, 4, 2, 1):
            for row in (row for row in range(LANES) if not row & width):
                low = [lane + LANES - width if lane & width else lane for lane in range(LANES)]
                high = [lane + LANES if lane & width else lane + width for lane in range(LANES)]
                pair = rows[row], rows[row + width]
                for half, lanes in ((row, low), (row + width, high)):
                    rows[half] = builder.shuffle_vector(*pair, ir.Constant(_WHOLE, lanes))
        for row in rows:
            builder.store(row, _place(context, builder, signature.args[3], target, place), align=4)
            place = builder.add(place, pitch)
        return context.get_dummy_value()

    return types.none(source, types.intp, types.intp, target, types.intp, types.intp), generate


@_intrinsic
def total(_context: Any, lanes: Any) -> Any:
    """The sum of all lanes, a float32."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        (x,) = values
        width = LANES
        while width > 1:
            width //= 2
            upper = ir.Constant(_WHOLE, [*range(width, 2 * width), *range(width), *[0] * (LANES - 2 * width)])
            x = builder.fadd(x, builder.shuffle_vector(x, x, upper))
        return builder.extract_element(x, ir.IntType(32)(0))

    return types.float32(lanes), generate
