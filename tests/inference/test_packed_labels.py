"""A packed label map is the same again, and small."""

import numpy as np

from uumamba.inference.packed_labels import pack_labels


def test_round_trip() -> None:
    labels = np.zeros((40, 50, 60), np.int64)
    labels[10:20, 10:30, 5:50] = 255
    packed = pack_labels(labels.transpose(2, 0, 1))
    back = packed.unpack()
    np.testing.assert_array_equal(back, labels.transpose(2, 0, 1))
    assert back.dtype == np.uint8
    assert back.flags.writeable
    assert len(packed.packed) < labels.size / 50
