//! Theory against simulation: every measured output of every proposition, at its defaults and at random inputs where the proposition claims to hold.

use mta_sim::sims::against::{Replicates, SIMULATIONS, Simulated, Simulation, find};
use mta_sim::sims::statistics::{mean, standard_error};
use mta_sim::sims::stream::{Purpose, Seed};
use mta_sim::theory::proposition::{Input, Proposition};
use mta_sim::theory::propositions::PROPOSITIONS;

/// Inputs at which theory and simulation must agree, drawn uniformly from a box.
struct Case {
    proposition: &'static str,
    /// Low and high end of each input.
    inputs: &'static [(f64, f64)],
    /// Random points of the box.
    points: usize,
    replicates: usize,
    /// Outputs compared; none for all.
    only: &'static [&'static str],
    /// Relative error granted to a statement that is only asymptotic.
    slack: f64,
}

const fn case(proposition: &'static str, inputs: &'static [(f64, f64)]) -> Case {
    Case { proposition, inputs, points: 3, replicates: 1000, only: &[], slack: 0.0 }
}

/// Within the validity of each proposition. P13 has two regimes; P35 is a statement on large vocabularies; P29 and P30 have few attempts, because at many
/// the mean hangs on prompts too rare for a thousand replicates.
const CASES: &[Case] = &[
    case("P1", &[(0.05, 0.45), (0.05, 0.45), (-1.0, 1.0)]),
    case("P2", &[(0.02, 0.3), (0.4, 0.97), (2.0, 8.0)]),
    case("P3", &[(-1.0, 0.3), (0.8, 1.5)]),
    case("P4", &[(0.01, 0.3), (0.3, 0.6), (0.1, 0.9)]),
    case("P5", &[(0.1, 0.6), (2.0, 12.0)]),
    case("P6", &[(0.05, 0.3), (0.5, 0.9), (0.7, 1.0), (0.0, 0.4), (2.0, 6.0), (2.0, 12.0)]),
    case("P7", &[(0.1, 0.5), (0.02, 0.3), (0.3, 1.0), (0.3, 1.0), (0.0, 40.0)]),
    case("P8", &[(0.05, 0.9), (-1.0, 1.0), (0.1, 3.0), (0.0, 20.0)]),
    case("P9", &[(0.05, 0.8), (1.0, 5.0)]),
    case("P11", &[(0.1, 0.8), (2.0, 5.0), (0.05, 0.3), (2.0, 10.0), (0.2, 0.8)]),
    case("P12", &[(0.1, 0.9), (0.0005, 0.002), (0.0, 10.0), (1.0, 2.0)]),
    Case { only: &["first_order"], ..case("P13", &[(0.7, 0.85), (0.2, 0.2), (4.0, 6.0), (2.0, 2.0), (400.0, 400.0)]) },
    Case {
        only: &["saturated", "saturated_leading"],
        points: 1,
        replicates: 400,
        ..case("P13", &[(0.8, 0.9), (0.2, 0.2), (1.0, 1.0), (100.0, 100.0), (100.0, 100.0)])
    },
    case("P14", &[(0.2, 0.9), (0.1, 0.3), (0.1, 0.5), (2.0, 10.0), (1.0, 32.0)]),
    case("P15", &[(0.1, 0.9), (-1.0, 1.0), (-1.0, 1.0), (0.02, 0.4), (0.02, 0.4)]),
    case("P16", &[(0.2, 0.7), (2.0, 15.0), (2.0, 8.0)]),
    case("P17", &[(0.2, 0.8), (1.0, 15.0), (0.01, 0.01)]),
    case("P18", &[(0.05, 0.5), (1.0, 6.0), (3.0, 3.0)]),
    case("P19", &[(-3.0, 3.0), (1.2, 3.0), (0.0, 8.0)]),
    case("P19", &[(-3.0, 3.0), (0.2, 0.9), (0.0, 3.0)]),
    case("P20", &[(0.1, 3.0), (0.0, 1.0), (0.3, 4.0)]),
    case("P21", &[(0.4, 0.8), (3.0, 3.0)]),
    case("P22", &[(0.1, 0.45), (0.1, 0.45), (0.0, 6.0)]),
    case("P23", &[(2.0, 10.0), (0.5, 3.0), (-1.0, 3.0)]),
    case("P24", &[(0.1, 0.45), (0.1, 0.45), (5.0, 5.0)]),
    case("P25", &[(0.05, 0.95), (0.05, 0.95), (-4.0, 4.0)]),
    case("P26", &[(0.3, 3.0), (1.0, 40.0), (0.1, 0.9), (-3.0, 1.0), (1.0, 50.0)]),
    case("P27", &[(0.1, 0.4), (2.0, 10.0), (0.5, 0.9)]),
    case("P28", &[(0.02, 0.1), (0.02, 0.1), (0.25, 0.5), (0.1, 0.1), (0.01, 0.1), (4.0, 4.0)]),
    case("P29", &[(0.3, 1.0), (0.5, 2.0), (0.3, 1.0), (0.5, 2.0), (1.0, 8.0)]),
    case("P30", &[(0.3, 1.0), (0.5, 2.0), (0.0, 2.0), (0.5, 3.0), (0.2, 0.2), (1.0, 8.0)]),
    case("P31", &[(0.02, 0.3), (2.0, 8.0), (1.0, 20.0), (0.4, 2.0), (0.5, 2.0), (0.1, 0.6)]),
    case("P32", &[(0.01, 0.3), (0.35, 0.7), (0.75, 0.95), (0.5, 0.5), (0.1, 0.1), (64.0, 64.0)]),
    case("P33", &[(2.0, 3.0), (1.0, 3.0), (0.4, 0.8)]),
    case("P34", &[(2.0, 3.0), (1.0, 4.0), (2.0, 8.0), (1.0, 30.0)]),
    Case { replicates: 100, slack: 2e-3, ..case("P35", &[(4096.0, 4096.0), (0.05, 0.2), (0.2, 0.5), (0.0, 0.0), (-0.8, 0.8)]) },
];

