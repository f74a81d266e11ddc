//! What happens to rows of numbers between the products of matrices: written as plain loops, compiled for the widest vectors the processor has.
//!
//! Sums run over 16 fixed lanes, so they do not depend on the width of the vectors.

use crate::vectors::vectorised;

/// Lanes of a sum.
pub(crate) const LANES: usize = 16;

/// `e^x` for x in [-87, 88], clamped to it elsewhere; relative error below 2e-7 (tested).
///
/// `x = n ln 2 + r`, `|r| <= ln 2 / 2`, and Taylor's polynomial of degree 7 for `e^r`. Adding and subtracting 1.5 * 2^23 rounds to an integer, whose bits
/// then become the exponent.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts; the first has few bits, so that n times it is exact
    const LN2_HIGH: f32 = 355.0 / 512.0;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let low = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0)));
    let r2 = r * r;
    let high = (1.0 / 24.0) + r * (1.0 / 120.0) + r2 * ((1.0 / 720.0) + r * (1.0 / 5040.0));
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    (low + r2 * r2 * high) * power
}

/// Sum over i of `f(i)`, i below `length`, over lanes.
#[inline(always)]
fn lanes(length: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut sums = [0.0f32; LANES];
    let whole = length / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += f(start + lane);
        }
    }
    let mut tail = 0.0;
    for i in whole..length {
        tail += f(i);
    }
    folded(
        sums,
        #[inline(always)]
        |a, b| a + b,
    ) + tail
}

/// All lanes as one, by halves.
#[inline(always)]
fn folded(mut lanes: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = f(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let b = &b[..a.len()];
    lanes(
        a.len(),
        #[inline(always)]
        |i| a[i] * b[i],
    )
}

#[inline(always)]
fn largest(x: &[f32]) -> f32 {
    let mut tops = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            tops[lane] = larger(chunk[lane], tops[lane]);
        }
    }
    let mut top = folded(tops, larger);
    for x in rest {
        top = larger(*x, top);
    }
    top
}

