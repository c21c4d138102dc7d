"""From data and parameters to a TrainingTask, and from its result to attributes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skdigits._network import Array
from skdigits._network.architecture import Network
from skdigits._network.batch_norm import unfold_batch_norm
from skdigits._persistence import checkpoint_state
from skdigits._random import draw_seed
from skdigits._training.class_weight import row_weights
from skdigits._training.task import (
    Checkpoint,
    TrainingData,
    TrainingResult,
    TrainingTask,
)
from skdigits._validation import (
    check_alpha,
    check_dropout,
    check_hidden_layer_sizes,
    check_lbfgs,
    check_validation_data,
)
from skdigits.augmentation._warp import Distortion


def make_task(
    estimator: Any,
    X: Any,
    y: Array,
    weight: Array,
    resuming: bool,
    X_val: Any = None,
    y_val: Any = None,
) -> TrainingTask:
    """The training that a call of `fit` or `partial_fit` asks for.

    Parameters
    ----------
    estimator : DigitMLPClassifier
        With `classes_`, and fitted if `resuming`.
    X, y, weight : {ndarray, CSR matrix}, ndarray, ndarray
        Validated training data.
    resuming : bool
        Whether training resumes from the fitted attributes.
    X_val, y_val : array-like, default=None
        Validation data, not yet validated.

    Returns
    -------
    task : TrainingTask

    Raises
    ------
    ValueError
        If a parameter or the data are invalid.
    """
    check_lbfgs(estimator.solver, estimator.max_fun)
    network = _network_to_train(estimator, X, resuming)
    distortion = None
    if estimator.augment is not None:
        distortion = Distortion(estimator.augment, X.shape[1], network.dtype)
    y = np.searchsorted(estimator.classes_, y)
    weight = row_weights(estimator.class_weight, estimator.classes_, y, weight)
    if resuming:
        checkpoint = _fitted_checkpoint(estimator, network)
    else:
        checkpoint = Checkpoint.start(network, draw_seed(estimator.random_state))
    data = TrainingData(X, y, weight)
    validation = check_validation_data(estimator, X_val, y_val)
    if validation is not None:
        data.validation = *validation, None
    elif estimator.early_stopping:
        data.rows, held_out = split_rows(
            estimator.classes_[y],
            weight,
            estimator.validation_fraction,
            checkpoint.seed,
        )
        data.validation = X[held_out], y[held_out], weight[held_out]
    check_alpha(estimator.alpha, weight, data.rows, network.dtype)
    t_before = estimator.t_ if resuming else 0
    return TrainingTask(network, estimator, data, checkpoint, t_before, distortion)


def fitted_attributes(
    task: TrainingTask, result: TrainingResult, *, keep_state: bool
) -> dict[str, Any]:
    """Attributes of a classifier after a training.

    Parameters
    ----------
    task : TrainingTask
    result : TrainingResult
    keep_state : bool
        Whether to keep the checkpoint, from which training can resume.

    Returns
    -------
    attributes : dict
        All fitted attributes except those of the data, such as `classes_`.
    """
    network, checkpoint = task.network, result.checkpoint
    losses, scores = checkpoint.loss_curve, checkpoint.validation_scores
    best_loss = min(losses, default=np.inf)
    best_score = max(scores, default=None)
    validated = task.data.validation is not None
    curve, best = (scores, best_score) if validated else (losses, best_loss)
    return {
        "coefs_": result.coefs,
        "intercepts_": result.intercepts,
        "_batch_norms": result.norms,
        # Parameters of the fitted weights; those of the estimator may change later.
        "_activation": network.activation,
        "_rescale": network.rescale,
        "_dropout": network.dropout,
        "n_iter_": result.n_epochs,
        "t_": task.t_before + result.n_epochs * task.data.n_samples,
        "n_layers_": len(result.coefs) + 1,
        "n_outputs_": network.n_outputs,
        "out_activation_": network.out_activation,
        "loss_": losses[-1] if losses else np.nan,
        "loss_curve_": losses,
        "best_loss_": None if task.params.early_stopping else best_loss,
        "validation_scores_": scores if validated else None,
        "validation_loss_curve_": checkpoint.validation_losses if validated else None,
        "best_validation_score_": best_score if validated else None,
        "best_epoch_": curve.index(best) + 1 if curve else None,
        "_training_state": checkpoint_state(checkpoint) if keep_state else None,
    }


def loaded_attributes(
    estimator: Any,
    network: Network,
    arrays: tuple[list[Array], list[Array], list[Array]],
    *,
    loss_curve: Sequence[float] = (),
    t: int = 0,
) -> dict[str, Any]:
    """Attributes of a classifier whose weights were trained elsewhere.

    Parameters
    ----------
    estimator : DigitMLPClassifier
    network : Network
    arrays : tuple of (coefs, intercepts, norms)
        As `fold_batch_norm` returns them.
    loss_curve : sequence of float, default=()
        Loss of each epoch.
    t : int, default=0
        Number of rows trained on, all epochs together.

    Returns
    -------
    attributes : dict
        As `fitted_attributes` returns them.
    """
    no_data = TrainingData(None, np.empty(0), np.empty(0))
    checkpoint = Checkpoint(seed=0, arrays=[], loss_curve=list(loss_curve))
    task = TrainingTask(network, estimator, no_data, checkpoint, t_before=t)
    result = TrainingResult(*arrays, checkpoint, n_epochs=len(loss_curve))
    return fitted_attributes(task, result, keep_state=False)


def fitted_network(estimator: Any) -> Network:
    """Network of a fitted classifier, independent of its current parameters."""
    return Network(
        n_features=estimator.n_features_in_,
        hidden_layer_sizes=tuple(coef.shape[1] for coef in estimator.coefs_[:-1]),
        n_outputs=estimator.n_outputs_,
        out_activation=estimator.out_activation_,
        activation=estimator._activation,
        batch_norm=bool(estimator._batch_norms),
        rescale=estimator._rescale,
        dropout=estimator._dropout,
        dtype=estimator.coefs_[0].dtype.name,
    )


def _network_to_train(estimator: Any, X: Any, resuming: bool) -> Network:
    n_classes = len(estimator.classes_)
    sizes = check_hidden_layer_sizes(estimator.hidden_layer_sizes)
    if estimator.dtype != "auto":
        dtype = estimator.dtype
    elif resuming:
        dtype = estimator.coefs_[0].dtype.name
    else:
        double = X.dtype.newbyteorder("=") == np.float64
        dtype = "float64" if double else "float32"
    rescale = estimator.rescale
    if rescale == "max":
        rescale = estimator._rescale if resuming else _factor_of_max(X)
    network = Network(
        n_features=X.shape[1],
        hidden_layer_sizes=sizes,
        n_outputs=1 if n_classes == 2 else n_classes,
        out_activation="logistic" if n_classes == 2 else "softmax",
        activation=estimator.activation,
        dropout=check_dropout(estimator.dropout, len(sizes)),
        batch_norm=bool(estimator.batch_norm),
        rescale=None if rescale is None else float(rescale),
        dtype=dtype,
    )
    if resuming:
        _check_same_network(fitted_network(estimator), network)
    return network


def _factor_of_max(X: Any) -> float | None:
    """Factor that scales the maximum absolute value of X to 1; None without one."""
    largest = max(abs(float(X.min())), abs(float(X.max())))
    factor = 1 / largest if largest else np.inf
    return factor if 0 < factor < np.inf else None


def _check_same_network(fitted: Network, network: Network) -> None:
    for name in ("hidden_layer_sizes", "activation", "batch_norm", "rescale", "dtype"):
        had, wanted = getattr(fitted, name), getattr(network, name)
        if had != wanted:
            raise ValueError(
                f"Cannot resume training of a network fitted with {name}={had!r}. Got "
                f"{name}={wanted!r} instead. Set the parameter back, or start from new "
                "weights with warm_start=False."
            )


def _fitted_checkpoint(estimator: Any, network: Network) -> Checkpoint:
    """Checkpoint that was kept, else one made from the fitted weights."""
    curves = {
        "loss_curve": estimator.loss_curve_,
        "validation_scores": estimator.validation_scores_ or [],
        "validation_losses": estimator.validation_loss_curve_ or [],
    }
    if estimator._training_state is not None:
        return Checkpoint(**estimator._training_state, **curves)
    arrays = unfold_batch_norm(
        network, estimator.coefs_, estimator.intercepts_, estimator._batch_norms
    )
    return Checkpoint(
        seed=draw_seed(estimator.random_state),
        arrays=arrays,
        moving_average_bias=0.0,
        **curves,
    )


def split_rows(
    labels: Array, weight: Array, validation_fraction: float, seed: int
) -> tuple[Array, Array]:
    """Indices of training rows and validation rows, stratified by class."""
    # Imported here: it is a tenth of the time that importing skdigits takes.
    from sklearn.model_selection import train_test_split

    try:
        rows, held_out = train_test_split(
            np.arange(len(labels)),
            test_size=validation_fraction,
            random_state=seed,
            stratify=labels,
        )
    except ValueError as error:
        raise ValueError(
            f"Cannot hold out validation_fraction={validation_fraction} of "
            f"{len(labels)} rows, stratified by class, for early_stopping: "
            f"{str(error).rstrip('.')}. Pass more rows, another validation_fraction, "
            "or X_val and y_val."
        ) from error
    if len(held_out) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the "
            "size of your dataset."
        )
    for part, indices in [("training", rows), ("validation", held_out)]:
        if not weight[indices].any():
            raise ValueError(
                f"All weights of the {part} part of the data are 0 after the split "
                "for early_stopping. Drop rows of weight 0, or change "
                "validation_fraction or random_state."
            )
    return np.sort(rows), held_out
