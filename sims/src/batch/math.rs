//! exp2 and log2 as fixed sequences of correctly rounded operations, so that every backend gives the same bits.
//!
//! All polynomials are minimax fits of our own: of (2^f - 1)/f to degrees 5 and, for small f, 2, and of log2(1 + z)/z to degree 8.
#![allow(clippy::excessive_precision)]

use super::lanes::Lanes;
use std::f32::consts::{LN_2, LOG2_E};

/// Coefficients of (2^f - 1)/f in falling powers of f, then 1: by Horner's rule, 2^f.
pub const EXP2: [f32; 7] = [1.535_336_2e-4, 1.339_887_5e-3, 9.618_437e-3, 5.550_332_4e-2, 0.240_226_48, LN_2, 1.0];

/// Coefficients of (2^x - 1)/x in falling powers of x, where |x| is at most [`SMALL`].
pub const EXP2_SMALL: [f32; 3] = [5.549_622e-2, 0.240_257_64, 0.693_147_24];

/// The largest |x| for [`times_exp2`].
pub const SMALL: f32 = 1.0 / 16.0;

/// Coefficients of log2(1 + z)/z in falling powers of z.
pub const LOG2: [f32; 9] = [0.12583689, -0.20726968, 0.21571562, -0.23894483, 0.28791624, -0.3607037, 0.48091063, -0.72134733, LOG2_E];

/// `coefficients` in falling powers of `x`, by Horner's rule.
#[inline(always)]
fn horner<S: Lanes, const N: usize>(s: S, coefficients: [f32; N], x: S::f32s) -> S::f32s {
    let mut p = s.splat_f32s(coefficients[0]);
    for c in &coefficients[1..] {
        p = s.mul_add_f32s(p, x, s.splat_f32s(*c));
    }
    p
}

/// x and 2^x, after bringing x to within 126 of 0.
///
/// Largest error over all f32 in [-126, 126]: 0.952 ulp, measured by the exhaustive test.
#[inline(always)]
pub fn exp2<S: Lanes>(s: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let x = s.limited(x, s.splat_f32s(126.0));
    (x, power(s, x))
}

/// The weight 2^x of a logit x, and x: as [`exp2`] within 126 of 0 and below; but no number where x is none, and far above all that is not above 126.
#[inline(always)]
pub fn weight_of<S: Lanes>(s: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let x = s.confined(x, s.splat_f32s(126.0));
    (x, power(s, x))
}

/// As [`exp2`] for x < 127, after raising x to at least `floor`, itself at least -126: products of weights that low would be slow subnormal numbers.
#[inline(always)]
pub fn exp2_above<S: Lanes>(s: S, floor: f32, x: S::f32s) -> (S::f32s, S::f32s) {
    let x = s.max_f32s(x, s.splat_f32s(floor));
    (x, power(s, x))
}

/// `a * 2^x` for |x| of at most [`SMALL`].
///
/// Largest error over all such f32, at a = 1: 0.959 ulp, measured by the exhaustive test.
#[inline(always)]
pub fn times_exp2<S: Lanes>(s: S, a: S::f32s, x: S::f32s) -> S::f32s {
    s.mul_add_f32s(s.mul_f32s(a, x), horner(s, EXP2_SMALL, x), a)
}

/// 2^x for x in [-126, 127).
#[inline(always)]
fn power<S: Lanes>(s: S, x: S::f32s) -> S::f32s {
    let (f, n) = s.split_power(x);
    s.scale(horner(s, EXP2, f), n)
}

/// log2(x) and its nearest integer, up to sqrt(2); for positive normal x.
///
/// Largest error over all of them: 2.12 ulp of the result, and 7.8e-8 of the larger of 1 and the result, measured by the exhaustive test.
#[inline(always)]
pub fn log2<S: Lanes>(s: S, x: S::f32s) -> (S::f32s, S::f32s) {
    const SQRT_HALF: u32 = 0x3f35_04f3;
    let bits = s.transmute_u32s_f32s(x);
    // x = 2^e m with m in [sqrt(1/2), sqrt(2))
    let shifted = s.add_u32s(bits, s.splat_u32s((127 << 23) - SQRT_HALF));
    let mantissa = s.add_u32s(s.and_u32s(shifted, s.splat_u32s(0x007f_ffff)), s.splat_u32s(SQRT_HALF));
    let e = s.sub_f32s(s.to_f32(s.shr::<23>(shifted)), s.splat_f32s(127.0));
    let z = s.sub_f32s(s.transmute_f32s_u32s(mantissa), s.splat_f32s(1.0));
    (s.mul_add_f32s(horner(s, LOG2, z), z, e), e)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::lanes::{Job, Vectors, dispatch};
    use crate::batch::memory;

    /// Largest errors over every `stride`-th f32 of the domains: of exp2 in ulp, of log2 beside the larger of 1 and the result, of log2 in
    /// ulp, of small powers in ulp.
    struct Worst {
        stride: usize,
    }

    impl Job for Worst {
        type Output = [f64; 4];
        #[inline(always)]
        fn run<S: Lanes>(self, s: S) -> [f64; 4] {
            let mut worst = [0f64; 4];
            let mut batch = Vec::with_capacity(S::LANES);
            for bits in (0..=u32::MAX).step_by(self.stride) {
                let x = f32::from_bits(bits);
                if (-126.0..=126.0).contains(&x) || (x.is_normal() && x > 0.0) {
                    batch.push(x);
                }
                if batch.len() == S::LANES {
                    let v = memory::vector::<S>(|lane| batch[lane]);
                    let (e, l, small) = ([exp2(s, v).1], [log2(s, v).0], [times_exp2(s, s.splat_f32s(1.0), v)]);
                    for (lane, &x) in batch.iter().enumerate() {
                        let (e, l) = (memory::flat::<S>(&e)[lane], memory::flat::<S>(&l)[lane]);
                        if (-126.0..=126.0).contains(&x) {
                            let exact = f64::from(x).exp2();
                            worst[0] = worst[0].max((f64::from(e) - exact).abs() / ulp(exact));
                            if x.abs() <= SMALL {
                                worst[3] = worst[3].max((f64::from(memory::flat::<S>(&small)[lane]) - exact).abs() / ulp(exact));
                            }
                        }
                        if x.is_normal() && x > 0.0 {
                            let exact = f64::from(x).log2();
                            let error = (f64::from(l) - exact).abs();
                            worst[1] = worst[1].max(error / exact.abs().max(1.0));
                            worst[2] = worst[2].max(if exact == 0.0 { 0.0 } else { error / ulp(exact) });
                        }
                    }
                    batch.clear();
                }
            }
            worst
        }
    }

    /// Distance of neighbouring f32 at `x`.
    fn ulp(x: f64) -> f64 {
        2f64.powi((x.abs().log2().floor() as i32).max(-126) - 23)
    }

    #[test]
    fn errors_are_as_stated() {
        let worst = dispatch(Vectors::Widest, Worst { stride: 997 });
        println!("{worst:?}");
        assert!(worst[0] < 0.953 && worst[1] < 7.8e-8 && worst[2] < 2.12 && worst[3] < 0.96, "{worst:?}");
    }

    #[test]
    #[ignore = "every f32, a minute or two"]
    fn errors_are_as_stated_everywhere() {
        let worst = dispatch(Vectors::Widest, Worst { stride: 1 });
        println!("{worst:?}");
        assert!(worst[0] < 0.953 && worst[1] < 7.8e-8 && worst[2] < 2.12 && worst[3] < 0.96, "{worst:?}");
    }
}
