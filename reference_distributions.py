"""Quantiles and tails of Student's t and Fisher's F, in plain Python: all that the analysis would need scipy for.

Reads and writes nothing; the statistics modules call it. Both come from the regularised incomplete beta function, by
its continued fraction (Lentz's method; Press et al., Numerical Recipes, 6.4), to about 12 digits.
"""

import math
from functools import cache
from statistics import NormalDist

MANY_DEGREES = 1e6  # from here on t is the normal, to more digits than anything here is known to
TINY = 1e-300


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1]."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly, its mirror image does not
        return 1 - incomplete_beta(b, a, 1 - x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) * _beta_fraction(a, b, x) / a


def _beta_fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _not_zero(1 + term * d)
            c = _not_zero(1 + term / c)
            fraction *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return fraction


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY


def f_tail(value: float, numerator_degrees: float, denominator_degrees: float) -> float:
    """P(F > value) for F with the given degrees of freedom."""
    share = denominator_degrees / (denominator_degrees + numerator_degrees * value)
    return incomplete_beta(denominator_degrees / 2, numerator_degrees / 2, share)


def t_tail(value: float, degrees: float) -> float:
    """P(T > value) for Student's t."""
    if degrees >= MANY_DEGREES:
        return NormalDist().cdf(-value)
    half = f_tail(value * value, 1, degrees) / 2
    return half if value >= 0 else 1 - half


@cache
def t_quantile(probability: float, degrees: float) -> float:
    """The value that Student's t stays below with this probability, by bisection."""
    if probability < 0.5:
        return -t_quantile(1 - probability, degrees)
    low, high = 0.0, 2.0
    while t_tail(high, degrees) > 1 - probability:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, degrees) > 1 - probability else (low, middle)
    return high