/// `y += a x`.
#[inline(always)]
pub(crate) fn add_scaled(y: &mut [f32], a: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// `y += x`.
pub(crate) fn add(y: &mut [f32], x: &[f32]) {
    vectorised(
        #[inline(always)]
        || add_scaled(y, 1.0, x),
    );
}

/// Adds `bias` to every row.
pub(crate) fn add_bias(rows: &mut [f32], bias: &[f32]) {
    vectorised(
        #[inline(always)]
        || rows.chunks_exact_mut(bias.len()).for_each(|row| add_scaled(row, 1.0, bias)),
    );
}

/// Adds every row to `sums`.
pub(crate) fn add_rows(sums: &mut [f32], rows: &[f32]) {
    vectorised(
        #[inline(always)]
        || rows.chunks_exact(sums.len()).for_each(|row| add_scaled(sums, 1.0, row)),
    );
}

/// `1 / sqrt(mean(x^2) + floor)`.
#[inline(always)]
fn inverse_rms(x: &[f32], floor: f32) -> f32 {
    1.0 / (dot(x, x) / x.len() as f32 + floor).sqrt()
}

/// RMS norm of one row in place, `x inverse weight`; gives the inverse root mean square.
#[inline(always)]
pub(crate) fn norm_in_place(x: &mut [f32], weight: &[f32], floor: f32) -> f32 {
    let inverse = inverse_rms(x, floor);
    for (x, w) in x.iter_mut().zip(weight) {
        *x = *x * inverse * w;
    }
    inverse
}

/// RMS norm of every row.
pub(crate) fn norm(x: &[f32], weight: &[f32], floor: f32, y: &mut [f32], inverse: &mut [f32]) {
    let width = weight.len();
    vectorised(
        #[inline(always)]
        || {
            for ((x, y), inverse) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(inverse) {
                y.copy_from_slice(x);
                *inverse = norm_in_place(y, weight, floor);
            }
        },
    );
}

/// Backward of [`norm_in_place`]: with u = x inverse and h = dy weight,
///
/// ```text
/// dx += inverse (h - u mean(h u)),   dweight += dy u
/// ```
#[inline(always)]
pub(crate) fn norm_row_back(x: &[f32], weight: &[f32], inverse: f32, dy: &[f32], dx: &mut [f32], dweight: &mut [f32]) {
    let width = weight.len();
    let (x, dy, dx, dweight) = (&x[..width], &dy[..width], &mut dx[..width], &mut dweight[..width]);
    let mean = lanes(
        width,
        #[inline(always)]
        |i| dy[i] * weight[i] * x[i],
    ) * inverse
        * inverse
        / width as f32;
    for i in 0..width {
        dx[i] += inverse * (dy[i] * weight[i] - x[i] * mean);
        dweight[i] += dy[i] * (x[i] * inverse);
    }
}

/// Backward of [`norm`]; adds to `dx` and `dweight`.
pub(crate) fn norm_back(x: &[f32], weight: &[f32], inverse: &[f32], dy: &[f32], dx: &mut [f32], dweight: &mut [f32]) {
    let width = weight.len();
    vectorised(
        #[inline(always)]
        || {
            let rows = x.chunks_exact(width).zip(dy.chunks_exact(width)).zip(dx.chunks_exact_mut(width)).zip(inverse);
            for (((x, dy), dx), inverse) in rows {
                norm_row_back(x, weight, *inverse, dy, dx, dweight);
            }
        },
    );
}

/// Turns a head to its position: pairs (i, i + half) by angle i; `turn` holds cosines, then sines.
#[inline(always)]
pub(crate) fn rotate(x: &mut [f32], turn: &[f32]) {
    rotate_by(x, turn, 1.0);
}

/// Turns it back, which is also the backward of [`rotate`].
#[inline(always)]
pub(crate) fn rotate_back(x: &mut [f32], turn: &[f32]) {
    rotate_by(x, turn, -1.0);
}

#[inline(always)]
fn rotate_by(x: &mut [f32], turn: &[f32], sign: f32) {
    let half = x.len() / 2;
    let (cos, sin) = turn.split_at(half);
    let (left, right) = x.split_at_mut(half);
    for (((l, r), c), s) in left.iter_mut().zip(right).zip(cos).zip(sin) {
        let s = sign * s;
        (*l, *r) = (*l * c - *r * s, *r * c + *l * s);
    }
}

/// Softmax in place.
#[inline(always)]
fn softmax_lanes(x: &mut [[f32; LANES]]) {
    let top = largest(x.as_flattened());
    let mut sums = [0.0f32; LANES];
    for x in x.iter_mut() {
        for lane in 0..LANES {
            x[lane] = exp(x[lane] - top);
            sums[lane] += x[lane];
        }
    }
    let scale = 1.0
        / folded(
            sums,
            #[inline(always)]
            |a, b| a + b,
        );
    for x in x.iter_mut() {
        for x in x.iter_mut() {
            *x *= scale;
        }
    }
}

/// Softmax of the first `seen` scores of a row in place, zero beyond. The row is a whole number of lanes long.
#[inline(always)]
pub(crate) fn softmax_seen(row: &mut [f32], seen: usize) {
    let end = seen.next_multiple_of(LANES);
    row[seen..end].fill(f32::MIN);
    softmax_lanes(row[..end].as_chunks_mut().0);
    row[seen..].fill(0.0);
}

/// Causal softmax of scores `[.., tokens, pitch]` in place: row t over columns 0..=t, zero beyond.
pub(crate) fn softmax(scores: &mut [f32], tokens: usize, pitch: usize) {
    vectorised(
        #[inline(always)]
        || {
            for (t, row) in scores.chunks_exact_mut(pitch).enumerate() {
                softmax_seen(row, t % tokens + 1);
            }
        },
    );
}

/// Backward of [`softmax`], in place: `ds = p (dp - sum(p dp))`; zero where p is. What lies in `dchances` beyond the seen must be finite.
pub(crate) fn softmax_back(chances: &[f32], dchances: &mut [f32], tokens: usize, pitch: usize) {
    vectorised(
        #[inline(always)]
        || {
            for (t, (p, d)) in chances.chunks_exact(pitch).zip(dchances.chunks_exact_mut(pitch)).enumerate() {
                let end = (t % tokens + 1).next_multiple_of(LANES);
                d[tokens..].fill(0.0);
                let mean = dot(&p[..end], &d[..end]);
                for (d, p) in d.iter_mut().zip(p) {
                    *d = p * (*d - mean);
                }
            }
        },
    );
}

/// `(a, b) = f(a, b, c)`, entry by entry, in lanes.
#[inline(always)]
fn map(a: &mut [f32], b: &mut [f32], c: &[f32], f: impl Fn(f32, f32, f32) -> (f32, f32)) {
    let (a_lanes, a_rest) = a.as_chunks_mut::<LANES>();
    let (b_lanes, b_rest) = b.as_chunks_mut::<LANES>();
    let (c_lanes, c_rest) = c.as_chunks::<LANES>();
    for ((a, b), c) in a_lanes.iter_mut().zip(b_lanes).zip(c_lanes) {
        let (x, y) = (*a, *b);
        for i in 0..LANES {
            (a[i], b[i]) = f(x[i], y[i], c[i]);
        }
    }
    for ((a, b), c) in a_rest.iter_mut().zip(b_rest).zip(c_rest) {
        (*a, *b) = f(*a, *b, *c);
    }
}

/// `silu(gate) up` of rows `[gate, up]`, each of width `inside`; silu(x) = x / (1 + e^-x).
pub(crate) fn gated(gate_up: &[f32], inside: usize, y: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || {
            for (row, y) in gate_up.chunks_exact(2 * inside).zip(y.chunks_exact_mut(inside)) {
                let (gate, up) = row.split_at(inside);
                for ((y, g), u) in y.iter_mut().zip(gate).zip(up) {
                    *y = g / (1.0 + exp(-g)) * u;
                }
            }
        },
    );
}

