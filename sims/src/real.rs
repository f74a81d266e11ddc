//! Numbers that formulas are written for: a formula is one generic function, and `f64` (the reference loop) or a vector of `f32`, one replica per lane
//! (the batched engine), is put in. Nothing here branches on a number, and what loops over rollouts is a [`Real::fold`], so a third kind
//! prints itself as the source of a kernel ([`crate::batch::cuda`]).

use std::ops::{Add, Div, Mul, Neg, Sub};

/// What a comparison of numbers gives.
pub trait Truth: Choice<Self> {
    /// Whether both hold.
    fn and(self, other: Self) -> Self;
    /// Whether it does not hold.
    fn not(self) -> Self;
}

/// What a truth `T` can choose between.
pub trait Choice<T>: Copy {
    /// `then` where `which` holds, else `other`.
    fn choose(which: T, then: Self, other: Self) -> Self;
}

/// A number.
pub trait Real:
    Choice<Self::Truth> + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// What comparing two gives.
    type Truth: Truth;
    /// Relative difference up to which two rewards count as equal. Nothing in `f32`: the same response earns the same bits there.
    const SAME: f64;
    /// `x` as a number of the same kind.
    fn like(self, x: f64) -> Self;
    /// Whether it is larger than `other`.
    fn above(self, other: Self) -> Self::Truth;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// `e^x`.
    fn exp(self) -> Self;
    /// `e^x - 1`.
    fn exp_m1(self) -> Self;
    /// Carries numbers, `start` at first, through the pairs of two columns, in their order.
    #[inline(always)]
    fn fold<const N: usize>(left: &[Self], right: &[Self], start: [Self; N], turn: &impl Turn<Self, N>) -> [Self; N] {
        let mut carried = start;
        for (left, right) in left.iter().zip(right) {
            carried = turn.turn(carried, *left, *right);
        }
        carried
    }
}

/// The body of a loop that carries `N` numbers; a trait and not a closure, so that it is compiled with the instructions of its caller.
pub trait Turn<R, const N: usize> {
    /// What is carried on from a pair.
    fn turn(&self, carried: [R; N], left: R, right: R) -> [R; N];
}

impl Truth for bool {
    fn and(self, other: Self) -> Self {
        self && other
    }
    fn not(self) -> Self {
        !self
    }
}

impl<C: Copy> Choice<bool> for C {
    fn choose(which: bool, then: Self, other: Self) -> Self {
        if which { then } else { other }
    }
}

impl Real for f64 {
    type Truth = bool;
    const SAME: f64 = 1e-12;
    fn like(self, x: f64) -> Self {
        x
    }
    fn above(self, other: Self) -> bool {
        self > other
    }
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    fn abs(self) -> Self {
        f64::abs(self)
    }
    fn exp(self) -> Self {
        f64::exp(self)
    }
    fn exp_m1(self) -> Self {
        f64::exp_m1(self)
    }
}
