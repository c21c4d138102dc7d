"""DigitMLPClassifier: parameters, fit and predict."""

import warnings
from collections.abc import Mapping, Sequence
from functools import cache, partial
from inspect import signature
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skdigits._fitting import (
    fitted_attributes,
    fitted_network,
    loaded_attributes,
    make_task,
)
from skdigits._keras.conversion import read_keras, to_keras
from skdigits._keras.optimizers import SOLVERS, check_copies
from skdigits._keras_names import (
    KerasNamesMixin,
    advice_on_values,
    explain_arguments,
)
from skdigits._network import inference
from skdigits._network.architecture import Network
from skdigits._network.batch_norm import unfold_batch_norm
from skdigits._persistence import is_fitted_state, migrate_state, version_stamp
from skdigits._sklearn_compat import (
    CallbackSupportMixin,
    DocLinkMixin,
    EpochReporter,
    HasMethods,
    Hidden,
    Interval,
    Options,
    StrOptions,
    _check_partial_fit_first_call,
    _fit_context,
    begin_fit,
    end_fit,
    has_callbacks,
    validate_parameter_constraints,
)
from skdigits._together.backend import train
from skdigits._training.task import TrainingResult, TrainingTask
from skdigits._validation import (
    MatrixLike,
    check_classes,
    check_dropout,
    check_images,
    check_known,
    check_labels,
    check_training_data,
)
from skdigits.augmentation._random_distortion import RandomDistortion

if TYPE_CHECKING:
    import keras


@cache
def _defaults(estimator_type: type) -> dict[str, Any]:
    """Default values of the parameters of an estimator."""
    parameters = signature(estimator_type).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


