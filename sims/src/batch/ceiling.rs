//! What this machine can do at most: the rates that measured speeds are held against. Measured, never assumed.

use super::lanes::{Job, Lanes, Vectors, dispatch};
use super::math::exp2;
use super::memory::{self, Table};
use super::philox::{Keys, Streams};
use crate::stream::Purpose;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Rates of all threads of the current pool together, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ceilings {
    /// Fused multiply-adds of single `f32` numbers.
    pub fma: f64,
    /// `2^x` of single numbers, to .952 ulp.
    pub exp: f64,
    /// Random words.
    pub words: f64,
    /// Bytes of memory read or written by `y += x` on arrays beyond every cache.
    pub bytes: f64,
}

/// How long each rate is measured.
const LONG_ENOUGH: Duration = Duration::from_millis(100);
/// Numbers in each of the two arrays of a thread whose bandwidth is measured.
const BEYOND_CACHES: usize = 1 << 24;
/// Rows of a table that stays in the first cache.
const ROWS: usize = 64;
/// Multiply-adds of a chain in one burst.
const LINKS: usize = 4096;
/// Independent chains of multiply-adds: enough to hide their latency.
const CHAINS: usize = 12;

impl Ceilings {
    /// Measures them, with the vector instructions asked for.
    pub fn measure(vectors: Vectors) -> Self {
        let together = |job: fn(Vectors) -> f64| rayon::broadcast(|_| job(vectors)).into_iter().sum();
        Ceilings {
            fma: together(|v| dispatch(v, Fma)),
            exp: together(|v| dispatch(v, Exp)),
            words: together(|v| dispatch(v, Words)),
            bytes: together(|v| dispatch(v, Bytes)),
        }
    }
}

/// Work that is repeated while its time is taken; a trait and not a closure, so that it is compiled with the instructions of its caller.
trait Burst<S: Lanes> {
    /// What one repetition does, in whatever is counted.
    fn units(&self) -> usize;
    /// Does it once.
    fn once(&mut self, s: S);
}

/// Units per second.
#[inline(always)]
fn rate<S: Lanes>(s: S, mut burst: impl Burst<S>) -> f64 {
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < LONG_ENOUGH {
        burst.once(s);
        done += burst.units();
    }
    done as f64 / start.elapsed().as_secs_f64()
}

struct Fma;

struct Chains<S: Lanes> {
    chains: [S::f32s; CHAINS],
    factor: S::f32s,
    term: S::f32s,
}

impl Job for Fma {
    type Output = f64;
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> f64 {
        let [factor, term] = [0.5, 0.25].map(|x| s.splat_f32s(black_box(x)));
        rate(s, Chains { chains: [s.splat_f32s(1.0); CHAINS], factor, term })
    }
}

impl<S: Lanes> Burst<S> for Chains<S> {
    fn units(&self) -> usize {
        LINKS * CHAINS * S::LANES
    }
    #[inline(always)]
    fn once(&mut self, s: S) {
        let mut chains = self.chains;
        for _ in 0..LINKS {
            for chain in &mut chains {
                *chain = s.mul_add_f32s(*chain, self.factor, self.term);
            }
        }
        self.chains = black_box(chains);
    }
}

struct Exp;

struct Powers<S: Lanes>(Table<S::f32s>);

impl Job for Exp {
    type Output = f64;
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> f64 {
        rate(s, Powers(memory::floats(s, ROWS)))
    }
}

impl<S: Lanes> Burst<S> for Powers<S> {
    fn units(&self) -> usize {
        ROWS * S::LANES
    }
    /// Turns every x into 2^x - 2.
    #[inline(always)]
    fn once(&mut self, s: S) {
        for x in black_box(&mut self.0).iter_mut() {
            *x = s.sub_f32s(exp2(s, *x).1, s.splat_f32s(2.0));
        }
    }
}

struct Words;

struct Stream<S: Lanes> {
    keys: Keys<S>,
    streams: Streams<S>,
    step: usize,
    out: Table<S::u32s>,
}

impl Job for Words {
    type Output = f64;
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> f64 {
        let lane = memory::word_vector::<S>(|lane| lane as u32);
        let keys = Keys::new(s, [lane, lane]);
        let streams = Streams::new(s, &keys, 0, ROWS);
        rate(s, Stream { keys, streams, step: 0, out: memory::words(s, ROWS) })
    }
}

impl<S: Lanes> Burst<S> for Stream<S> {
    fn units(&self) -> usize {
        ROWS * S::LANES
    }
    #[inline(always)]
    fn once(&mut self, s: S) {
        self.step += 1;
        self.streams.fill(s, &self.keys, Purpose::Rollout, self.step, black_box(&mut self.out));
    }
}

struct Bytes;

struct Sum<S: Lanes> {
    y: Table<S::f32s>,
    x: Table<S::f32s>,
}

impl Job for Bytes {
    type Output = f64;
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> f64 {
        let [y, x] = [(); 2].map(|()| memory::floats(s, BEYOND_CACHES / S::LANES));
        rate(s, Sum::<S> { y, x })
    }
}

impl<S: Lanes> Burst<S> for Sum<S> {
    /// y is read and written, x is read.
    fn units(&self) -> usize {
        3 * size_of::<f32>() * BEYOND_CACHES
    }
    #[inline(always)]
    fn once(&mut self, s: S) {
        for (y, x) in black_box(&mut self.y).iter_mut().zip(self.x.iter()) {
            *y = s.add_f32s(*y, *x);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_vectors_do_not_lower_the_ceiling() {
        let (narrow, wide) = (Ceilings::measure(Vectors::Scalar), Ceilings::measure(Vectors::Widest));
        for rate in [narrow.fma, narrow.exp, narrow.words, narrow.bytes] {
            assert!(rate.is_finite() && rate > 1e6, "{narrow:?}");
        }
        assert!(wide.exp > narrow.exp, "{narrow:?} {wide:?}");
    }
}