/// Outputs that are not compared at the default inputs: there the tree is too large to enumerate, responses are cut, or an asymptotic statement does not hold.
const NOT_AT_DEFAULTS: &[(&str, &[&str])] = &[
    ("P13", &["first_order"]),
    ("P21", &["summed_drift"]),
    ("P33", &["pg_time", "pg_std_time", "npg_time"]),
    ("P35", &["bulk_pass_at_1"]),
];

fn proposition(id: &str) -> &'static Proposition {
    PROPOSITIONS.iter().find(|p| p.id == id).expect("the proposition exists")
}

/// A point of the box; whole inputs rounded.
fn point(case: &Case, i: usize) -> Vec<f64> {
    let p = proposition(case.proposition);
    assert_eq!(p.inputs.len(), case.inputs.len(), "{} has other inputs now", p.id);
    let number: usize = p.id[1..].parse().unwrap();
    let stream = Seed(35).stream(Purpose::Population, number, i);
    let draw = |(k, (low, high)): (usize, &(f64, f64))| low + stream.uniform(k as u64) * (high - low);
    let draws = case.inputs.iter().enumerate().map(draw);
    draws.zip(p.inputs).map(|(x, input)| if input.whole { x.round() } else { x }).collect()
}

/// Whether the theory's value is where the simulation says. Replicates that are all alike may have missed what happens once in a tenth of their number.
fn agrees(theory: Option<f64>, simulated: Option<&Simulated>, tolerance: f64, slack: f64) -> bool {
    match (theory, simulated) {
        (None, None) => true,
        (Some(t), Some(Simulated::Exact(s))) => (t - s).abs() <= tolerance * t.abs() + 1e-9,
        (Some(t), Some(Simulated::Sampled(values))) => {
            let (centre, error) = (mean(values).unwrap(), standard_error(values).unwrap());
            let alike = if error <= 1e-12 * centre.abs() { 10.0 / values.len() as f64 * centre.abs().max(1.0) } else { 0.0 };
            (t - centre).abs() <= 4.0 * error + slack * t.abs() + alike
        }
        _ => false,
    }
}

/// What does not agree at one point, in words.
fn disagreements(simulation: &Simulation, x: &[f64], count: usize, slack: f64, compared: impl Fn(&str) -> bool) -> Vec<String> {
    let p = proposition(simulation.proposition);
    let theory = (p.evaluate)(x);
    let replicates = Replicates { seed: Seed(0), count };
    let measured = p.outputs.iter().zip(theory).filter(|(o, _)| simulation.measures.iter().any(|m| m.output == o.name));
    let wrong = measured.filter(|(o, _)| compared(o.name)).filter_map(|(o, t)| {
        let simulated = simulation.simulate(o.name, x, replicates);
        let story = || format!("{} {} at {x:?}: theory {t:?}, simulated {}", p.id, o.name, described(simulated.as_ref()));
        (!agrees(t, simulated.as_ref(), simulation.tolerance, slack)).then(story)
    });
    wrong.collect()
}

fn described(simulated: Option<&Simulated>) -> String {
    match simulated {
        None => "nothing".into(),
        Some(Simulated::Exact(value)) => format!("{value}"),
        Some(Simulated::Sampled(v)) => format!("{} ± {} (s.e.)", mean(v).unwrap(), standard_error(v).unwrap()),
    }
}

