"""Methods whose results are kept, for what several steps of a run need and what is traced or computed once."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

Method = TypeVar("Method", bound=Callable[..., Any])


def once(method: Method) -> Method:
    """Decorates a method, so that it is called once for the same object and arguments, and its result is kept.

    `functools.cache` would keep the objects as long as the program runs.

    Args:
        method: Takes hashable arguments by position, such as a Keras model.

    Example:

    >>> class Counting:
    ...     made = 0
    ...
    ...     @once
    ...     def answerer(self, model):
    ...         self.made += 1
    ...         return f"answers with {model}"
    >>> task = Counting()
    >>> task.answerer("a model"), task.answerer("a model"), task.made
    ('answers with a model', 'answers with a model', 1)
    """

    @functools.wraps(method)
    def kept(self: Any, *arguments: Any) -> Any:
        results = vars(self).setdefault("_made_once", {})
        key = (method.__name__, *arguments)
        if key not in results:
            results[key] = method(self, *arguments)
        return results[key]

    return cast(Method, kept)
