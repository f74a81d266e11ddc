//! The search of one recipe: which alignments to look at next, and what is known of the threshold. It is a function of the margins seen so far and of nothing
//! else, so that a search that was killed goes on as if it had not been.

use mta_sims::betting::{Range, Side, Sides, values_needed};
use mta_sims::statistics::{covariance, mean};
use std::collections::BTreeMap;

/// Seeds of a first look.
pub const FIRST: usize = 24;

/// Most seeds of an alignment that is looked at to see whether there is a threshold at all.
pub const SCAN_MOST: usize = 1536;

/// Alignments of the first look: the ends of the range, and those that divide it evenly.
pub const SCAN: usize = 5;

/// By how many of its parts a chord's root may miss, beside the noise: curvature.
const BEND: f64 = 1.0 / 32.0;

/// Half the width, in errors of the estimate, of the interval that is certified next.
const ERRORS: f64 = 2.0;

/// What a search must keep to.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Alignments of the lattice.
    pub points: usize,
    /// Widest interval that is an answer, in steps of the lattice.
    pub width: usize,
    /// Most seeds of an alignment.
    pub most: usize,
    /// Between which values every margin lies.
    pub range: Range,
    /// Largest probability that the side of one alignment is named wrongly.
    pub alpha: f64,
}

/// What is known at one alignment.
struct Known {
    margins: Vec<f64>,
    sides: Sides,
}

/// A recipe's search, in steps of the lattice.
pub struct Search {
    rules: Rules,
    known: BTreeMap<usize, Known>,
}

/// An interval at whose ends the mean margin has different signs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossing {
    /// Lower end.
    pub low: usize,
    /// Upper end.
    pub high: usize,
    /// Whether the margin is positive above.
    pub rising: bool,
    /// Where a line through the margins is zero.
    pub estimate: f64,
    /// Seeds it took to tell the sign at the dearer end.
    pub seeds: usize,
}

/// Where the margin is likely to change sign.
#[derive(Clone, Copy, Debug)]
struct Root {
    at: f64,
    error: f64,
    /// Change of the margin per step.
    slope: f64,
    variance: f64,
}

impl Search {
    /// Nothing is known.
    pub fn new(rules: Rules) -> Self {
        Search { rules, known: BTreeMap::new() }
    }

    /// Number of seeds seen at an alignment.
    pub fn seen(&self, point: usize) -> usize {
        self.known.get(&point).map_or(0, |known| known.margins.len())
    }

    /// Margins of the next seeds at an alignment.
    pub fn tell(&mut self, point: usize, margins: &[f64]) {
        let nothing = || Known { margins: Vec::new(), sides: Sides::new(self.rules.range, 0.0, self.rules.alpha) };
        let known = self.known.entry(point).or_insert_with(nothing);
        margins.iter().for_each(|margin| known.sides.add(*margin));
        known.margins.extend(margins);
    }

    /// Alignments to look at next, each with the number of seeds it should have then; none where the search has ended.
    pub fn wants(&self) -> Vec<(usize, usize)> {
        let scan = self.scan();
        if scan.is_empty() { self.crossings().iter().flat_map(|crossing| self.narrow(crossing)).collect() } else { scan }
    }

    /// Alignments of the first look whose sign is not known yet.
    fn scan(&self) -> Vec<(usize, usize)> {
        let most = SCAN_MOST.min(self.rules.most);
        let open = |point: &usize| self.side(*point).is_none() && self.seen(*point) < most;
        let points = (0..SCAN).map(|i| i * (self.rules.points - 1) / (SCAN - 1));
        points.filter(open).map(|point| (point, (4 * self.seen(point)).clamp(FIRST.min(most), most))).collect()
    }

    /// The side of zero that the margin of an alignment lies on, and the seeds it took to tell.
    fn decided(&self, point: usize) -> Option<(Side, usize)> {
        self.known.get(&point)?.sides.decided()
    }

    fn side(&self, point: usize) -> Option<Side> {
        Some(self.decided(point)?.0)
    }

    /// Every alignment looked at, with the sign of its margin where that is known.
    pub fn sides(&self) -> impl Iterator<Item = (usize, Option<Side>)> {
        self.known.keys().map(|point| (*point, self.side(*point)))
    }

    /// The intervals between alignments of known and different sign that have none of known sign between them.
    pub fn crossings(&self) -> Vec<Crossing> {
        let decided: Vec<(usize, (Side, usize))> = self.known.keys().filter_map(|point| Some((*point, self.decided(*point)?))).collect();
        let changes = decided.windows(2).filter(|pair| pair[0].1.0 != pair[1].1.0);
        let crossing = |pair: &[(usize, (Side, usize))]| {
            let [(low, (side, ours)), (high, (_, theirs))] = [pair[0], pair[1]];
            let rising = side == Side::Below;
            Crossing { low, high, rising, estimate: self.root(low, high, rising).at, seeds: ours.max(theirs) }
        };
        changes.map(crossing).collect()
    }

