"""LossCurveDisplay: loss and validation score of each epoch."""

from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skdigits.plotting._matplotlib import import_pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from sklearn.base import BaseEstimator


class LossCurveDisplay:
    """The loss of a network against the training epoch.

    It is recommended to use :meth:`from_estimator` to create a display. All
    parameters are stored as attributes.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Training loss after each epoch.

    validation_loss_curve : array-like of shape (n_epochs,), default=None
        Loss on the validation data after each epoch.

    validation_scores : array-like of shape (n_epochs,), default=None
        Score on the validation data after each epoch, drawn on a second y-axis.

    best_epoch : int, default=None
        The epoch of the final weights, counted from 1. Marked by a vertical line if
        there is a validation loss or score.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        The curves that were given, in the order of the parameters.

    best_epoch_line_ : matplotlib Line2D or None
        The line that marks the best epoch.

    ax_ : matplotlib Axes
        Axes with the losses.

    score_ax_ : matplotlib Axes or None
        Axes with the validation score, on the right.

    figure_ : matplotlib Figure
        Figure containing the curves.

    See Also
    --------
    DigitGridDisplay : A grid of digit images.
    sklearn.model_selection.LearningCurveDisplay : Score against training set size.

    Examples
    --------
    >>> from skdigits.plotting import LossCurveDisplay
    >>> display = LossCurveDisplay(
    ...     [2.3, 1.1, 0.6], validation_loss_curve=[2.2, 0.9, 1.0], best_epoch=2
    ... )
    >>> display.plot().ax_.get_xlabel()
    'Epoch'
    """

    __module__ = "skdigits.plotting"

    def __init__(
        self,
        loss_curve: ArrayLike,
        *,
        validation_loss_curve: ArrayLike | None = None,
        validation_scores: ArrayLike | None = None,
        best_epoch: int | None = None,
    ) -> None:
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.validation_scores = validation_scores
        self.best_epoch = best_epoch

    def plot(
        self, *, ax: "Axes | None" = None, line_kw: dict[str, Any] | None = None
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If `None`, a figure is created.

        line_kw : dict, default=None
            Keyword arguments for :meth:`matplotlib.axes.Axes.plot`, for every curve.

        Returns
        -------
        LossCurveDisplay
            This display, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        LossCurveDisplay.from_estimator : Draw the loss of an estimator.

        Examples
        --------
        >>> from skdigits.plotting import LossCurveDisplay
        >>> display = LossCurveDisplay([2.3, 1.1, 0.6, 0.4])
        >>> display.plot(line_kw={"linewidth": 3}).ax_.set_yscale("log")
        """
        plt = import_pyplot("LossCurveDisplay.plot")
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        self.ax_ = ax
        self.figure_ = ax.figure
        self.score_ax_ = None if self.validation_scores is None else ax.twinx()

        self.lines_: list[Any] = []
        for axes, curve, style in [
            (ax, self.loss_curve, ("Training loss", "C0", "-")),
            (ax, self.validation_loss_curve, ("Validation loss", "C1", "--")),
            (self.score_ax_, self.validation_scores, ("Validation score", "C2", ":")),
        ]:
            if curve is None:
                continue
            kw = dict(zip(("label", "color", "linestyle"), style, strict=True))
            kw["marker"] = "o" if len(curve) == 1 else None
            kw |= normalize_kwargs(line_kw, Line2D)
            self.lines_ += axes.plot(range(1, len(curve) + 1), curve, **kw)

        ax.set_xlabel("Epoch")
        ax.set_ylabel("Loss (cross-entropy)")
        ax.xaxis.set_major_locator(
            MaxNLocator(steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
        )
        if self.score_ax_ is not None:
            self.score_ax_.set_ylabel("Validation score")

        handles = list(self.lines_)
        self.best_epoch_line_ = None
        if self.best_epoch is not None and len(self.lines_) > 1:
            self.best_epoch_line_ = ax.axvline(
                self.best_epoch,
                color="0.5",
                linewidth=1,
                zorder=1,
                label=f"Best epoch ({self.best_epoch})",
            )
            handles.append(self.best_epoch_line_)
        if len(handles) > 1:
            # Falling losses and rising scores leave the middle right free.
            (self.score_ax_ or ax).legend(
                handles=handles, loc="center right", framealpha=1
            )
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: "BaseEstimator",
        *,
        ax: "Axes | None" = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the loss that an estimator recorded during training.

        Parameters
        ----------
        estimator : estimator instance
            Fitted estimator with a `loss_curve_`, such as
            :class:`~skdigits.DigitMLPClassifier` or
            :class:`~sklearn.neural_network.MLPClassifier`; a
            :class:`~sklearn.pipeline.Pipeline` that ends in one, or a search whose
            `best_estimator_` is one.

        ax : matplotlib Axes, default=None
            Axes to draw on. If `None`, a figure is created.

        line_kw : dict, default=None
            Keyword arguments for :meth:`matplotlib.axes.Axes.plot`, for every curve.

        Returns
        -------
        LossCurveDisplay
            The display that was drawn.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator is not fitted.
        TypeError
            If the estimator has no `loss_curve_`.
        ImportError
            If matplotlib is not installed.

        See Also
        --------
        sklearn.model_selection.LearningCurveDisplay.from_estimator : Draw the score
            against the training set size.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.neural_network import MLPClassifier
        >>> from skdigits.plotting import LossCurveDisplay
        >>> X, y = load_digits(return_X_y=True)
        >>> model = MLPClassifier(early_stopping=True, random_state=0).fit(X, y)
        >>> display = LossCurveDisplay.from_estimator(model)
        >>> [line.get_label() for line in display.lines_]
        ['Training loss', 'Validation score']
        """
        while True:
            if hasattr(estimator, "best_estimator_"):
                estimator = estimator.best_estimator_
            elif isinstance(estimator, Pipeline):
                estimator = estimator[-1]
            else:
                break
        check_is_fitted(estimator)
        if not hasattr(estimator, "loss_curve_"):
            raise TypeError(
                "LossCurveDisplay needs an estimator that records its loss in "
                "`loss_curve_`, such as DigitMLPClassifier. Got "
                f"{type(estimator).__name__} instead."
            )
        display = cls(
            estimator.loss_curve_,
            validation_loss_curve=getattr(estimator, "validation_loss_curve_", None),
            validation_scores=getattr(estimator, "validation_scores_", None),
            best_epoch=getattr(estimator, "best_epoch_", None),
        )
        return display.plot(ax=ax, line_kw=line_kw)
