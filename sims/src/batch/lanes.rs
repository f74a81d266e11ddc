//! Vectors of replicas: what the engine needs beyond [`pulp::Simd`]. A replica is a lane, and every operation means the same in every lane on every backend,
//! bit for bit. AVX-512, AVX2 and plain scalars are spelled out; other machines, NEON among them, run the scalars.
//!
//! The only `unsafe` of the engine is here: gathers, scatters and the rows of tiles, each behind a check of its indices, and what a cache line holds.
#![allow(unsafe_code)]

use super::memory;
use super::shown::{Shown, Sink};
use crate::signals::Formula;
use pulp::{Simd, bytemuck};

/// Numbers of a row: what tables hold that lanes read each at a place of its own.
pub const ROW: usize = 8;
/// Eight consecutive numbers of a table.
pub type Row = [f32; ROW];

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Line([u32; 16]);

// SAFETY: sixteen words without padding, of which any bits are valid.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Line {}

/// A computation for one backend. `run` must be `#[inline(always)]`, so that it is compiled with the backend's instructions.
pub trait Kernel<S: Lanes> {
    /// What it gives.
    type Output;
    /// Runs with `s`.
    fn run(self, s: S) -> Self::Output;
}

/// A computation for any backend, with the same demand.
pub trait Job {
    /// What it gives.
    type Output;
    /// Runs with `s`.
    fn run<S: Lanes>(self, s: S) -> Self::Output;
}

impl<S: Lanes, J: Job> Kernel<S> for J {
    type Output = J::Output;
    #[inline(always)]
    fn run(self, s: S) -> J::Output {
        Job::run(self, s)
    }
}

