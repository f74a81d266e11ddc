//! Every proposition evaluates anywhere in the ranges of its inputs: no panic, one entry per output, and each of them a number or nothing.

use mta_theory::proposition::{Input, Proposition};
use mta_theory::propositions::PROPOSITIONS;
use rand::{Rng, SeedableRng, rngs::SmallRng};

/// Propositions that sum or integrate for milliseconds at a point, which therefore get fewer of them.
const SLOW: [&str; 6] = ["P5", "P11", "P14", "P17", "P30", "P41"];

/// Points looked at: corners at most, and random ones.
fn points(proposition: &Proposition) -> usize {
    if SLOW.contains(&proposition.id) { 50 } else { 1000 }
}

/// Every choice of lowest, default and highest value of every input; of more than [`points`], every n-th, n no multiple of the three values.
fn corners(proposition: &Proposition) -> Vec<Vec<f64>> {
    let all = proposition.inputs.iter().fold(vec![vec![]], |corners, input| {
        let values = [input.range.0, input.default, input.range.1];
        corners.iter().flat_map(|corner: &Vec<f64>| values.map(|v| [corner.as_slice(), &[v]].concat())).collect()
    });
    let stride = all.len().div_ceil(points(proposition));
    all.into_iter().step_by(if stride.is_multiple_of(3) { stride + 1 } else { stride }).collect()
}

/// Panics unless `proposition` has a finite number, or none, for each of its outputs at `x`.
fn evaluate(proposition: &Proposition, x: &[f64]) -> Vec<Option<f64>> {
    let out = (proposition.evaluate)(x);
    assert_eq!(out.len(), proposition.outputs.len(), "{} at {x:?}", proposition.id);
    assert!(out.iter().flatten().all(|v| v.is_finite()), "{} at {x:?}: {out:?}", proposition.id);
    out
}

#[test]
fn corners_evaluate() {
    for proposition in PROPOSITIONS {
        corners(proposition).iter().for_each(|x| drop(evaluate(proposition, x)));
    }
}

#[test]
fn defaults_lie_in_range_and_have_all_outputs() {
    for proposition in PROPOSITIONS {
        let x: Vec<f64> = proposition.inputs.iter().map(|input| input.default).collect();
        assert!(proposition.inputs.iter().all(|i| i.range.0 <= i.default && i.default <= i.range.1), "{}", proposition.id);
        assert!(evaluate(proposition, &x).iter().all(Option::is_some), "{}", proposition.id);
    }
}

/// An end of the range, or a point in it that is uniform, or close to the lower end on a logarithmic scale.
fn draw(random: &mut SmallRng, input: &Input) -> f64 {
    let (low, high) = input.range;
    let share: f64 = random.random();
    let x = match random.random_range(0..5) {
        0 => low,
        1 => high,
        2 => low + (high - low) * 10f64.powf(-300.0 * share),
        3 => low + (high - low) * 10f64.powf(-6.0 * share),
        _ => low + (high - low) * share,
    };
    if input.whole { x.round() } else { x }
}

#[test]
fn random_points_evaluate() {
    let mut random = SmallRng::seed_from_u64(1);
    for proposition in PROPOSITIONS {
        for _ in 0..points(proposition) {
            let x: Vec<f64> = proposition.inputs.iter().map(|input| draw(&mut random, input)).collect();
            evaluate(proposition, &x);
        }
    }
}
