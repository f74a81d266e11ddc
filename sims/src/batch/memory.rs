//! Tables of vectors, seen as vectors or as single numbers. A table of n rows holds row r of lane l at `r * LANES + l`.

use super::lanes::Lanes;
use pulp::bytemuck;

/// A table of `f32` vectors, all zero at first.
pub(super) fn floats<S: Lanes>(s: S, rows: usize) -> Vec<S::f32s> {
    vec![s.splat_f32s(0.0); rows]
}

/// A table of `u32` vectors, all zero at first.
pub(super) fn words<S: Lanes>(s: S, rows: usize) -> Vec<S::u32s> {
    vec![s.splat_u32s(0); rows]
}

/// The single numbers of a table of numbers.
#[inline(always)]
pub(super) fn flat<S: Lanes>(table: &[S::f32s]) -> &[f32] {
    bytemuck::cast_slice(table)
}

/// The single numbers of a table of numbers, to be written.
#[inline(always)]
pub(super) fn flat_mut<S: Lanes>(table: &mut [S::f32s]) -> &mut [f32] {
    bytemuck::cast_slice_mut(table)
}

/// The bits of a table of words, as numbers: for gathers.
#[inline(always)]
pub(super) fn bits<S: Lanes>(table: &[S::u32s]) -> &[f32] {
    bytemuck::cast_slice(table)
}

/// The single words of a table of words.
#[inline(always)]
pub(super) fn flat_words<S: Lanes>(table: &[S::u32s]) -> &[u32] {
    bytemuck::cast_slice(table)
}

/// The single words of a table of words, to be written.
#[inline(always)]
pub(super) fn flat_words_mut<S: Lanes>(table: &mut [S::u32s]) -> &mut [u32] {
    bytemuck::cast_slice_mut(table)
}

/// One number per lane.
#[inline(always)]
pub(super) fn vector<S: Lanes>(of: impl FnMut(usize) -> f32) -> S::f32s {
    let all: Vec<f32> = (0..S::LANES).map(of).collect();
    bytemuck::cast_slice(&all)[0]
}

/// One word per lane.
#[inline(always)]
pub(super) fn word_vector<S: Lanes>(of: impl FnMut(usize) -> u32) -> S::u32s {
    let all: Vec<u32> = (0..S::LANES).map(of).collect();
    bytemuck::cast_slice(&all)[0]
}