/// A SIMD backend that can run replica-per-lane kernels.
pub trait Lanes: Simd + 'static {
    /// One 64-bit cell per lane. Only the low halves count, except in the products of [`Lanes::mul_wide`].
    type Pair: Copy;

    /// Lanes per vector.
    const LANES: usize = Self::F32_LANES;

    /// Pays a group's draws by `formula`, compiled for this backend.
    fn pay(self, formula: &dyn Formula, shown: &Shown<Self>, sink: Sink<Self>);

    /// Runs `kernel` compiled for this backend.
    fn enter<K: Kernel<Self>>(self, kernel: K) -> K::Output;

    /// Spreads 32-bit lanes over 64-bit cells.
    fn split(self, a: Self::u32s) -> Self::Pair;
    /// Collects the low halves.
    fn join(self, a: Self::Pair) -> Self::u32s;
    /// `low(a) * b` as 64-bit products; their low halves are the products modulo 2^32.
    fn mul_wide(self, a: Self::Pair, b: u32) -> Self::Pair;
    /// `high(product) ^ a ^ b` in the low halves.
    fn high_xor(self, product: Self::Pair, a: Self::Pair, b: Self::Pair) -> Self::Pair;
    /// `a ^ b` in the low halves.
    fn xor_pair(self, a: Self::Pair, b: Self::Pair) -> Self::Pair;

    /// Exact conversion of integers below 2^24.
    fn to_f32(self, a: Self::u32s) -> Self::f32s;
    /// Whether any lane is set.
    fn any(self, mask: Self::m32s) -> bool;
    /// `a + b` where `mask` holds, else `a`.
    fn add_where(self, mask: Self::m32s, a: Self::u32s, b: Self::u32s) -> Self::u32s;
    /// `x`, no further from 0 than `limit`, which is positive.
    #[inline(always)]
    fn limited(self, x: Self::f32s, limit: Self::f32s) -> Self::f32s {
        self.max_f32s(self.min_f32s(x, limit), self.neg_f32s(limit))
    }
    /// `x - n` for the integer n nearest to x, exactly, and a form of n for [`Lanes::scale`]; |x| < 2^21.
    #[inline(always)]
    fn split_power(self, x: Self::f32s) -> (Self::f32s, Self::f32s) {
        // adding 3/2 2^23 leaves n in the low bits
        let magic = self.splat_f32s(12_582_912.0);
        let rounded = self.add_f32s(x, magic);
        (self.sub_f32s(x, self.sub_f32s(rounded, magic)), rounded)
    }
    /// `a * 2^n` for `n` from [`Lanes::split_power`]; factors and result must be normal.
    #[inline(always)]
    fn scale(self, a: Self::f32s, n: Self::f32s) -> Self::f32s {
        let power = self.shl23(self.transmute_u32s_f32s(n));
        self.transmute_f32s_u32s(self.add_u32s(self.transmute_u32s_f32s(a), power))
    }
    /// Whether bit `index % 32` of `word` is set.
    #[inline(always)]
    fn bit(self, word: Self::u32s, index: Self::u32s) -> Self::m32s {
        let one = self.splat_u32s(1);
        self.equal_u32s(self.and_u32s(self.wrapping_dyn_shr_u32s(word, index), one), one)
    }
    /// Whether `word` and `bits` share a set bit.
    #[inline(always)]
    fn meets(self, word: Self::u32s, bits: Self::u32s) -> Self::m32s {
        self.not_m32s(self.equal_u32s(self.and_u32s(word, bits), self.splat_u32s(0)))
    }
    /// `a << 23`.
    fn shl23(self, a: Self::u32s) -> Self::u32s;
    /// `a >> COUNT`.
    fn shr<const COUNT: u32>(self, a: Self::u32s) -> Self::u32s;
    /// `table[index]` per lane.
    ///
    /// # Panics
    /// When an index is not below `table.len()`.
    fn gather(self, table: &[f32], index: Self::u32s) -> Self::f32s;
    /// Adds `x` to `table[index]`, row after row and lane after lane. Indices and numbers are read back from memory one by one: quicker than taking vectors
    /// apart.
    ///
    /// # Panics
    /// When an index is not below `table.len()`.
    #[inline(always)]
    fn scatter_add_rows(self, table: &mut [f32], index: &[Self::u32s], x: &[Self::f32s]) {
        let mut last = self.splat_u32s(0);
        for index in index {
            last = self.max_u32s(last, *index);
        }
        assert!(self.all_below(last, table.len()), "an index is outside the table");
        if Self::LANES > 1 {
            // indices by twos, the first in the low half, for what takes the time here is loads
            for (&index, x) in bytemuck::cast_slice::<_, u64>(index).iter().zip(bytemuck::cast_slice::<_, [f32; 2]>(x)) {
                // SAFETY: every index is below the table's length, just checked.
                unsafe { *table.get_unchecked_mut(index as u32 as usize) += x[0] };
                unsafe { *table.get_unchecked_mut((index >> 32) as usize) += x[1] };
            }
        } else {
            for (&index, &x) in bytemuck::cast_slice::<_, u32>(index).iter().zip(bytemuck::cast_slice::<_, f32>(x)) {
                // SAFETY: every index is below the table's length, just checked.
                unsafe { *table.get_unchecked_mut(index as usize) += x };
            }
        }
    }
    /// The same of one row.
    #[inline(always)]
    fn scatter_add(self, table: &mut [f32], index: &Self::u32s, x: &Self::f32s) {
        self.scatter_add_rows(table, std::slice::from_ref(index), std::slice::from_ref(x));
    }
    /// `table[index]` per lane.
    ///
    /// # Panics
    /// When an index is not below `table.len()`.
    #[inline(always)]
    fn gather_words(self, table: &[u32], index: Self::u32s) -> Self::u32s {
        self.transmute_u32s_f32s(self.gather(bytemuck::cast_slice(table), index))
    }
    /// The lanes of a mask as bits, lane 0 lowest.
    fn bits(self, mask: Self::m32s) -> u32;
    /// Numbers the lanes of a mask from `first` on, lane 0 lowest; the others are 0.
    #[inline(always)]
    fn number(self, mask: Self::m32s, first: u32) -> Self::u32s {
        let (bits, mut next) = (self.bits(mask), first);
        memory::word_vector::<Self>(|lane| {
            let own = bits >> lane & 1;
            next += own;
            own * next.wrapping_sub(1)
        })
    }
    /// The words of the lanes of a mask side by side, in their order; what comes after them is anything.
    #[inline(always)]
    fn compress(self, mask: Self::m32s, words: Self::u32s) -> Self::u32s {
        let (mut bits, words) = (self.bits(mask), [words]);
        memory::word_vector::<Self>(|_| {
            let lane = bits.trailing_zeros() as usize % Self::LANES;
            bits &= bits.wrapping_sub(1);
            memory::flat_words::<Self>(&words)[lane]
        })
    }
    /// Asks for the entries of `table` that the lanes name, which will be read soon; changes nothing, and indices may lie outside.
    #[inline(always)]
    fn prefetch<T>(self, table: &[T], index: Self::u32s) {
        let _ = (table, index);
    }
    /// The rows of `table` that the lanes name, row by row: a tile in row form, which only [`Lanes::transpose`] and those that write rows understand.
    ///
    /// # Panics
    /// When an index is not below `table.len()`.
    fn load_rows(self, table: &[Row], index: Self::u32s) -> [Self::f32s; ROW];
    /// Turns a tile from row form to lane form (vector `a` holds number `a` of every lane's row) or back.
    fn transpose(self, tile: [Self::f32s; ROW]) -> [Self::f32s; ROW];
    /// Turns squares of as many vectors as there are lanes, which lie side by side: number `i` of vector `j` becomes number `j` of vector `i`.
    ///
    /// # Panics
    /// When there are more or fewer rows than lanes.
    fn turn<const SQUARES: usize>(self, rows: &mut [[Self::f32s; SQUARES]]);
    /// Of the numbers of one vector, those with these indices, which count modulo the number of lanes.
    fn pick(self, numbers: Self::f32s, index: Self::u32s) -> Self::f32s;
    /// Adds the rows of a tile in row form to the rows of `table` that the lanes name, lane after lane.
    ///
    /// # Panics
    /// When an index is not below `table.len()`.
    fn add_rows(self, table: &mut [Row], index: Self::u32s, tile: [Self::f32s; ROW]);
    /// Writes the rows of a tile in row form to the rows of `table` that the lanes name, lane after lane.
    ///
    /// # Panics
    /// When an index is not below `table.len()`.
    fn put_rows(self, table: &mut [Row], index: Self::u32s, tile: [Self::f32s; ROW]);
    /// Whether every index is below `len`.
    #[inline(always)]
    fn all_below(self, index: Self::u32s, len: usize) -> bool {
        !self.any(self.greater_than_or_equal_u32s(index, self.splat_u32s(u32::try_from(len).unwrap_or(u32::MAX))))
    }
}

