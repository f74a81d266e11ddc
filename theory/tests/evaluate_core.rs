//! P1 to P10 evaluate anywhere in range: no panic, and no output that is not a number.

use mta_theory::proposition::{Input, Proposition};
use mta_theory::{clocks, conservation, fixation, group_gradient, leash, price, push_back, verifier};
use rand::{Rng, SeedableRng, rngs::SmallRng};

const ALL: [Proposition; 10] = [
    price::P1,
    clocks::P2,
    conservation::P3,
    push_back::P4,
    group_gradient::P5,
    verifier::P6,
    verifier::P7,
    leash::P8,
    leash::P9,
    fixation::P10,
];

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
fn every_input_in_range_evaluates() {
    let mut random = SmallRng::seed_from_u64(1);
    for proposition in ALL {
        for _ in 0..if proposition.id == "P5" { 100 } else { 5000 } {
            let x: Vec<f64> = proposition.inputs.iter().map(|input| draw(&mut random, input)).collect();
            let out = (proposition.evaluate)(&x);
            assert_eq!(out.len(), proposition.outputs.len(), "{}", proposition.id);
            assert!(out.iter().flatten().all(|v| v.is_finite()), "{} at {x:?}: {out:?}", proposition.id);
        }
    }
}

#[test]
fn defaults_lie_in_range_and_have_all_outputs() {
    for proposition in ALL {
        let x: Vec<f64> = proposition.inputs.iter().map(|input| input.default).collect();
        assert!(proposition.inputs.iter().all(|i| i.range.0 <= i.default && i.default <= i.range.1));
        assert!((proposition.evaluate)(&x).iter().all(Option::is_some), "{}", proposition.id);
    }
}
