"""The command ``skdigits``, with one module per subcommand."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from skdigits._commands import evaluate, read, teach, train
from skdigits._commands._errors import in_one_line
from skdigits._version import __version__

_COMMANDS = {"read": read, "train": train, "evaluate": evaluate, "teach": teach}

_EXAMPLES = """\
examples:
  skdigits read page.jpg
  skdigits train digits/ -o mine.joblib

`skdigits COMMAND --help` describes the options of a command.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments. If None, those of the process.

    Returns
    -------
    int
        Exit status: 0, or 1 if an image could not be read, 2 if nothing was done.
    """
    argv = sys.argv[1:] if argv is None else argv
    parser = _parser()
    if not argv:
        parser.print_help()
        return 0
    if argv[0] not in _COMMANDS and Path(argv[0]).exists():
        parser.error(f"{argv[0]} is not a command. To read it: skdigits read {argv[0]}")
    arguments = parser.parse_args(argv)
    try:
        with warnings.catch_warnings():
            return arguments.run(arguments)
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        sys.stdout = None  # or Python would report the error again at exit
        return 1
    except (OSError, ValueError, ImportError, MemoryError) as error:
        print(f"skdigits: {in_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130  # as a shell reports it


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skdigits",
        description="Read handwritten digits, and train networks that do.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in _COMMANDS.items():
        own = commands.add_parser(
            name,
            help=command.HELP,
            description=command.DESCRIPTION,
            epilog=command.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_options(own)
        own.set_defaults(run=command.run)
    return parser