impl Lanes for pulp::Scalar {
    type Pair = u64;

    #[inline(always)]
    fn pay(self, formula: &dyn Formula, shown: &Shown<Self>, sink: Sink<Self>) {
        formula.scalar(self, shown, sink);
    }

    // by itself, as the others do, for a compiler's sake
    #[inline(never)]
    fn enter<K: Kernel<Self>>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    #[inline(always)]
    fn split(self, a: u32) -> u64 {
        u64::from(a)
    }
    #[inline(always)]
    fn join(self, a: u64) -> u32 {
        a as u32
    }
    #[inline(always)]
    fn mul_wide(self, a: u64, b: u32) -> u64 {
        u64::from(a as u32) * u64::from(b)
    }
    #[inline(always)]
    fn high_xor(self, product: u64, a: u64, b: u64) -> u64 {
        (product >> 32) ^ a ^ b
    }
    #[inline(always)]
    fn xor_pair(self, a: u64, b: u64) -> u64 {
        a ^ b
    }
    #[inline(always)]
    fn to_f32(self, a: u32) -> f32 {
        a as f32
    }
    #[inline(always)]
    fn any(self, mask: bool) -> bool {
        mask
    }
    #[inline(always)]
    fn add_where(self, mask: bool, a: u32, b: u32) -> u32 {
        if mask { a.wrapping_add(b) } else { a }
    }
    #[inline(always)]
    fn shl23(self, a: u32) -> u32 {
        a << 23
    }
    #[inline(always)]
    fn shr<const COUNT: u32>(self, a: u32) -> u32 {
        a >> COUNT
    }
    #[inline(always)]
    fn gather(self, table: &[f32], index: u32) -> f32 {
        table[index as usize]
    }
    #[inline(always)]
    fn bits(self, mask: bool) -> u32 {
        u32::from(mask)
    }
    #[inline(always)]
    fn load_rows(self, table: &[Row], index: u32) -> Row {
        table[index as usize]
    }
    #[inline(always)]
    fn transpose(self, tile: Row) -> Row {
        tile
    }
    #[inline(always)]
    fn turn<const SQUARES: usize>(self, rows: &mut [[f32; SQUARES]]) {
        assert_eq!(rows.len(), 1, "a square of one lane has one number");
    }
    #[inline(always)]
    fn pick(self, numbers: f32, _: u32) -> f32 {
        numbers
    }
    #[inline(always)]
    fn add_rows(self, table: &mut [Row], index: u32, tile: Row) {
        for (x, y) in table[index as usize].iter_mut().zip(tile) {
            *x += y;
        }
    }
    #[inline(always)]
    fn put_rows(self, table: &mut [Row], index: u32, tile: Row) {
        table[index as usize] = tile;
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Kernel, Lanes, ROW, Row};
    use crate::batch::shown::{Shown, Sink};
    use crate::signals::Formula;
    use pulp::x86::{V3, V4};
    use pulp::{Simd, cast, f32x8};
    use std::arch::x86_64::{__m256i, __m512i, _MM_HINT_T0, _mm_prefetch};
    use std::hint::black_box;

