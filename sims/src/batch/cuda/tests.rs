//! The kernel as host C++ against the batched engine, bit for bit, on every pair of signal and rule. Without a C++ compiler these tests say so and pass.

use super::carry;
use super::host::{Host, compiler};
use super::machine::{Machine, follow, watch};
use super::tables::Plan;
use crate::batch::block::{Block, Replica};
use crate::batch::fleet::{Observed, Options, Watched};
use crate::batch::tests::{CLOSE, Expected, distance, fleet, pairs, pays_amounts, prompts, reference, replicas, same_counts, sensitivity};
use crate::config::Mode;
use crate::recipe::Ready;
use pulp::Scalar;
use rayon::prelude::*;
use std::sync::LazyLock;

/// The kernel for every fleet, compiled once; none where there is no compiler.
static HOST: LazyLock<Option<Host>> = LazyLock::new(|| {
    let Some(compiler) = compiler() else {
        println!("no C++ compiler (CXX, c++, g++ or clang++): the kernel's tests are skipped");
        return None;
    };
    Some(with(&pairs(Mode::Sampled, 0).next().unwrap(), 1, |replicas| Host::open(&compiler, &Plan::new(replicas, false, false))))
});

/// Runs `what` on a fleet of `size` replicas of a recipe.
fn with<T>(recipe: &Ready, size: u64, what: impl FnOnce(&[Replica]) -> T) -> T {
    let made = fleet(recipe, size);
    let prompts = prompts(&made);
    what(&replicas(&made, &prompts))
}

fn name(recipe: &Ready) -> String {
    format!("{} with {}", recipe.signal.entry.name, recipe.rule.entry.name)
}

/// Configurations of each pair.
fn rounds() -> usize {
    std::env::var("MTA_SIM_ROUNDS").map_or(1, |text| text.parse().expect("MTA_SIM_ROUNDS is a whole number"))
}

#[test]
fn everything_seen_is_what_the_batched_engine_shows() {
    let Some(host) = HOST.as_ref() else { return };
    for round in 0..rounds() {
        let failures: Vec<String> = pairs(Mode::Sampled, round)
            .par_bridge()
            .filter(|recipe| {
                with(recipe, 3, |replicas| {
                    let Ok(seen) = watch(host, replicas);
                    seen != crate::batch::watch(replicas, Options::default())
                })
            })
            .map(|recipe| name(&recipe))
            .collect();
        assert!(failures.is_empty(), "round {round}: {} pairs differ: {failures:?}", failures.len());
    }
}

/// The bits of what a block computed in its last step, by the kernel's names.
fn step_of(block: &Block<Scalar>, plan: &Plan) -> Vec<(&'static str, Vec<u32>)> {
    let bits = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let last = (plan.shape.batch - 1) * plan.shape.paid();
    let lanes = |numbers: &[crate::batch::number::Lane<Scalar>]| numbers.iter().map(|lane| lane.x.to_bits()).collect::<Vec<_>>();
    vec![
        ("prompt", block.step.prompt[..plan.shape.batch].to_vec()),
        ("arm", block.step.position.to_vec()),
        ("reward", bits(&block.step.reward[last..])),
        ("shaped", lanes(&block.step.shaped)),
        ("advantage", lanes(&block.step.advantage)),
        ("push", lanes(&block.step.push)),
        ("skill", bits(&block.skill)),
    ]
}

#[test]
fn every_step_draws_pays_and_pushes_the_same() {
    let Some(host) = HOST.as_ref() else { return };
    let steps: usize = pairs(Mode::Sampled, 1)
        .par_bridge()
        .map(|recipe| {
            with(&recipe, 1, |replicas| {
                let plan = Plan::new(replicas, false, false);
                let Ok(mut memory) = host.load(&plan, &carry::inputs(&plan, replicas), 1);
                let mut block = Block::new(Scalar::new(), replicas);
                for step in 0..recipe.config.train.steps {
                    block.step(step, Watched::All);
                    let Ok(()) = host.launch(&plan, &mut memory, step..step + 1);
                    for (table, expected) in step_of(&block, &plan) {
                        assert_eq!(memory.words[plan.rows(table)], expected, "{table} of step {step}, {}", name(&recipe));
                    }
                }
                recipe.config.train.steps
            })
        })
        .sum();
    assert!(steps > 6000, "only {steps} steps were compared");
}

/// The arms that the kernel draws, step by step, and what is seen in the end.
fn drawn(host: &Host, replicas: &[Replica]) -> (Vec<Vec<u32>>, Observed) {
    let plan = Plan::new(replicas, false, false);
    let Ok(mut memory) = host.load(&plan, &carry::inputs(&plan, replicas), 1);
    let arms = |step: usize| {
        let Ok(()) = host.launch(&plan, &mut memory, step..step + 1);
        let paid = memory.words[plan.rows("arm")].chunks(plan.shape.paid());
        paid.flat_map(|group| &group[..plan.shape.sampled()]).copied().collect()
    };
    let drawn = (0..replicas[0].recipe.config.train.steps).map(arms).collect();
    let Ok(wanted) = host.read(&memory, plan.wanted());
    (drawn, carry::observed(&plan, &wanted, replicas).remove(0))
}

