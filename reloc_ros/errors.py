"""The one exception that means: the input or the configuration is wrong, not the program."""


class RelocError(Exception):
    """Wrong input or configuration.

    The message is one sentence a user can act on: what is wrong, where, and what would be right. The command
    line and the node print it and exit with `EXIT_CODE`; every other exception is a defect of ours.
    """

    EXIT_CODE = 2


def first_line(error: Exception) -> str:
    """What a foreign library says of a failure, fit for a sentence: its first line, or else the failure's kind."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