#[test]
fn theory_and_simulation_agree_at_the_defaults() {
    let mut wrong = Vec::new();
    for simulation in SIMULATIONS {
        let x: Vec<f64> = proposition(simulation.proposition).inputs.iter().map(|i| i.default).collect();
        let left_out = NOT_AT_DEFAULTS.iter().find(|(id, _)| *id == simulation.proposition).map_or(&[][..], |(_, outputs)| *outputs);
        wrong.extend(disagreements(simulation, &x, 400, 0.0, |output| !left_out.contains(&output)));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn theory_and_simulation_agree_at_random_inputs() {
    let mut wrong = Vec::new();
    for case in CASES {
        let simulation = find(proposition(case.proposition)).expect("cases have a simulation");
        for i in 0..case.points {
            let compared = |output: &str| case.only.is_empty() || case.only.contains(&output);
            wrong.extend(disagreements(simulation, &point(case, i), case.replicates, case.slack, compared));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_simulation_has_a_case_and_measures_outputs_of_its_proposition() {
    let order: Vec<usize> = SIMULATIONS.iter().map(|s| s.proposition[1..].parse().unwrap()).collect();
    assert!(order.is_sorted_by(|a, b| a < b), "{order:?}");
    for simulation in SIMULATIONS {
        let p = proposition(simulation.proposition);
        assert!(CASES.iter().any(|case| case.proposition == p.id), "{} has no case", p.id);
        let named: Vec<&str> = simulation.measures.iter().map(|m| m.output).collect();
        let known = named.iter().all(|name| p.outputs.iter().any(|o| o.name == *name));
        let once = named.iter().all(|name| named.iter().filter(|other| other == &name).count() == 1);
        assert!(known && once && !named.is_empty(), "{}: {named:?}", p.id);
    }
}

/// Every input at an end of its range or its default, in six mixtures: a number or nothing, never a panic and never a number that is none.
#[test]
fn the_ends_of_every_range_give_a_number_or_nothing() {
    for simulation in SIMULATIONS {
        let p = proposition(simulation.proposition);
        for i in 0..6 {
            let stream = Seed(16).stream(Purpose::Population, 0, i);
            let pick =
                |(k, input): (usize, &Input)| [input.range.0, input.default, input.range.1][(3.0 * stream.uniform(k as u64)) as usize];
            let x: Vec<f64> = p.inputs.iter().enumerate().map(pick).collect();
            for measure in simulation.measures {
                let simulated = simulation.simulate(measure.output, &x, Replicates { seed: Seed(0), count: 2 });
                let finite = match &simulated {
                    None => true,
                    Some(Simulated::Exact(value)) => value.is_finite(),
                    Some(Simulated::Sampled(values)) => values.len() == 2 && values.iter().all(|v| v.is_finite()),
                };
                assert!(finite, "{} {} at {x:?}: {simulated:?}", p.id, measure.output);
            }
        }
    }
}

/// All replicates of a sampled output at its defaults.
fn values(id: &str, output: &str, replicates: Replicates) -> Vec<f64> {
    let p = proposition(id);
    let x: Vec<f64> = p.inputs.iter().map(|i| i.default).collect();
    match find(p).unwrap().simulate(output, &x, replicates) {
        Some(Simulated::Sampled(values)) => values,
        other => panic!("{id} {output} is not sampled: {other:?}"),
    }
}

#[test]
fn replicates_depend_on_seed_and_number_and_on_nothing_else() {
    let at = |seed, count| values("P13", "first_order", Replicates { seed: Seed(seed), count });
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| at(3, 40));
    let many = rayon::ThreadPoolBuilder::new().num_threads(5).build().unwrap().install(|| at(3, 40));
    assert_eq!(alone, many);
    assert_eq!(alone[..10], at(3, 10));
    let other = at(4, 40);
    assert!(alone.iter().all(|value| !other.contains(value)), "seeds 3 and 4 share replicates");
}

/// The judgement itself can fail: a value five standard errors off, a wrong digit, a number where there is none.
#[test]
fn what_is_off_is_noticed() {
    let sample = values("P5", "informative", Replicates { seed: Seed(0), count: 400 });
    let (centre, error) = (mean(&sample).unwrap(), standard_error(&sample).unwrap());
    let judged = |theory: f64| agrees(Some(theory), Some(&Simulated::Sampled(sample.clone())), 0.0, 0.0);
    assert!(judged(centre + 3.9 * error) && !judged(centre + 4.1 * error) && !judged(centre - 4.1 * error));
    let exact = Simulated::Exact(1.0);
    assert!(agrees(Some(1.0 + 1e-7), Some(&exact), 1e-6, 0.0) && !agrees(Some(1.0 + 1e-5), Some(&exact), 1e-6, 0.0));
    assert!(agrees(None, None, 0.0, 0.0) && !agrees(None, Some(&exact), 0.0, 0.0) && !agrees(Some(1.0), None, 0.0, 0.0));
}