    /// The lanes of a vector, to be read back from memory one by one: quicker than to shift each of them out, as the compiler would.
    #[inline(always)]
    fn apart<const LANES: usize>(lanes: [u32; LANES]) -> [u32; LANES] {
        #[repr(align(64))]
        struct Aligned<T>(T);
        black_box(Aligned(lanes)).0
    }

    /// Asks for entries of a table.
    #[inline(always)]
    fn ask<T>(table: &[T], index: &[u32]) {
        for index in index {
            let entry = table.as_ptr().wrapping_add(*index as usize);
            // SAFETY: nothing is read that a program could see, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(entry.cast()) };
        }
    }

    /// Why rows of vectors cannot be turned.
    const ROWS: &str = "a square has as many vectors as lanes";

    /// A kernel bound to its backend.
    struct Entered<S, K>(S, K);

    impl<S: Lanes, K: Kernel<S>> pulp::NullaryFnOnce for Entered<S, K> {
        type Output = K::Output;
        #[inline(always)]
        fn call(self) -> K::Output {
            self.1.run(self.0)
        }
    }

    impl Lanes for V4 {
        /// Even lanes, odd lanes.
        type Pair = [__m512i; 2];

        #[inline(always)]
        fn pay(self, formula: &dyn Formula, shown: &Shown<Self>, sink: Sink<Self>) {
            formula.v4(self, shown, sink);
        }

        #[inline(never)]
        fn enter<K: Kernel<Self>>(self, kernel: K) -> K::Output {
            self.vectorize(Entered(self, kernel))
        }