/// Backward of [`gated`], in place of gate and up.
pub(crate) fn gated_back(gate_up: &mut [f32], inside: usize, dy: &[f32]) {
    vectorised(
        #[inline(always)]
        || {
            for (row, dy) in gate_up.chunks_exact_mut(2 * inside).zip(dy.chunks_exact(inside)) {
                let (gate, up) = row.split_at_mut(inside);
                map(
                    gate,
                    up,
                    dy,
                    #[inline(always)]
                    |g, u, dy| {
                        let s = 1.0 / (1.0 + exp(-g));
                        let silu = g * s;
                        (dy * u * (s + silu * (1.0 - s)), dy * silu)
                    },
                );
            }
        },
    );
}

/// Log-probabilities in place of a row of logits times `scale`; gives entropy and certainty, in nats.
#[inline(always)]
fn log_softmax_row(x: &mut [f32], scale: f32) -> (f32, f32) {
    for x in x.iter_mut() {
        *x *= scale;
    }
    let top = largest(x);
    let log_sum = top
        + lanes(
            x.len(),
            #[inline(always)]
            |i| exp(x[i] - top),
        )
        .ln();
    for x in x.iter_mut() {
        *x -= log_sum;
    }
    (
        -lanes(
            x.len(),
            #[inline(always)]
            |i| exp(x[i]) * x[i],
        ),
        -lanes(
            x.len(),
            #[inline(always)]
            |i| x[i],
        ) / x.len() as f32,
    )
}

/// [`log_softmax_row`] on its own.
pub(crate) fn log_softmax(x: &mut [f32], scale: f32) -> (f32, f32) {
    vectorised(
        #[inline(always)]
        || log_softmax_row(x, scale),
    )
}

/// The exponential of each number.
pub(crate) fn exponentials(x: &[f32]) -> Vec<f32> {
    let mut y = x.to_vec();
    vectorised(
        #[inline(always)]
        || y.iter_mut().for_each(|y| *y = exp(*y)),
    );
    y
}

/// Scores of rows of logits in place: `[log pi of the target, entropy, certainty]` each; the logits become log-probabilities.
pub(crate) fn scores(logits: &mut [f32], vocab: usize, temperature: f64, targets: &[u32], scores: &mut [f32]) {
    let scale = (1.0 / temperature) as f32;
    vectorised(
        #[inline(always)]
        || {
            for ((row, target), out) in logits.chunks_exact_mut(vocab).zip(targets).zip(scores.chunks_exact_mut(3)) {
                let (entropy, certainty) = log_softmax_row(row, scale);
                out.copy_from_slice(&[row[*target as usize], entropy, certainty]);
            }
        },
    );
}

