//! Tables of vectors, seen as vectors or as single numbers. A table of n rows holds row r of lane l at `r * LANES + l`.

use super::lanes::{Lanes, Line};
use pulp::bytemuck::{self, Pod, Zeroable};
use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// The most lanes of any backend.
pub(super) const MAX_LANES: usize = 16;
/// Lines that a thread keeps of a table that is gone, and tables that it keeps.
const MOST_LINES: usize = 1 << 12;
const MOST_TABLES: usize = 64;

thread_local! {
    /// The storage of tables that are gone, for those to come: a block has some fifty, and many blocks live short.
    static SPARE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Lines of a page.
const PAGE: usize = 64;

/// So many lines at least, whatever they hold.
fn take(lines: usize) -> Vec<Line> {
    let known = SPARE.with_borrow_mut(|spare| spare.iter().position(|s| s.len() >= lines).map(|i| spare.swap_remove(i)));
    known.unwrap_or_else(|| vec![Line::zeroed(); lines])
}

/// A table of vectors that starts at a cache line: a vector that lies across two lines costs two accesses, and pulp's vectors are aligned as single numbers are.
/// Long tables start with a page: where one is written row by row and the next row of another is read, the two would otherwise often agree in the low bits of
/// their addresses, by which processors first tell whether a load must wait for a store.
pub(super) struct Table<V> {
    storage: Vec<Line>,
    /// The line at which it starts.
    start: usize,
    rows: usize,
    vectors: PhantomData<V>,
}

/// An empty table.
impl<V> Default for Table<V> {
    fn default() -> Self {
        Table { storage: Vec::new(), start: 0, rows: 0, vectors: PhantomData }
    }
}

impl<V: Pod> Table<V> {
    /// `rows` times `row`.
    pub(super) fn new(rows: usize, row: V) -> Self {
        let mut table = Table::zeroed(rows);
        table.fill(row);
        table
    }

    /// `rows` rows of zeros.
    pub(super) fn zeroed(rows: usize) -> Self {
        let lines = (rows * size_of::<V>()).div_ceil(size_of::<Line>());
        let apart = if lines < PAGE { 1 } else { PAGE };
        let mut storage = take(lines + apart - 1);
        let start = (storage.as_ptr().addr() / size_of::<Line>()).wrapping_neg() % apart;
        storage[start..][..lines].fill(Line::zeroed());
        Table { storage, start, rows, vectors: PhantomData }
    }

    /// Makes it at least `rows` rows long; new ones are zero.
    pub(super) fn widen(&mut self, rows: usize) {
        self.rows = rows.max(self.rows);
        let lines = (self.rows * size_of::<V>()).div_ceil(size_of::<Line>());
        self.storage.resize(self.start + lines, Line::zeroed());
    }
}

impl<V> Drop for Table<V> {
    fn drop(&mut self) {
        if (1..=MOST_LINES).contains(&self.storage.len()) {
            let storage = std::mem::take(&mut self.storage);
            // a thread that ends keeps nothing
            let _ = SPARE.try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() < MOST_TABLES {
                    spare.push(storage);
                }
            });
        }
    }
}

impl<V: Pod> Deref for Table<V> {
    type Target = [V];
    #[inline(always)]
    fn deref(&self) -> &[V] {
        &bytemuck::cast_slice(&self.storage[self.start..])[..self.rows]
    }
}

impl<V: Pod> DerefMut for Table<V> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [V] {
        &mut bytemuck::cast_slice_mut(&mut self.storage[self.start..])[..self.rows]
    }
}

/// A table of `f32` vectors, all zero at first.
pub(super) fn floats<S: Lanes>(_: S, rows: usize) -> Table<S::f32s> {
    Table::zeroed(rows)
}

/// A table of `u32` vectors, all zero at first.
pub(super) fn words<S: Lanes>(_: S, rows: usize) -> Table<S::u32s> {
    Table::zeroed(rows)
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
pub(super) fn vector<S: Lanes>(mut of: impl FnMut(usize) -> f32) -> S::f32s {
    let mut all = [0.0; MAX_LANES];
    all[..S::LANES].iter_mut().enumerate().for_each(|(lane, x)| *x = of(lane));
    bytemuck::cast_slice(&all[..S::LANES])[0]
}

/// One word per lane.
#[inline(always)]
pub(super) fn word_vector<S: Lanes>(mut of: impl FnMut(usize) -> u32) -> S::u32s {
    let mut all = [0; MAX_LANES];
    all[..S::LANES].iter_mut().enumerate().for_each(|(lane, x)| *x = of(lane));
    bytemuck::cast_slice(&all[..S::LANES])[0]
}

/// The word of one lane, read where it lies.
#[inline(always)]
pub(super) fn word<S: Lanes>(x: &S::u32s, lane: usize) -> u32 {
    flat_words::<S>(std::slice::from_ref(x))[lane]
}

/// The number of one lane.
pub(super) fn lane<S: Lanes>(x: S::f32s, lane: usize) -> f64 {
    f64::from(flat::<S>(&[x])[lane])
}