        #[inline(always)]
        fn split(self, a: Self::u32s) -> Self::Pair {
            let a: __m512i = cast(a);
            [a, self.avx512f._mm512_srli_epi64::<32>(a)]
        }
        #[inline(always)]
        fn join(self, [even, odd]: Self::Pair) -> Self::u32s {
            cast(self.avx512f._mm512_mask_blend_epi32(0xAAAA, even, self.avx512f._mm512_slli_epi64::<32>(odd)))
        }
        #[inline(always)]
        fn mul_wide(self, a: Self::Pair, b: u32) -> Self::Pair {
            let b = self.avx512f._mm512_set1_epi64(i64::from(b));
            [self.avx512f._mm512_mul_epu32(a[0], b), self.avx512f._mm512_mul_epu32(a[1], b)]
        }
        #[inline(always)]
        fn high_xor(self, product: Self::Pair, a: Self::Pair, b: Self::Pair) -> Self::Pair {
            let even = self.avx512f._mm512_shuffle_epi32::<0xF5>(product[0]);
            let odd = self.avx512f._mm512_shuffle_epi32::<0xF5>(product[1]);
            [
                self.avx512f._mm512_ternarylogic_epi32::<0x96>(even, a[0], b[0]),
                self.avx512f._mm512_ternarylogic_epi32::<0x96>(odd, a[1], b[1]),
            ]
        }
        #[inline(always)]
        fn xor_pair(self, a: Self::Pair, b: Self::Pair) -> Self::Pair {
            [self.avx512f._mm512_xor_si512(a[0], b[0]), self.avx512f._mm512_xor_si512(a[1], b[1])]
        }
        #[inline(always)]
        fn to_f32(self, a: Self::u32s) -> Self::f32s {
            cast(self.avx512f._mm512_cvtepi32_ps(cast(a)))
        }
        #[inline(always)]
        fn limited(self, x: Self::f32s, limit: Self::f32s) -> Self::f32s {
            // the number of smaller size, with the sign of the first
            cast(self.avx512dq._mm512_range_ps::<0b0010>(cast(x), cast(limit)))
        }
        #[inline(always)]
        fn split_power(self, x: Self::f32s) -> (Self::f32s, Self::f32s) {
            let whole: Self::f32s = cast(self.avx512f._mm512_roundscale_ps::<0x08>(cast(x)));
            (self.sub_f32s(x, whole), whole)
        }
        #[inline(always)]
        fn scale(self, a: Self::f32s, n: Self::f32s) -> Self::f32s {
            cast(self.avx512f._mm512_scalef_ps(cast(a), cast(n)))
        }
        #[inline(always)]
        fn bit(self, word: Self::u32s, index: Self::u32s) -> Self::m32s {
            let rotated = self.avx512f._mm512_rorv_epi32(cast(word), cast(index));
            pulp::b16(self.avx512f._mm512_test_epi32_mask(rotated, self.avx512f._mm512_set1_epi32(1)))
        }
        #[inline(always)]
        fn meets(self, word: Self::u32s, bits: Self::u32s) -> Self::m32s {
            pulp::b16(self.avx512f._mm512_test_epi32_mask(cast(word), cast(bits)))
        }
        #[inline(always)]
        fn any(self, mask: Self::m32s) -> bool {
            mask.0 != 0
        }
        #[inline(always)]
        fn add_where(self, mask: Self::m32s, a: Self::u32s, b: Self::u32s) -> Self::u32s {
            cast(self.avx512f._mm512_mask_add_epi32(cast(a), mask.0, cast(a), cast(b)))
        }
        #[inline(always)]
        fn shl23(self, a: Self::u32s) -> Self::u32s {
            cast(self.avx512f._mm512_slli_epi32::<23>(cast(a)))
        }
        #[inline(always)]
        fn shr<const COUNT: u32>(self, a: Self::u32s) -> Self::u32s {
            cast(self.avx512f._mm512_srli_epi32::<COUNT>(cast(a)))
        }
        #[inline(always)]
        fn gather(self, table: &[f32], index: Self::u32s) -> Self::f32s {
            assert!(self.all_below(index, table.len().min(1 << 29)), "an index is outside the table");
            // SAFETY: every index is inside the table, just checked, and below 2^29, so that neither it nor its byte offset is negative.
            cast(unsafe { self.avx512f._mm512_i32gather_ps::<4>(cast(index), table.as_ptr()) })
        }
        #[inline(always)]
        fn bits(self, mask: Self::m32s) -> u32 {
            u32::from(mask.0)
        }
        #[inline(always)]
        fn number(self, mask: Self::m32s, first: u32) -> Self::u32s {
            let all = self.add_u32s(self.splat_u32s(first), cast([0u32, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]));
            cast(self.avx512f._mm512_maskz_expand_epi32(mask.0, cast(all)))
        }
        #[inline(always)]
        fn compress(self, mask: Self::m32s, words: Self::u32s) -> Self::u32s {
            cast(self.avx512f._mm512_maskz_compress_epi32(mask.0, cast(words)))
        }
        #[inline(always)]
        fn prefetch<T>(self, table: &[T], index: Self::u32s) {
            ask(table, &apart::<16>(cast(index)));
        }
        /// Vector `i` holds the rows of lanes `i` and `i + 8`.
        #[inline(always)]
        fn load_rows(self, table: &[Row], index: Self::u32s) -> [Self::f32s; ROW] {
            assert!(self.all_below(index, table.len()), "an index is outside the table");
            let index = apart::<16>(cast(index));
            let mut tile = [self.splat_f32s(0.0); ROW];
            for (i, pair) in tile.iter_mut().enumerate() {
                // SAFETY: every index is below the table's length, just checked.
                let row = |lane: usize| unsafe { *table.get_unchecked(index[lane] as usize) };
                *pair = cast([row(i), row(i + 8)]);
            }
            tile
        }
        /// Transposes the 8 x 8 halves.
        #[inline(always)]
        fn transpose(self, tile: [Self::f32s; ROW]) -> [Self::f32s; ROW] {
            let f = self.avx512f;
            let [a, b, c, d, e, g, h, i] = tile;
            // spelled out, for array functions and their closures stay out of line under target features
            let (low0, high0) = (f._mm512_unpacklo_ps(cast(a), cast(b)), f._mm512_unpackhi_ps(cast(a), cast(b)));
            let (low1, high1) = (f._mm512_unpacklo_ps(cast(c), cast(d)), f._mm512_unpackhi_ps(cast(c), cast(d)));
            let (low2, high2) = (f._mm512_unpacklo_ps(cast(e), cast(g)), f._mm512_unpackhi_ps(cast(e), cast(g)));
            let (low3, high3) = (f._mm512_unpacklo_ps(cast(h), cast(i)), f._mm512_unpackhi_ps(cast(h), cast(i)));
            let top0 = f._mm512_unpacklo_pd(cast(low0), cast(low1));
            let end0 = f._mm512_unpacklo_pd(cast(low2), cast(low3));
            let top1 = f._mm512_unpackhi_pd(cast(low0), cast(low1));
            let end1 = f._mm512_unpackhi_pd(cast(low2), cast(low3));
            let top2 = f._mm512_unpacklo_pd(cast(high0), cast(high1));
            let end2 = f._mm512_unpacklo_pd(cast(high2), cast(high3));
            let top3 = f._mm512_unpackhi_pd(cast(high0), cast(high1));
            let end3 = f._mm512_unpackhi_pd(cast(high2), cast(high3));
            let left: __m512i = cast([0u32, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27]);
            let right: __m512i = cast([4u32, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31]);
            [
                cast(f._mm512_permutex2var_ps(cast(top0), left, cast(end0))),
                cast(f._mm512_permutex2var_ps(cast(top1), left, cast(end1))),
                cast(f._mm512_permutex2var_ps(cast(top2), left, cast(end2))),
                cast(f._mm512_permutex2var_ps(cast(top3), left, cast(end3))),
                cast(f._mm512_permutex2var_ps(cast(top0), right, cast(end0))),
                cast(f._mm512_permutex2var_ps(cast(top1), right, cast(end1))),
                cast(f._mm512_permutex2var_ps(cast(top2), right, cast(end2))),
                cast(f._mm512_permutex2var_ps(cast(top3), right, cast(end3))),
            ]
        }
        /// Halves of rows `i` and `i + 8` side by side are halves of columns once each is transposed.
        #[allow(clippy::needless_range_loop)]
        #[inline(always)]
        fn turn<const SQUARES: usize>(self, rows: &mut [[Self::f32s; SQUARES]]) {
            let rows: &mut [[_; SQUARES]; 2 * ROW] = rows.try_into().expect(ROWS);
            for at in 0..SQUARES {
                let [mut left, mut right] = [[rows[0][at]; ROW]; 2];
                for i in 0..ROW {
                    let [top, end]: [[f32x8; 2]; 2] = [cast(rows[i][at]), cast(rows[ROW + i][at])];
                    (left[i], right[i]) = (cast([top[0], end[0]]), cast([top[1], end[1]]));
                }
                let (left, right) = (self.transpose(left), self.transpose(right));
                for i in 0..ROW {
                    (rows[i][at], rows[ROW + i][at]) = (left[i], right[i]);
                }
            }
        }
        #[inline(always)]
        fn pick(self, numbers: Self::f32s, index: Self::u32s) -> Self::f32s {
            cast(self.avx512f._mm512_permutexvar_ps(cast(index), cast(numbers)))
        }
        #[inline(always)]
        fn add_rows(self, table: &mut [Row], index: Self::u32s, tile: [Self::f32s; ROW]) {
            assert!(self.all_below(index, table.len()), "an index is outside the table");
            let (index, halves): (_, [[f32x8; 2]; ROW]) = (apart::<16>(cast(index)), cast(tile));
            for lane in 0..16 {
                // SAFETY: every index is below the table's length, just checked.
                let row = unsafe { table.get_unchecked_mut(index[lane] as usize) };
                *row = cast(self.avx._mm256_add_ps(cast(*row), cast(halves[lane % 8][lane / 8])));
            }
        }
        #[inline(always)]
        fn put_rows(self, table: &mut [Row], index: Self::u32s, tile: [Self::f32s; ROW]) {
            assert!(self.all_below(index, table.len()), "an index is outside the table");
            let (index, halves): (_, [[f32x8; 2]; ROW]) = (apart::<16>(cast(index)), cast(tile));
            for lane in 0..16 {
                // SAFETY: every index is below the table's length, just checked.
                unsafe { *table.get_unchecked_mut(index[lane] as usize) = cast(halves[lane % 8][lane / 8]) };
            }
        }
    }

