"""``skdigits teach``: adapt the digit reader to a handwriting."""

import argparse

from skdigits._commands._arguments import add_output, add_seed
from skdigits._commands._models import check_output, save_model

HELP = "adapt the digit reader to a handwriting"

DESCRIPTION = """\
Adapt the digit reader to a handwriting. Write a page of digits, each digit several
times, take a photograph, and name the digits on it with --text. The new classifier
reads this handwriting better, and other handwriting about as well as before.
"""

EPILOG = """\
example:
  skdigits teach page.jpg --text "0123456789 0123456789 0123456789" -o mine.joblib
  skdigits read --model mine.joblib other.jpg
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `skdigits teach`."""
    parser.add_argument(
        "pages", nargs="+", metavar="PAGE", help="image file of a page of digits"
    )
    parser.add_argument(
        "--text",
        action="append",
        required=True,
        help="the digits on the page in reading order; spaces are ignored; for "
        "several pages, once per page",
    )
    add_output(parser)
    add_seed(parser)


def run(arguments: argparse.Namespace) -> int:
    """Label the digits of the pages, fine-tune the reader, and save it."""
    check_output(arguments.output)
    pages, texts = arguments.pages, arguments.text
    if len(pages) != len(texts):
        raise ValueError(
            "--text must be given once for each page. Got "
            f"{len(pages)} page{'s' * (len(pages) != 1)} and {len(texts)} "
            f"text{'s' * (len(texts) != 1)}."
        )
    import numpy as np

    from skdigits.images import fine_tune_reader, label_digits
    from skdigits.pretrained import load_digit_reader

    labelled = []
    for page, text in zip(pages, texts, strict=True):
        try:
            labelled.append(label_digits(page, text))
        except ValueError as error:
            raise ValueError(f"{page}: {error}") from error
    X, y = (np.concatenate(arrays) for arrays in zip(*labelled, strict=True))
    right = np.sum(load_digit_reader().predict(X) == y)
    print(f"{len(y)} digits, of which the reader so far reads {right}", flush=True)
    clf = fine_tune_reader(X, y, random_state=arguments.seed)
    save_model(clf, arguments.output)
    print(f"wrote {arguments.output}; skdigits read --model {arguments.output} uses it")
    return 0
