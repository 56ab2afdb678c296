"""The errors that a user may see.

    UumambaError                exit code 1   something failed
        InputError              exit code 2   a file or an argument is wrong
            ConfigError         exit code 2   a setting is wrong
            GeometryError       exit code 2   an image's axes, spacing or grid cannot be used
            IntensityError      exit code 2   an image's values cannot be used
            LabelError          exit code 2   a label map's values are no labels
            ChannelError        exit code 2   a case has more or fewer images than the model takes
            TooLargeError       exit code 2   a case needs more memory than it may have
        NotFiniteError          exit code 1   a training met NaN or infinity too often
        SomeCasesFailed         exit code 3   the other cases are done
        Interrupted             exit code 75  a signal asked to stop; the same command with --resume goes on

Each message is one line: what, where, what is allowed, what came, and the way out.
"""


class UumambaError(Exception):
    """The root of every error that this package raises on purpose."""

    exit_code = 1


class InputError(UumambaError):
    """A file or an argument cannot be used as it is."""

    exit_code = 2


class ConfigError(InputError):
    """A configuration or one of its settings is wrong."""


class GeometryError(InputError):
    """An image's axes, spacing, orientation or grid cannot be used."""


class IntensityError(InputError):
    """An image's values are not finite, or too extreme."""


class LabelError(InputError):
    """A label map's values are not whole, negative, or too large."""


class ChannelError(InputError):
    """A case has more or fewer images than the model takes."""


class TooLargeError(InputError):
    """A case needs more memory than it may have."""


class NotFiniteError(UumambaError):
    """A training cannot go on: losses or gradients are not finite, step after step."""


class SomeCasesFailed(UumambaError):
    """A batch ended with failed cases; all the others are done and written."""

    exit_code = 3


class Interrupted(UumambaError):
    """A run stopped at a signal's wish and kept all it had; the code is EX_TEMPFAIL of sysexits.h: try again."""

    exit_code = 75