    impl Lanes for V3 {
        /// Even lanes, odd lanes.
        type Pair = [__m256i; 2];

        #[inline(always)]
        fn pay(self, formula: &dyn Formula, shown: &Shown<Self>, sink: Sink<Self>) {
            formula.v3(self, shown, sink);
        }

        #[inline(never)]
        fn enter<K: Kernel<Self>>(self, kernel: K) -> K::Output {
            self.vectorize(Entered(self, kernel))
        }

        #[inline(always)]
        fn split(self, a: Self::u32s) -> Self::Pair {
            let a: __m256i = cast(a);
            [a, self.avx2._mm256_srli_epi64::<32>(a)]
        }
        #[inline(always)]
        fn join(self, [even, odd]: Self::Pair) -> Self::u32s {
            cast(self.avx2._mm256_blend_epi32::<0xAA>(even, self.avx2._mm256_slli_epi64::<32>(odd)))
        }
        #[inline(always)]
        fn mul_wide(self, a: Self::Pair, b: u32) -> Self::Pair {
            let b = self.avx._mm256_set1_epi64x(i64::from(b));
            [self.avx2._mm256_mul_epu32(a[0], b), self.avx2._mm256_mul_epu32(a[1], b)]
        }
        #[inline(always)]
        fn high_xor(self, product: Self::Pair, a: Self::Pair, b: Self::Pair) -> Self::Pair {
            let even = self.avx2._mm256_srli_epi64::<32>(product[0]);
            let odd = self.avx2._mm256_srli_epi64::<32>(product[1]);
            let [even, odd] = self.xor_pair([even, odd], a);
            self.xor_pair([even, odd], b)
        }
        #[inline(always)]
        fn xor_pair(self, a: Self::Pair, b: Self::Pair) -> Self::Pair {
            [self.avx2._mm256_xor_si256(a[0], b[0]), self.avx2._mm256_xor_si256(a[1], b[1])]
        }
        #[inline(always)]
        fn to_f32(self, a: Self::u32s) -> Self::f32s {
            cast(self.avx._mm256_cvtepi32_ps(cast(a)))
        }
        #[inline(always)]
        fn any(self, mask: Self::m32s) -> bool {
            self.avx._mm256_movemask_ps(cast(mask)) != 0
        }
        #[inline(always)]
        fn add_where(self, mask: Self::m32s, a: Self::u32s, b: Self::u32s) -> Self::u32s {
            self.add_u32s(a, self.and_u32s(cast(mask), b))
        }
        #[inline(always)]
        fn shl23(self, a: Self::u32s) -> Self::u32s {
            cast(self.avx2._mm256_slli_epi32::<23>(cast(a)))
        }
        #[inline(always)]
        fn shr<const COUNT: u32>(self, a: Self::u32s) -> Self::u32s {
            match COUNT {
                5 => cast(self.avx2._mm256_srli_epi32::<5>(cast(a))),
                8 => cast(self.avx2._mm256_srli_epi32::<8>(cast(a))),
                23 => cast(self.avx2._mm256_srli_epi32::<23>(cast(a))),
                _ => cast(self.avx2._mm256_srlv_epi32(cast(a), self.avx._mm256_set1_epi32(COUNT as i32))),
            }
        }
        #[inline(always)]
        fn gather(self, table: &[f32], index: Self::u32s) -> Self::f32s {
            assert!(self.all_below(index, table.len().min(1 << 29)), "an index is outside the table");
            // SAFETY: every index is inside the table, just checked, and below 2^29, so that neither it nor its byte offset is negative.
            cast(unsafe { self.avx2._mm256_i32gather_ps::<4>(table.as_ptr(), cast(index)) })
        }
        #[inline(always)]
        fn bits(self, mask: Self::m32s) -> u32 {
            self.avx._mm256_movemask_ps(cast(mask)) as u32
        }
        #[inline(always)]
        fn prefetch<T>(self, table: &[T], index: Self::u32s) {
            ask(table, &apart::<8>(cast(index)));
        }
        /// Vector `i` holds the row of lane `i`.
        #[inline(always)]
        fn load_rows(self, table: &[Row], index: Self::u32s) -> [Self::f32s; ROW] {
            assert!(self.all_below(index, table.len()), "an index is outside the table");
            let index = apart::<8>(cast(index));
            let mut tile = [self.splat_f32s(0.0); ROW];
            for (row, index) in tile.iter_mut().zip(index) {
                // SAFETY: every index is below the table's length, just checked.
                *row = cast(unsafe { *table.get_unchecked(index as usize) });
            }
            tile
        }
        #[inline(always)]
        fn transpose(self, tile: [Self::f32s; ROW]) -> [Self::f32s; ROW] {
            let f = self.avx;
            let [a, b, c, d, e, g, h, i] = tile;
            // spelled out, for array functions and their closures stay out of line under target features
            let (low0, high0) = (f._mm256_unpacklo_ps(cast(a), cast(b)), f._mm256_unpackhi_ps(cast(a), cast(b)));
            let (low1, high1) = (f._mm256_unpacklo_ps(cast(c), cast(d)), f._mm256_unpackhi_ps(cast(c), cast(d)));
            let (low2, high2) = (f._mm256_unpacklo_ps(cast(e), cast(g)), f._mm256_unpackhi_ps(cast(e), cast(g)));
            let (low3, high3) = (f._mm256_unpacklo_ps(cast(h), cast(i)), f._mm256_unpackhi_ps(cast(h), cast(i)));
            let top0 = f._mm256_unpacklo_pd(cast(low0), cast(low1));
            let end0 = f._mm256_unpacklo_pd(cast(low2), cast(low3));
            let top1 = f._mm256_unpackhi_pd(cast(low0), cast(low1));
            let end1 = f._mm256_unpackhi_pd(cast(low2), cast(low3));
            let top2 = f._mm256_unpacklo_pd(cast(high0), cast(high1));
            let end2 = f._mm256_unpacklo_pd(cast(high2), cast(high3));
            let top3 = f._mm256_unpackhi_pd(cast(high0), cast(high1));
            let end3 = f._mm256_unpackhi_pd(cast(high2), cast(high3));
            [
                cast(f._mm256_permute2f128_ps::<0x20>(cast(top0), cast(end0))),
                cast(f._mm256_permute2f128_ps::<0x20>(cast(top1), cast(end1))),
                cast(f._mm256_permute2f128_ps::<0x20>(cast(top2), cast(end2))),
                cast(f._mm256_permute2f128_ps::<0x20>(cast(top3), cast(end3))),
                cast(f._mm256_permute2f128_ps::<0x31>(cast(top0), cast(end0))),
                cast(f._mm256_permute2f128_ps::<0x31>(cast(top1), cast(end1))),
                cast(f._mm256_permute2f128_ps::<0x31>(cast(top2), cast(end2))),
                cast(f._mm256_permute2f128_ps::<0x31>(cast(top3), cast(end3))),
            ]
        }
        #[allow(clippy::needless_range_loop)]
        #[inline(always)]
        fn turn<const SQUARES: usize>(self, rows: &mut [[Self::f32s; SQUARES]]) {
            let rows: &mut [[_; SQUARES]; ROW] = rows.try_into().expect(ROWS);
            for at in 0..SQUARES {
                let mut square = [rows[0][at]; ROW];
                for i in 0..ROW {
                    square[i] = rows[i][at];
                }
                let square = self.transpose(square);
                for i in 0..ROW {
                    rows[i][at] = square[i];
                }
            }
        }
        #[inline(always)]
        fn pick(self, numbers: Self::f32s, index: Self::u32s) -> Self::f32s {
            cast(self.avx2._mm256_permutevar8x32_ps(cast(numbers), cast(index)))
        }
        #[inline(always)]
        fn add_rows(self, table: &mut [Row], index: Self::u32s, tile: [Self::f32s; ROW]) {
            assert!(self.all_below(index, table.len()), "an index is outside the table");
            for (index, x) in apart::<8>(cast(index)).into_iter().zip(tile) {
                // SAFETY: every index is below the table's length, just checked.
                let row = unsafe { table.get_unchecked_mut(index as usize) };
                *row = cast(self.add_f32s(cast(*row), x));
            }
        }
        #[inline(always)]
        fn put_rows(self, table: &mut [Row], index: Self::u32s, tile: [Self::f32s; ROW]) {
            assert!(self.all_below(index, table.len()), "an index is outside the table");
            for (index, x) in apart::<8>(cast(index)).into_iter().zip(tile) {
                // SAFETY: every index is below the table's length, just checked.
                unsafe { *table.get_unchecked_mut(index as usize) = cast(x) };
            }
        }
    }
}

/// Which vector instructions to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vectors {
    /// The widest this machine has.
    #[default]
    Widest,
    /// AVX-512.
    V4,
    /// AVX2.
    V3,
    /// None.
    Scalar,
}

/// Runs `job` with the vector instructions asked for, or with narrower ones where this machine has not got them. The result is the same.
pub fn dispatch<J: Job>(vectors: Vectors, job: J) -> J::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if let (Vectors::Widest | Vectors::V4, Some(s)) = (vectors, pulp::x86::V4::try_new()) {
            return s.enter(job);
        }
        if let (Vectors::Widest | Vectors::V4 | Vectors::V3, Some(s)) = (vectors, pulp::x86::V3::try_new()) {
            return s.enter(job);
        }
    }
    let _ = vectors;
    pulp::Scalar::new().enter(job)
}

/// Lanes of the vectors that [`dispatch`] chooses.
pub fn width(vectors: Vectors) -> usize {
    struct Width;
    impl Job for Width {
        type Output = usize;
        #[inline(always)]
        fn run<S: Lanes>(self, _: S) -> usize {
            S::LANES
        }
    }
    dispatch(vectors, Width)
}
