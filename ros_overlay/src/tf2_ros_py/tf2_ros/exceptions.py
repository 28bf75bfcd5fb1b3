"""The exceptions of tf2."""


class TransformException(Exception):
    """Any reason why there is no transform."""


class LookupException(TransformException):
    """A frame is unknown."""


class ConnectivityException(TransformException):
    """Both frames are known, and nothing connects them."""


class ExtrapolationException(TransformException):
    """They are connected, but not at the time asked for."""


class InvalidArgumentException(TransformException):
    """A frame name or a transform is not a legal one."""


class TimeoutException(TransformException):
    """An answer took too long."""
