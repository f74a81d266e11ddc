//! The propositions on spurious rewards and self-reward can be evaluated anywhere in their ranges.

use mta_theory::proposition::Proposition;
use mta_theory::{clipping, length, majority, random_reward, self_reward, spurious, stability};

const ALL: [Proposition; 11] = [
    random_reward::P11,
    random_reward::P12,
    clipping::P13,
    clipping::P14,
    spurious::P15,
    majority::P16,
    majority::P17,
    self_reward::P18,
    self_reward::P19,
    stability::P20,
    length::P21,
];

/// Every choice of lowest, default and highest value of every input.
fn corners(proposition: &Proposition) -> Vec<Vec<f64>> {
    proposition.inputs.iter().fold(vec![vec![]], |points, input| {
        let values = [input.range.0, input.default, input.range.1];
        points.iter().flat_map(|point| values.map(|v| [point.as_slice(), &[v]].concat())).collect()
    })
}

#[test]
fn propositions_evaluate_at_every_corner() {
    for proposition in ALL {
        for point in corners(&proposition) {
            let outputs = (proposition.evaluate)(&point);
            assert_eq!(outputs.len(), proposition.outputs.len());
            for (value, output) in outputs.iter().zip(proposition.outputs) {
                assert!(value.is_none_or(f64::is_finite), "{} {} at {point:?}: {value:?}", proposition.id, output.name);
            }
        }
    }
}

#[test]
fn defaults_give_every_number() {
    for proposition in ALL {
        let point: Vec<f64> = proposition.inputs.iter().map(|i| i.default).collect();
        let missing = (proposition.evaluate)(&point).iter().filter(|o| o.is_none()).count();
        assert_eq!(missing, 0, "{}", proposition.id);
    }
}