class DigitMLPClassifier(
    KerasNamesMixin, DocLinkMixin, CallbackSupportMixin, ClassifierMixin, BaseEstimator
):
    """Handwritten digit classifier: a multi-layer perceptron trained by Keras.

    The parameters and attributes are those of
    :class:`sklearn.neural_network.MLPClassifier` wherever it has them. A fitted
    classifier holds NumPy arrays and plain Python values only; predicting imports
    neither Keras nor TensorFlow.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(25, 15)
        Number of units of each hidden layer. With ``()``, the classifier is a softmax
        regression.

    activation : {'identity', 'logistic', 'tanh', 'relu'}, default='relu'
        Activation of the hidden layers.

    solver : str or keras.optimizers.Optimizer, default='adam'
        The optimizer: 'adam', 'adamw', 'sgd', or one of 'adadelta', 'adagrad',
        'adamax', 'ftrl', 'lion', 'nadam' and 'rmsprop' with the settings of Keras; or
        a Keras optimizer, which is copied, never modified; its learning rate replaces
        `learning_rate_init`. Copies are made by `get_config`. An optimizer with
        settings that `get_config` does not return, such as
        `exclude_from_weight_decay`, is refused; a subclass can apply them in its
        constructor. Use such a subclass in parameter grids too, because scikit-learn
        clones the values before the classifier checks them.

    alpha : float, default=0.0
        Strength of the L2 penalty on the weights, 0 or more. As in scikit-learn,
        half of `alpha` times the sum of the squared weights is added to the summed
        loss of a batch, before it is divided by the batch's size.

    dropout : float or array-like of float, default=0.0
        Fraction of the units that is dropped in training, in [0, 1): one number for
        all hidden layers, or one for the input and one for each hidden layer.

    batch_norm : bool, default=False
        Whether to use batch normalisation before each hidden activation. In the
        fitted classifier it is folded into `coefs_` and `intercepts_`.

    label_smoothing : float, default=0.0
        Fraction of the target that is spread evenly over all classes, in [0, 1).

    ema : float, default=None
        Decay per step of an exponential moving average of the weights, in (0, 1). The
        average is validated and kept. None for no average.

    augment : RandomDistortion, default=None
        Random distortion of the images of each batch, different in every epoch; see
        :class:`~skdigits.augmentation.RandomDistortion`. Validation images are not
        distorted. None for no distortion.

    rescale : float or 'max', default=None
        Positive factor that the network applies to `X`, so that images of dtype uint8
        need no float copy, neither to fit nor to predict. 'max' is 1 divided by the
        maximum absolute value of `X` in the first call of `fit` or `partial_fit`.
        None for no factor.

    batch_size : int or 'auto', default=32
        Number of rows per step. 'auto' is 200, or all rows if there are fewer.

    learning_rate : {'constant', 'cosine', 'flat_cosine', 'invscaling', 'adaptive'}, \
            default='constant'
        - 'constant' is `learning_rate_init` in every step.
        - 'cosine' decays from there to zero over `max_iter` epochs, along half a
          cosine (Loshchilov and Hutter, 2017). `partial_fit` keeps it constant.
        - 'flat_cosine' is constant for three quarters of `max_iter` epochs and decays
          to zero in the last quarter, along half a cosine. `partial_fit` keeps it
          constant.
        - 'invscaling' is `learning_rate_init` / (`t_` + 1) ** `power_t` in an epoch
          that starts after `t_` rows. Optimizers other than SGD keep it constant, as
          in scikit-learn.
        - 'adaptive' is divided by 5 each time the loss, or with `early_stopping`
          the validation score, fails to improve by `tol` for `n_iter_no_change`
          epochs.

        A learning rate that a callback sets replaces the schedule.

    learning_rate_init : float, default=0.001
        Initial learning rate, positive. Ignored if `solver` is a Keras optimizer.

    power_t : float, default=0.5
        Exponent of 'invscaling', 0 or more.

    momentum : float, default=0.9
        Momentum of the solver 'sgd', in [0, 1].

    nesterovs_momentum : bool, default=True
        Whether the solver 'sgd' uses Nesterov's momentum.

    beta_1 : float, default=0.9
        Decay rate of the first moment in 'adam' and 'adamw', in [0, 1).

    beta_2 : float, default=0.999
        Decay rate of the second moment in 'adam' and 'adamw', in [0, 1).

    epsilon : float, default=1e-8
        Positive number that 'adam' and 'adamw' add to denominators.

    max_iter : int, default=100
        Number of epochs (passes over the training data).

    shuffle : bool, default=True
        Whether to shuffle the rows in every epoch.

    class_weight : dict or 'balanced', default=None
        Weight of each class, multiplied with `sample_weight`. With 'balanced', the
        weight of a class is inversely proportional to the total weight of its rows.

    early_stopping : bool, default=False
        Whether to stop training when the validation score has not improved by `tol`
        for `n_iter_no_change` epochs, and to keep the weights of the best epoch. A
        part of the training data, stratified by class, is held out for validation,
        unless `X_val` is passed to `fit`.

    validation_fraction : float, default=0.1
        Fraction of the training data to hold out for validation, in [0, 1).

    n_iter_no_change : int or inf, default=10
        Maximum number of consecutive epochs without improvement.

    tol : float, default=None
        Minimum improvement of the loss, or with `early_stopping` of the validation
        score. Training stops after `n_iter_no_change` epochs without it. A
        :class:`~sklearn.exceptions.ConvergenceWarning` is raised if `max_iter` is
        reached first. With None, exactly `max_iter` epochs are trained, without a
        warning; `early_stopping` and 'adaptive' then use 1e-4.

    warm_start : bool, default=False
        Whether `fit` resumes from the end of the last call, with the state of the
        optimizer, which is kept after training. If `solver` or `ema` has changed so
        that the state does not fit, the optimizer starts with a new state and a
        warning is raised.

    random_state : int, RandomState instance or None, default=None
        Seed for weight initialisation, shuffling, dropout, distortion and the
        validation split. An int gives the same weights bit for bit in every call of a
        process, whatever was trained before.

    callbacks : list of keras.callbacks.Callback, default=None
        Callbacks that are called at the beginning and end of training and of every
        epoch, with a compiled `keras.Sequential`. `BackupAndRestore` is not
        supported; use `warm_start` and save the classifier instead.

    dtype : {'auto', 'float32', 'float64'}, default='auto'
        Dtype of the computations. 'auto' is float64 for `X` of float64, else float32.

    verbose : int, default=0
        Whether to show a progress bar over the epochs.

    max_fun : int, default=15000
        Not used. It exists because `MLPClassifier` has it, for its solver 'lbfgs'.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.

    coefs_ : list of ndarray
        Weights of each layer, of shape (fan_in, fan_out).

    intercepts_ : list of ndarray
        Biases of each layer, of shape (fan_out,).

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if all feature names of `X` are strings.

    n_iter_ : int
        Number of epochs trained in the last call.

    t_ : int
        Number of rows trained on, summed over all epochs.

    n_layers_ : int
        Number of layers, input and output included.

    n_outputs_ : int
        Number of outputs of the network: 1 for two classes, else one per class.

    out_activation_ : {'logistic', 'softmax'}
        Activation that converts logits to probabilities: 'logistic' for two classes.

    loss_ : float
        Loss of the last epoch.

    loss_curve_ : list of float
        Loss of each epoch, L2 penalty included.

    best_loss_ : float or None
        Minimum of `loss_curve_`; None with `early_stopping`.

    validation_scores_ : list of float or None
        Accuracy on the validation rows after each epoch; None without validation.

    best_validation_score_ : float or None
        Maximum of `validation_scores_`; None without validation.

    validation_loss_curve_ : list of float or None
        Loss on the validation rows after each epoch; None without validation.

    best_epoch_ : int or None
        Epoch, counted from 1, with the maximum validation score, or without
        validation with the minimum loss.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : Multi-layer perceptron of scikit-learn.

    Notes
    -----
    The loss of a batch is the weighted sum of the cross-entropies, divided by the batch
    size and by the mean weight of all rows, so a row of weight 2 counts as two rows.

    Sparse `X` is converted to dense in chunks of rows.

    If `y` has a single class, that class is always predicted, after a warning.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from skdigits import DigitMLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> clf = DigitMLPClassifier(random_state=0).fit(X_train, y_train)
    >>> clf.score(X_test, y_test) > 0.9
    True
    """

    __module__ = "skdigits"

    _parameter_constraints = {
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [StrOptions(set(inference.ACTIVATIONS))],
        "solver": [
            StrOptions(set(SOLVERS)),
            Hidden(StrOptions({"lbfgs"})),  # `check_lbfgs` says what to use instead
            HasMethods(["apply", "get_config"]),
        ],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "batch_norm": ["boolean"],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "ema": [Interval(Real, 0, 1, closed="neither"), None],
        "augment": [RandomDistortion, None],
        "rescale": [
            StrOptions({"max"}),
            Interval(Real, 0, None, closed="neither"),
            None,
        ],
        "batch_size": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "learning_rate": [
            StrOptions({"constant", "cosine", "flat_cosine", "invscaling", "adaptive"})
        ],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "callbacks": [list, tuple, None],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "verbose": ["verbose"],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
    }

    @explain_arguments
    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] | NDArray[Any] = (25, 15),
        activation: Literal["identity", "logistic", "tanh", "relu"] = "relu",
        *,
        solver: "str | keras.optimizers.Optimizer" = "adam",
        alpha: float = 0.0,
        dropout: float | Sequence[float] | NDArray[Any] = 0.0,
        batch_norm: bool = False,
        label_smoothing: float = 0.0,
        ema: float | None = None,
        augment: RandomDistortion | None = None,
        rescale: float | Literal["max"] | None = None,
        batch_size: int | Literal["auto"] = 32,
        learning_rate: Literal[
            "constant", "cosine", "flat_cosine", "invscaling", "adaptive"
        ] = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        max_iter: int = 100,
        shuffle: bool = True,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        tol: float | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        callbacks: "Sequence[keras.callbacks.Callback] | None" = None,
        dtype: Literal["auto", "float32", "float64"] = "auto",
        verbose: int = 0,
        max_fun: int = 15000,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.label_smoothing = label_smoothing
        self.ema = ema
        self.augment = augment
        self.rescale = rescale
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.callbacks = callbacks
        self.dtype = dtype
        self.verbose = verbose
        self.max_fun = max_fun

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coefs_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # Cloning and saving, in which Keras copies an optimizer by its get_config

    def __sklearn_clone__(self) -> Self:
        check_copies(self.solver)
        return super().__sklearn_clone__()

    def __getstate__(self) -> dict[str, Any]:
        check_copies(self.solver)
        return {**super().__getstate__(), **version_stamp()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A file of an older release lacks newer parameters.
        super().__setstate__(_defaults(type(self)) | migrate_state(state))

    # Training

    def _validate_params(self) -> None:
        # The defaults are valid. Checking them too would take a tenth of the time of
        # `partial_fit` of one row.
        defaults = _defaults(type(self))
        changed = {
            name: value
            for name, value in vars(self).items()
            if name not in defaults or value is not defaults[name]
        }
        try:
            validate_parameter_constraints(
                self._parameter_constraints, changed, caller_name=type(self).__name__
            )
        except ValueError as error:
            advice = advice_on_values(self.get_params(deep=False))
            if not advice:
                raise
            raise type(error)(f"{error} {advice}") from None

    @explain_arguments
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, one row of pixels per image, of any real dtype.

        y : array-like of shape (n_samples,)
            Labels: real numbers, strings or booleans.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weight of each row; at least one must be positive.

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation images, used after each epoch.

        y_val : array-like of shape (n_val,), default=None
            Labels of the validation images.

        Returns
        -------
        DigitMLPClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter or the data is invalid, or if training diverges. The
            estimator is left unchanged.
        ImportError, RuntimeError
            If TensorFlow is not installed, if Keras uses another backend, or if this
            process was forked from one that had loaded TensorFlow.

        Warns
        -----
        ConvergenceWarning
            If `tol` is set and `max_iter` epochs did not reach it.
        UserWarning
            If Ctrl-C ends training early; the classifier can be used. If the saved
            state of the optimizer does not fit, with `warm_start`. If `y` has a single
            class. If `X` has pixels from 0 to 255, without `rescale` or `batch_norm`.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdigits import DigitMLPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> DigitMLPClassifier(max_iter=5, random_state=0).fit(X, y).n_iter_
        5
        """
        working_copy = self._working_copy()
        task = working_copy._prepare_fit(X, y, sample_weight, X_val, y_val)
        context = begin_fit(self, X, y, sample_weight, max_subtasks=self.max_iter)
        reporter = None
        if has_callbacks(self):
            attributes = partial(working_copy._attributes_of, task)
            reporter = EpochReporter(context, self, X, y, sample_weight, attributes)
        result = train(task, reporter=reporter)
        if not result.converged and self.tol is not None:
            warnings.warn(
                f"Maximum iterations ({self.max_iter}) reached and the optimization "
                "hasn't converged yet. Increase max_iter or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
        working_copy._finish_fit(task, result)
        before = self._commit(working_copy)
        try:
            end_fit(context, self, X, y, sample_weight)
        except BaseException:
            self.__dict__ = before
            raise
        return self

    def _attributes_of(
        self, task: TrainingTask, result: TrainingResult
    ) -> dict[str, Any]:
        """Attributes of this classifier if it were fitted with `result`."""
        fitted = self._working_copy()
        fitted._finish_fit(task, result)
        return vars(fitted)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train one more epoch on the given rows.

        The state of the optimizer is kept between calls.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, one row of pixels per image.

        y : array-like of shape (n_samples,)
            Labels, each in `classes`.

        classes : array-like of shape (n_classes,), default=None
            All labels of all calls. Required in the first call only.

        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weight of each row; at least one must be positive.

        Returns
        -------
        DigitMLPClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            As in `fit`. If `y` has labels that are not in `classes`. If
            `early_stopping` is set or `class_weight` is 'balanced', which need all of
            the data.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_digits
        >>> from skdigits import DigitMLPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> clf = DigitMLPClassifier(random_state=0)
        >>> for start in range(0, 1500, 500):
        ...     rows = slice(start, start + 500)
        ...     clf = clf.partial_fit(X[rows], y[rows], classes=np.arange(10))
        >>> clf.t_
        1500
        """
        self._validate_params()  # scikit-learn does it in the first call only
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True, which needs all of "
                "the data at once. Set early_stopping=False, or use fit."
            )
        if isinstance(self.class_weight, str):
            raise ValueError(
                "partial_fit does not support class_weight='balanced', which needs "
                "all of the data at once. Pass the weights as a dict, or as "
                "sample_weight."
            )
        working_copy = self._working_copy()
        resuming = hasattr(working_copy, "coefs_")
        check_labels("classes", classes)
        _check_partial_fit_first_call(working_copy, classes)
        X, y, weight = check_training_data(
            working_copy, X, y, sample_weight, reset=not resuming
        )
        check_known(y, working_copy.classes_)
        task = make_task(working_copy, X, y, weight, resuming)
        working_copy._finish_fit(task, train(task, incremental=True), keep_state=True)
        self._commit(working_copy)
        return self

    # A fit changes a working copy, which is committed at once when nothing has failed:
    # a callback, another thread or a file never sees half of a fit.

    def _working_copy(self) -> Self:
        working_copy = object.__new__(type(self))
        working_copy.__dict__ = vars(self).copy()
        return working_copy

    def _commit(self, working_copy: Self) -> dict[str, Any]:
        """Take the fitted attributes of a copy; return the attributes before."""
        before, drafted = self.__dict__, vars(working_copy)
        now = {name: before[name] for name in list(before) if not is_fitted_state(name)}
        now |= {name: drafted[name] for name in drafted if is_fitted_state(name)}
        self.__dict__ = now
        return before

    def _prepare_fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> TrainingTask:
        """Validate the data and return the task that `fit` trains."""
        resuming = self.warm_start and hasattr(self, "coefs_")
        X, y, weight = check_training_data(
            self, X, y, sample_weight, reset=not resuming
        )
        check_classification_targets(y)
        classes = np.unique(y)
        if not resuming:
            self.classes_ = classes
        elif not np.array_equal(classes, self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the "
                f"previous call to fit. Previously got {self.classes_}, `y` has "
                f"{classes}"
            )
        task = make_task(self, X, y, weight, resuming, X_val, y_val)
        if len(classes) == 1:
            warnings.warn(
                f"y has a single class, {classes[0]}, which the classifier will "
                "always predict. Expected two or more. Check the labels.",
                UserWarning,
                stacklevel=2,
            )
        return task

    def _finish_fit(
        self,
        task: TrainingTask,
        result: TrainingResult,
        keep_state: bool | None = None,
    ) -> None:
        """Set the fitted attributes from the result of a training."""
        keep_state = self.warm_start if keep_state is None else keep_state
        vars(self).update(fitted_attributes(task, result, keep_state=keep_state))

    # Prediction

    def _logits(self, X: MatrixLike) -> NDArray[Any]:
        check_is_fitted(self)
        X = check_images(self, X, reset=False)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            Z = inference.logits(
                X, self.coefs_, self.intercepts_, self._activation, self._rescale
            )
        if not np.isfinite(Z).all():
            raise ValueError(
                "The output of the network is not finite, because values of X are too "
                "large. Expected values like those it was fitted on."
            )
        return Z

    def decision_function(self, X: MatrixLike) -> NDArray[Any]:
        """Compute the logits, the outputs of the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, one row of pixels per image.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples,)
            Logits; with two classes the log-odds of ``classes_[1]``.

        Raises
        ------
        ValueError
            If the number of features differs from that in fit, or if `X` has values
            that are not finite.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdigits import DigitMLPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> clf = DigitMLPClassifier(max_iter=5, random_state=0).fit(X, y)
        >>> clf.decision_function(X[:3]).shape
        (3, 10)
        """
        Z = self._logits(X)
        return Z.ravel() if Z.shape[1] == 1 else Z

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, one row of pixels per image.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted labels, from `classes_`.

        Raises
        ------
        ValueError
            As in `decision_function`.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdigits import DigitMLPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> clf = DigitMLPClassifier(random_state=0).fit(X, y)
        >>> clf.predict(X[:3])
        array([0, 1, 2])
        """
        Z = self._logits(X)
        return self.classes_[inference.class_index(Z, self.out_activation_)]

    def predict_proba(self, X: MatrixLike) -> NDArray[Any]:
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, one row of pixels per image.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities, one column for each of `classes_`, in the dtype of
            `coefs_`.

        Raises
        ------
        ValueError
            As in `decision_function`.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdigits import DigitMLPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> clf = DigitMLPClassifier(max_iter=5, random_state=0).fit(X, y)
        >>> clf.predict_proba(X[:3]).sum(axis=1).round(6)
        array([1., 1., 1.])
        """
        return inference.proba(self._logits(X), self.out_activation_)

    def predict_log_proba(self, X: MatrixLike) -> NDArray[Any]:
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Images, one row of pixels per image.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Log-probabilities, accurate where `predict_proba` rounds to 0 or 1.

        Raises
        ------
        ValueError
            As in `decision_function`.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdigits import DigitMLPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> clf = DigitMLPClassifier(max_iter=5, random_state=0).fit(X, y)
        >>> bool(clf.predict_log_proba(X[:3]).max() < 0)
        True
        """
        return inference.log_proba(self._logits(X), self.out_activation_)

    # Keras

    def to_keras(self) -> "keras.Sequential":
        """Convert the fitted network to a Keras model.

        Returns
        -------
        keras.Sequential
            Compiled model. It returns logits, one for each of `classes_` (a single
            one for two classes), and is trained on indices into `classes_`.

        Raises
        ------
        ImportError
            If TensorFlow is not installed.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdigits import DigitMLPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> clf = DigitMLPClassifier(max_iter=5, random_state=0).fit(X, y)
        >>> [layer.name for layer in clf.to_keras().layers]
        ['hidden_1', 'hidden_2', 'output']
        """
        check_is_fitted(self)
        network = fitted_network(self)
        arrays = unfold_batch_norm(
            network, self.coefs_, self.intercepts_, self._batch_norms
        )
        return to_keras(network, arrays, self)

    @classmethod
    def from_keras(cls, model: "keras.Model", classes: ArrayLike | None = None) -> Self:
        """Make a fitted classifier from a trained Keras model.

        Parameters
        ----------
        model : keras.Sequential or keras.Model
            Trained model of Dense layers with Rescaling, BatchNormalization,
            Activation, ReLU, Softmax, Dropout, and Flatten on the input. The layers of
            a functional model must form a chain. It returns logits or probabilities,
            and is not modified.

        classes : array-like of shape (n_classes,), default=None
            Labels of the outputs in their order, or of the two classes of a model
            with one output. None for 0, 1, 2 and so on.

        Returns
        -------
        DigitMLPClassifier
            Classifier with the predictions of the model. Batch normalisation is
            folded into its weights, and two outputs into one.

        Raises
        ------
        TypeError
            If `model` is not a Sequential or functional model.
        ValueError
            If a layer of the model is not supported, if the layers do not form a
            chain, or if `classes` do not fit its outputs.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skdigits import DigitMLPClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> clf = DigitMLPClassifier(max_iter=5, random_state=0).fit(X, y)
        >>> other = DigitMLPClassifier.from_keras(clf.to_keras())
        >>> bool((other.predict(X) == clf.predict(X)).all())
        True
        """
        read = read_keras(model)
        coefs, intercepts = read["coefs"], read["intercepts"]
        n_outputs = coefs[-1].shape[1]
        classes = check_classes(classes, 2 if n_outputs == 1 else n_outputs)
        order = np.argsort(classes)
        if n_outputs == 2:  # the softmax of two outputs depends on their difference
            coefs[-1], intercepts[-1] = np.diff(coefs[-1]), np.diff(intercepts[-1])
            n_outputs = 1
        if n_outputs > 1:
            coefs[-1], intercepts[-1] = coefs[-1][:, order], intercepts[-1][order]
        elif order[0] == 1:
            coefs[-1], intercepts[-1] = -coefs[-1], -intercepts[-1]
        clf = cls(
            hidden_layer_sizes=tuple(coef.shape[1] for coef in coefs[:-1]),
            activation=read["activation"],
            dropout=read["dropout"],
            rescale=read["rescale"],
            dtype=coefs[0].dtype.name,
        )
        network = Network(
            n_features=coefs[0].shape[0],
            hidden_layer_sizes=clf.hidden_layer_sizes,
            n_outputs=n_outputs,
            out_activation="logistic" if n_outputs == 1 else "softmax",
            activation=clf.activation,
            dropout=check_dropout(clf.dropout, len(clf.hidden_layer_sizes)),
            rescale=clf.rescale,
            dtype=clf.dtype,
        )
        clf.classes_ = classes[order]
        clf.n_features_in_ = network.n_features
        attributes = loaded_attributes(clf, network, (coefs, intercepts, []))
        vars(clf).update(attributes)
        return clf
