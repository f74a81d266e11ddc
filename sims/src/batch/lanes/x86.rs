//! AVX2 and AVX-512.

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
        [self.avx512f._mm512_ternarylogic_epi32::<0x96>(even, a[0], b[0]), self.avx512f._mm512_ternarylogic_epi32::<0x96>(odd, a[1], b[1])]
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
    fn confined(self, x: Self::f32s, limit: Self::f32s) -> Self::f32s {
        self.max_f32s(self.neg_f32s(limit), x)
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