/// Backward of [`scores`], in place of the log-probabilities. With s the scaled logits and p their softmax:
///
/// ```text
/// d log p_t / ds_j = [j = t] - p_j    dH / ds_j = -p_j (log p_j + H)    dC / ds_j = p_j - 1 / V
/// ```
pub(crate) fn scores_back(logs: &mut [f32], vocab: usize, temperature: f64, targets: &[u32], scores: &[f32], upstream: &[f32]) {
    let scale = (1.0 / temperature) as f32;
    vectorised(
        #[inline(always)]
        || {
            let rows = logs.chunks_exact_mut(vocab).zip(targets).zip(scores.chunks_exact(3).zip(upstream.chunks_exact(3)));
            for ((row, target), (score, up)) in rows {
                let (chosen, entropy, certainty) = (up[0] * scale, up[1] * scale, up[2] * scale);
                let flat = certainty / vocab as f32;
                for log in row.iter_mut() {
                    *log = exp(*log) * (certainty - chosen - entropy * (*log + score[1])) - flat;
                }
                row[*target as usize] += chosen;
            }
        },
    );
}

/// `to = from^T`, from `[rows, columns]`, in tiles.
pub(crate) fn transpose(from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    const TILE: usize = 16;
    for top in (0..rows).step_by(TILE) {
        for left in (0..columns).step_by(TILE) {
            for j in left..columns.min(left + TILE) {
                for i in top..rows.min(top + TILE) {
                    to[j * rows + i] = from[i * columns + j];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_two_in_ten_million() {
        let error = |i: i32| {
            let x = i as f32 * 1e-3;
            (f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs()
        };
        let worst = (-86_999..88_000).map(error).fold(0.0, f64::max);
        assert!(worst < 2e-7, "{worst}");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!((exp(-1e30), exp(1e30)), (exp(-87.0), exp(88.0)));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn log_probabilities_hold_wherever_the_largest_logit_stands() {
        for place in [0, 15, 16, 18] {
            let mut logits = [0.0; 19];
            logits[place] = 300.0;
            let (entropy, certainty) = log_softmax(&mut logits, 1.0);
            assert!((0..19).all(|i| logits[i] == if i == place { 0.0 } else { -300.0 }), "{logits:?}");
            assert!(entropy.abs() < 1e-30 && (certainty - 300.0 * 18.0 / 19.0).abs() < 1e-4, "{entropy} {certainty}");
        }
    }

    #[test]
    fn what_lies_beyond_the_tokens_does_not_reach_the_backward_of_softmax() {
        let (tokens, pitch) = (3, LANES);
        let mut chances = vec![0.5; tokens * pitch];
        softmax(&mut chances, tokens, pitch);
        let mut slopes = vec![f32::NAN; tokens * pitch];
        slopes.chunks_exact_mut(pitch).for_each(|row| row[..tokens].copy_from_slice(&[1.0, 2.0, 3.0]));
        softmax_back(&chances, &mut slopes, tokens, pitch);
        let expected = [[0.0, 0.0, 0.0], [-0.25, 0.25, 0.0], [-1.0 / 3.0, 0.0, 1.0 / 3.0]];
        for (row, expected) in slopes.chunks_exact(pitch).zip(expected) {
            assert!(row[..tokens].iter().zip(expected).all(|(d, e)| (d - e).abs() < 1e-6), "{row:?}");
            assert!(row[tokens..].iter().all(|d| *d == 0.0), "{row:?}");
        }
    }

    #[test]
    fn sums_over_lanes_do_not_depend_on_vectors() {
        let x: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.37).sin()).collect();
        for length in [0, 1, 15, 16, 17, 500, 1000] {
            assert_eq!(
                vectorised(
                    #[inline(always)]
                    || dot(&x[..length], &x[..length])
                ),
                dot(&x[..length], &x[..length])
            );
        }
    }
}
