//! Vectors as numbers that formulas can be written for.

use super::lanes::Lanes;
use super::math::exp2;
use crate::real::{Choice, Real, Truth};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// One `f32` per replica, aligned to cache lines.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Lane<S: Lanes> {
    /// The backend.
    pub s: S,
    /// The numbers.
    pub x: S::f32s,
}

/// One truth per replica.
#[derive(Clone, Copy)]
pub struct Mask<S: Lanes> {
    /// The backend.
    pub s: S,
    /// The truths.
    pub m: S::m32s,
}

/// The probability of a coin per replica, as the largest word that still pays: `word <= threshold`.
#[derive(Clone, Copy)]
pub struct Threshold<S: Lanes>(pub S::u32s);

impl<S: Lanes> Threshold<S> {
    /// Of the probability `p` in [0, 1]: the words whose uniform `(word + 1/2) / 2^32` is below `p`. Word 0 counts as 1, so a `p` below 2^-31 pays nothing.
    pub(super) fn of(p: f64) -> u32 {
        ((p * 2f64.powi(32) - 0.5).ceil() - 1.0) as u32
    }

    /// Whether the coin with this word pays.
    #[inline(always)]
    pub(crate) fn admits(self, s: S, word: S::u32s) -> Mask<S> {
        let word = s.max_u32s(word, s.splat_u32s(1));
        Mask { s, m: s.greater_than_or_equal_u32s(self.0, word) }
    }
}

impl<S: Lanes> Truth for Mask<S> {
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        Mask { m: self.s.and_m32s(self.m, other.m), ..self }
    }
    #[inline(always)]
    fn not(self) -> Self {
        Mask { m: self.s.not_m32s(self.m), ..self }
    }
}

impl<S: Lanes> Choice<Mask<S>> for Lane<S> {
    #[inline(always)]
    fn choose(which: Mask<S>, then: Self, other: Self) -> Self {
        Lane { x: which.s.select_f32s(which.m, then.x, other.x), ..then }
    }
}

impl<S: Lanes> Choice<Mask<S>> for Mask<S> {
    #[inline(always)]
    fn choose(which: Self, then: Self, other: Self) -> Self {
        let s = which.s;
        Mask { s, m: s.or_m32s(s.and_m32s(which.m, then.m), s.and_m32s(s.not_m32s(which.m), other.m)) }
    }
}

impl<S: Lanes> Choice<Mask<S>> for Threshold<S> {
    #[inline(always)]
    fn choose(which: Mask<S>, then: Self, other: Self) -> Self {
        Threshold(which.s.select_u32s(which.m, then.0, other.0))
    }
}

macro_rules! operator {
    ($trait:ident, $name:ident, $method:ident) => {
        impl<S: Lanes> $trait for Lane<S> {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                Lane { x: self.s.$method(self.x, other.x), ..self }
            }
        }
    };
}

operator!(Add, add, add_f32s);
operator!(Sub, sub, sub_f32s);
operator!(Mul, mul, mul_f32s);
operator!(Div, div, div_f32s);

impl<S: Lanes> Neg for Lane<S> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Lane { x: self.s.neg_f32s(self.x), ..self }
    }
}

impl<S: Lanes> Real for Lane<S> {
    type Truth = Mask<S>;
    const SAME: f64 = 0.0;
    #[inline(always)]
    fn like(self, x: f64) -> Self {
        Lane { x: self.s.splat_f32s(x as f32), ..self }
    }
    #[inline(always)]
    fn above(self, other: Self) -> Mask<S> {
        Mask { s: self.s, m: self.s.greater_than_f32s(self.x, other.x) }
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Lane { x: self.s.sqrt_f32s(self.x), ..self }
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Lane { x: self.s.abs_f32s(self.x), ..self }
    }
    /// Up to e^87.
    #[inline(always)]
    fn exp(self) -> Self {
        let x = self.s.mul_f32s(self.x, self.s.splat_f32s(std::f32::consts::LOG2_E));
        Lane { x: exp2(self.s, x).1, ..self }
    }
    /// To 2e-7 of the larger of 1 and the result.
    #[inline(always)]
    fn exp_m1(self) -> Self {
        self.exp() - self.like(1.0)
    }
}