/// In what a cell is not the reference loop's: arms drawn, shares of agreeing rollouts and of flat groups, ratios cut, logits to 1e-5.
fn difference(expected: &Expected, drawn: &[Vec<u32>], seen: &Observed) -> Option<String> {
    let steps = || expected.stats.iter().zip(seen.snapshots.iter().filter_map(|snapshot| snapshot.stats));
    let gap = distance(&expected.skill, &seen.skill).max(distance(&expected.memory, &seen.memory));
    let same = [expected.drawn == drawn, steps().all(|(a, b)| same_counts(a, &b, false))];
    (same != [true; 2] || gap >= 1e-5).then(|| format!("draws, counts the same: {same:?}; logits differ by {gap:.1e}"))
}

#[test]
fn draws_rewards_masks_and_logits_are_those_of_the_reference_loop() {
    let Some(host) = HOST.as_ref() else { return };
    let verdicts: Vec<Option<(String, bool)>> = (0..rounds())
        .flat_map(|round| pairs(Mode::Sampled, round))
        .par_bridge()
        .map(|recipe| {
            with(&recipe, 1, |replicas| {
                let expected = reference(&replicas[0]);
                let (drawn, seen) = drawn(host, replicas);
                // what rounding may turn: a uniform at a boundary, a small difference of amounts, the cut of a flat group whose whitened advantage is zero but
                // for rounding, an unstable run
                let turned = expected.closest < CLOSE || pays_amounts(&recipe) || recipe.config.objective.whiten;
                let excused = || turned || sensitivity(&replicas[0], &expected) > 1e-7;
                let how = difference(&expected, &drawn, &seen)?;
                Some((format!("{}: {how}", name(&recipe)), excused()))
            })
        })
        .collect();
    let differ: Vec<&(String, bool)> = verdicts.iter().flatten().collect();
    let failures: Vec<&String> = differ.iter().filter(|(_, excused)| !excused).map(|(how, _)| how).collect();
    println!("{} cells, {} differ, {} of them without excuse", verdicts.len(), differ.len(), failures.len());
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(differ.len() * 50 < verdicts.len(), "too many cells are excused: {differ:#?}");
}

#[test]
fn what_is_followed_is_what_the_batched_engine_follows() {
    let Some(host) = HOST.as_ref() else { return };
    for mut recipe in pairs(Mode::Sampled, 2).step_by(23) {
        recipe.config.train.steps = 40;
        with(&recipe, 19, |replicas| {
            let Ok(trail) = follow(host, replicas, 7);
            let expected = crate::batch::follow(replicas, Options::default());
            let near = |(a, b): (&[f64; 2], &[f64; 2])| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
            assert!(trail.steps.len() == 40 && trail.steps.iter().zip(&expected.steps).all(near), "{}", name(&recipe));
            assert!(trail.success == expected.success && (trail.entropy - expected.entropy).abs() < 1e-12, "{}", name(&recipe));
        });
    }
}

/// A kernel with constants, as a device compiles it.
#[test]
fn a_fleet_s_own_kernel_gives_the_same() {
    let Some(compiler) = compiler() else { return };
    for (i, mut recipe) in pairs(Mode::Sampled, 3).step_by(97).enumerate() {
        if i % 2 == 0 {
            // tables this small lie in the threads' own arrays
            (recipe.config.world.prompts, recipe.config.train.train_batch_size, recipe.config.train.minibatches) = (1, 1, 1);
        }
        with(&recipe, 3, |replicas| {
            let host = Host::closed(&compiler, &Plan::new(replicas, false, true));
            let Ok(seen) = watch(&host, replicas);
            assert!(seen == crate::batch::watch(replicas, Options::default()), "{}", name(&recipe));
        });
    }
}

#[cfg(feature = "cuda")]
mod device {
    use super::*;
    use crate::batch::cuda::device::{Device, compile, has_nvrtc};
    use crate::batch::cuda::source_for;

    #[test]
    fn without_a_driver_or_a_device_there_is_one_clear_error() {
        if let Err(error) = Device::open() {
            let text = error.to_string();
            assert!(text.starts_with("backend = cuda: needs "), "{text}");
        }
    }

    /// NVRTC needs no GPU. Explicit operations only: no contraction, no flushing, no approximate division or root.
    #[test]
    fn nvrtc_compiles_the_kernel() {
        if !has_nvrtc() {
            return println!("no NVRTC: the kernel is not compiled for a device");
        }
        for recipe in pairs(Mode::Sampled, 4).step_by(97) {
            let text = with(&recipe, 2, |replicas| compile(&source_for(replicas, false), "compute_90").unwrap());
            assert!(text.contains(".entry run_replicas") && text.contains(".entry sum_rows"), "{}", name(&recipe));
            for word in ["div.approx", "div.full", "sqrt.approx", ".ftz", "ex2.approx"] {
                assert!(!text.contains(word), "{word} in the kernel of {}", name(&recipe));
            }
        }
    }

    /// On a GPU, every pair gives the bits of the batched engine.
    #[test]
    fn a_device_gives_the_bits_of_the_batched_engine() {
        let device = match Device::open() {
            Ok(device) => device,
            Err(error) => return println!("no device: {error}"),
        };
        for round in 0..rounds() {
            for recipe in pairs(Mode::Sampled, round) {
                with(&recipe, 67, |replicas| {
                    let seen = device.watch(replicas).unwrap();
                    assert!(seen == crate::batch::watch(replicas, Options::default()), "round {round}: {}", name(&recipe));
                });
            }
        }
    }
}
