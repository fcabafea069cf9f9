"""The definitions themselves, in mpmath at the working precision: what the package's numbers are tested against.

Moments of φ on a piece come from the textbook forms in erfc and exp. Those cancel badly, which 100 digits can afford
and doubles cannot: choose the precision with `mp.workdps` around a call.
"""

from __future__ import annotations

from mpmath import mp, mpf

from meanfield.activations.piecewise_linear import PiecewiseLinear


def density(z: mpf) -> mpf:
    """ϕ(z), 0 at ±∞."""
    return mpf(0) if mp.isinf(z) else mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi)


def probability(low: mpf, high: mpf) -> mpf:
    """Φ(high) − Φ(low), from the tail on the side where both lie."""
    root = mp.sqrt(2)
    if low >= 0:
        return (mp.erfc(low / root) - mp.erfc(high / root)) / 2
    if high <= 0:
        return (mp.erfc(-high / root) - mp.erfc(-low / root)) / 2
    return 1 - (mp.erfc(-low / root) + mp.erfc(high / root)) / 2


def normal_moments(low: mpf, high: mpf, order: int) -> list[mpf]:
    """∫ zⁿ ϕ(z) dz over [low, high] for n = 0…order, by parts."""
    moments = [probability(low, high), density(low) - density(high)]
    for n in range(2, order + 1):
        ends = [mpf(0) if mp.isinf(z) else z ** (n - 1) * density(z) for z in (low, high)]
        moments.append((n - 1) * moments[n - 2] + ends[0] - ends[1])
    return moments[: order + 1]


def pieces(phi: PiecewiseLinear, q) -> list[tuple[mpf, mpf, mpf, mpf]]:
    """(left end, right end, slope, value at 0) of φ(√q z) on each of its pieces, in z."""
    root = mp.sqrt(mpf(q))
    ends = [-mp.inf, *(mpf(t) / root for t in phi.knots), mp.inf]
    lines = zip(phi.slopes, phi.intercepts, strict=True)
    return [(ends[j], ends[j + 1], mpf(a) * root, mpf(c)) for j, (a, c) in enumerate(lines)]


def power_moment(phi: PiecewiseLinear, q, n: int) -> mpf:
    """E φ(√q z)ⁿ."""
    total = mpf(0)
    for low, high, a, c in pieces(phi, q):
        if not a:
            total += c**n * probability(low, high)
            continue
        moments = normal_moments(low, high, n)
        total += mp.fsum(mp.binomial(n, k) * a**k * c ** (n - k) * moments[k] for k in range(n + 1))
    return total


def slope_moment(phi: PiecewiseLinear, q, n: int) -> mpf:
    """E φ'(√q z)ⁿ, the slopes of the pieces alone."""
    return mp.fsum(
        mpf(a) ** n * probability(low, high) for a, (low, high, _, _) in zip(phi.slopes, pieces(phi, q), strict=True)
    )


def probability_of_zero(phi: PiecewiseLinear, q) -> mpf:
    """P(φ(√q z) = 0)."""
    return mp.fsum([mpf(0), *(probability(low, high) for low, high, a, c in pieces(phi, q) if a == 0 == c)])


def second_moment_derivative(phi: PiecewiseLinear, q, n: int) -> mpf:
    """dⁿ/dqⁿ E φ(√q z)², a finite difference at a multiple of the working precision."""
    return mp.diff(lambda x: power_moment(phi, x, 2), mpf(q), n)


def covariance(phi: PiecewiseLinear, rho, q) -> mpf:
    """E φ(u)φ(v), Var u = Var v = q, correlation ρ: an integral over u of φ(u) E[φ(v) | u].

    The integrand is smooth between the knots of φ and the bands, √(1 − ρ²) wide, in which E[φ(v) | u] turns.
    """
    rho = mpf(rho)
    s = mp.sqrt((1 - rho) * (1 + rho))
    lines = pieces(phi, q)
    far = mp.sqrt(2 * mp.log(10) * (mp.dps + 2))

    # φ(v) is its first line, and past each knot the turn there.
    *_, slope, value = lines[0]
    turns = [(low, a - lines[j][2], c - lines[j][3]) for j, (low, _, a, c) in enumerate(lines[1:])]
    root = mp.sqrt(2)

    def conditional_mean(u: mpf) -> mpf:
        mean = rho * u
        total = slope * mean + value
        for knot, a, c in turns:
            z = (knot - mean) / s
            total += (a * mean + c) * mp.erfc(z / root) / 2 + a * s * density(z)
        return total

    knots = [low for low, *_ in lines[1:]]
    breaks = {-far, far, *knots, *(mpf(k) for k in range(-9, 10, 3))}
    if rho:
        breaks |= {h / rho + k * s / abs(rho) for h in knots for k in (-12, -8, -5, -3, -1, 0, 1, 3, 5, 8, 12)}
    breaks = sorted(b for b in breaks if -far <= b <= far)
    total = mpf(0)
    for low, high, a, c in lines:
        if a == 0 == c:
            continue
        inside = [max(low, -far), *(b for b in breaks if low < b < high), min(high, far)]
        if inside[0] >= inside[-1]:
            continue

        def integrand(u: mpf, a: mpf = a, c: mpf = c) -> mpf:
            return (a * u + c) * density(u) * conditional_mean(u)

        total += mp.quad(integrand, inside, method="gauss-legendre")
    return total


def squared_bias(phi: PiecewiseLinear, q_star: float) -> mpf:
    """σ_b² on the edge of chaos at q*, from the definitions; −1 where φ does not slope."""
    with mp.workdps(40):
        slopes = slope_moment(phi, q_star, 2)
        return mpf(q_star) - power_moment(phi, q_star, 2) / slopes if slopes else mpf(-1)