    /// Where the margin is zero between `low` and `high`: on the chord between two alignments whose mean margins differ in sign, those that tell it best.
    fn root(&self, low: usize, high: usize, rising: bool) -> Root {
        let sign = if rising { 1.0 } else { -1.0 };
        let within: Vec<(f64, &Known)> = self.known.range(low..=high).map(|(point, known)| (*point as f64, known)).collect();
        let pairs = within.iter().enumerate().flat_map(|(i, a)| within[i + 1..].iter().map(move |b| (a, b)));
        let roots = pairs.filter_map(|(a, b)| chord(a, b, sign));
        let width = (high - low) as f64;
        let blind = Root { at: 0.5 * (low + high) as f64, error: width / 4.0, slope: 1.0 / width, variance: 0.0 };
        roots.min_by(|a, b| a.error.total_cmp(&b.error)).unwrap_or(blind)
    }

    /// What to ask for, that a crossing's interval may shrink: the two alignments around the root, near enough to each other, whose signs are expected to take
    /// the fewest seeds. Nothing where the interval is narrow enough, or no alignment may have more seeds.
    fn narrow(&self, crossing: &Crossing) -> Vec<(usize, usize)> {
        let Crossing { low, high, rising, .. } = *crossing;
        if high - low <= self.rules.width {
            return Vec::new();
        }
        let root = self.root(low, high, rising);
        let most = (3 * (high - low) / 4).max(self.rules.width);
        let width = ((2.0 * ERRORS * root.error).ceil() as usize).clamp(self.rules.width, most);
        let inside = |point: &usize| (low..=high).contains(point);
        let below = (low..high).filter(|point| (*point as f64) < root.at && *point as f64 > root.at - width as f64);
        let pairs = below.flat_map(|l| (l + 1..=l + width).filter(inside).map(move |h| (l, h))).filter(|(_, h)| *h as f64 > root.at);
        let price = |(l, h): &(usize, usize)| self.price(*l, &root) + self.price(*h, &root);
        let priced = pairs.map(|pair| (price(&pair), pair)).filter(|(price, _)| price.is_finite());
        let Some((_, (l, h))) = priced.min_by(|a, b| a.0.total_cmp(&b.0)) else { return Vec::new() };
        [l, h].into_iter().filter(|point| self.side(*point).is_none()).map(|point| (point, self.next(point, &root))).collect()
    }

    /// Seeds that an alignment is expected to need altogether.
    fn needed(&self, point: usize, root: &Root) -> f64 {
        let margin = root.slope * (point as f64 - root.at);
        values_needed(margin / root.variance.sqrt().max(f64::MIN_POSITIVE), self.rules.alpha).max(FIRST as f64)
    }

    /// Further seeds that an alignment is expected to need; infinite where it may not have them.
    fn price(&self, point: usize, root: &Root) -> f64 {
        let seen = self.seen(point) as f64;
        match self.side(point) {
            Some(_) => 0.0,
            None if self.seen(point) >= self.rules.most => f64::INFINITY,
            None => (self.needed(point, root) - seen).max(0.25 * seen),
        }
    }

    /// Seeds to have next: a quarter of what is expected, then by steps of a quarter to all that there are, so that a wrong expectation costs little.
    fn next(&self, point: usize, root: &Root) -> usize {
        let (seen, needed) = (self.seen(point) as f64, self.needed(point, root));
        let next = if seen == 0.0 { 0.25 * needed } else { needed.clamp(1.25 * seen, 2.0 * seen) };
        (next.ceil() as usize).clamp(FIRST, self.rules.most.max(FIRST)).min(self.rules.most)
    }
}

/// The root of the line through two alignments' mean margins, where they have the signs that `sign` asks for.
fn chord((a, ours): &(f64, &Known), (b, theirs): &(f64, &Known), sign: f64) -> Option<Root> {
    let (low, high) = (sign * mean(&ours.margins)?, sign * mean(&theirs.margins)?);
    if low >= 0.0 || high < 0.0 {
        return None;
    }
    let (width, rise) = (b - a, high - low);
    let variances = [ours, theirs].map(|known| covariance(&known.margins, &known.margins).unwrap_or(f64::INFINITY));
    let of_mean = [variances[0] / ours.margins.len() as f64, variances[1] / theirs.margins.len() as f64];
    let error = width / (rise * rise) * (high * high * of_mean[0] + low * low * of_mean[1]).sqrt();
    Some(Root { at: a - width * low / rise, error: error + BEND * width, slope: rise / width, variance: variances[0].max(variances[1]) })
}
