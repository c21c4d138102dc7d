"""The loss of one network or of many."""

from typing import Any


def cross_entropy(
    tf: Any, Z: Any, y: Any, smoothing: Any, out_activation: str, n_outputs: int
) -> Any:
    """Cross-entropy of every row, with label smoothing.

    Parameters
    ----------
    tf : module
    Z : tensor of shape (..., n_outputs)
        Logits.
    y : tensor of int of shape (...,) or broadcastable to it
        Class indices.
    smoothing : tensor, broadcastable to the shape of Z
        Fraction of the target that is spread over all classes.
    out_activation : {"logistic", "softmax"}
    n_outputs : int

    Returns
    -------
    losses : tensor of shape (...,)
    """
    if out_activation == "logistic":
        target = tf.cast(y, Z.dtype)[..., None]
        target += smoothing * (0.5 - target)
        target = tf.broadcast_to(target, tf.shape(Z))
        return tf.nn.sigmoid_cross_entropy_with_logits(target, Z)[..., 0]
    target = tf.one_hot(y, n_outputs, dtype=Z.dtype)
    target += smoothing * (1 / n_outputs - target)
    target = tf.broadcast_to(target, tf.shape(Z))
    return tf.nn.softmax_cross_entropy_with_logits(target, Z)
