//! The kernel as host C++ against the batched engine, bit for bit, on every pair of signal and rule. Without a C++ compiler these tests say so and pass.

use super::carry::{self, Inputs};
use super::host::{Host, compiler};
use super::machine::{Machine, follow, run, success, watch};
use super::supports;
use super::tables::{Plan, Wanted};
use crate::batch::block::{Block, Replica};
use crate::batch::fleet::{Options, Watched};
use crate::batch::shape::Shape;
use crate::batch::tests::reference::{Shows, Tally, Verdict, verdict};
use crate::batch::tests::{fleet, pairs, prompts, replicas, rounds, successes, tree_pairs};
use crate::batch::{Node, recall};
use crate::config::Mode;
use crate::recipe::Ready;
use crate::registry::find;
use crate::stream::Seed;
use crate::workloads::WORKLOADS;
use pulp::Scalar;
use rayon::prelude::*;
use std::f64::consts::LN_2;
use std::sync::LazyLock;

/// The kernel for every fleet, compiled once; none where there is no compiler.
static HOST: LazyLock<Option<Host>> = LazyLock::new(|| {
    let Some(compiler) = compiler() else {
        println!("no C++ compiler (CXX, c++, g++ or clang++): the kernel's tests are skipped");
        return None;
    };
    Some(with(&pairs(Mode::Sampled, 0).next().unwrap(), 1, |replicas| Host::open(&compiler, &Plan::new(replicas, Wanted::Curves, false))))
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

/// Every pair of signal and rule on bandits and on trees, in a random configuration.
fn all(round: usize) -> impl Iterator<Item = Ready> {
    pairs(Mode::Sampled, round).chain(tree_pairs(round))
}

#[test]
fn everything_seen_is_what_the_batched_engine_shows() {
    let Some(host) = HOST.as_ref() else { return };
    for round in 0..rounds() {
        let failures: Vec<String> = all(round)
            .par_bridge()
            .filter(|recipe| {
                with(recipe, 3, |replicas| {
                    let Ok(seen) = watch(host, replicas);
                    let expected = crate::batch::watch(replicas, Options::default());
                    // numbers that are missing on both sides are equal only as text
                    seen != expected && format!("{seen:?}") != format!("{expected:?}")
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
    let is_push = !plan.shape.is_tree() && block.pushes_advantages();
    let advantages = if is_push { &block.step.push } else { &block.step.advantage };
    let pushes = if plan.shape.is_tree() { block.token_pushes() } else { &block.step.push };
    let lanes = |numbers: &[crate::batch::number::Lane<Scalar>]| numbers.iter().map(|lane| lane.x.to_bits()).collect::<Vec<_>>();
    vec![
        ("prompt", block.step.prompt[..plan.shape.batch].to_vec()),
        ("arm", if plan.rows("arm").is_empty() { Vec::new() } else { block.step.position.to_vec() }),
        ("reward", bits(&block.step.reward[last..])),
        ("shaped", lanes(&block.step.shaped)),
        ("advantage", lanes(advantages)),
        ("push", lanes(pushes)),
        ("skill", bits(&block.skill)),
    ]
}

#[test]
fn every_step_draws_pays_and_pushes_the_same() {
    let Some(host) = HOST.as_ref() else { return };
    let steps: usize = all(1)
        .par_bridge()
        .map(|recipe| {
            with(&recipe, 1, |replicas| {
                let plan = Plan::new(replicas, Wanted::Curves, false);
                let Ok(mut memory) = host.load(&plan, &Inputs::of(&plan, replicas), 1);
                let mut block = Block::new(Scalar::new(), replicas, None);
                let mut did = block.nothing();
                for step in 0..recipe.config.train.steps {
                    block.step(step, Watched::All, &mut did);
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

/// What the kernel remembers of the trees of a single replica, and how it got there.
struct Remembered<'a> {
    plan: &'a Plan,
    words: &'a [u32],
    /// The replica's prompts, in the order of their numbers.
    order: Vec<usize>,
}

impl Remembered<'_> {
    fn word(&self, table: &str, row: usize) -> u32 {
        self.words[self.plan.rows(table).start + row]
    }

    /// Nodes in use.
    fn nodes(&self) -> impl Iterator<Item = usize> {
        let roots = self.plan.shape.domain.len();
        let count = move |h| if h == 0 { roots } else { self.word("used", h) as usize };
        (0..self.plan.shape.depth).flat_map(move |h| (self.word("first", h) as usize..).take(count(h)))
    }

    fn node(&self, node: usize) -> Node {
        let Shape { domain, stride, arms, actions, .. } = &self.plan.shape;
        let (mut path, mut top) = (Vec::new(), node);
        while top > domain.len() {
            let above = self.word("above", top) as usize;
            path.insert(0, (above % stride) as u32);
            top = above / stride;
        }
        let width = if path.is_empty() { *arms } else { *actions };
        let logit = |action: usize| f64::from(f32::from_bits(self.word("private_logits", node * stride + action))) * LN_2;
        Node { prompt: self.order[domain.start + top - 1], path, logits: (0..width).map(logit).collect() }
    }
}

/// What is remembered of trees in the end.
fn nodes(plan: &Plan, words: &[u32], replica: &Replica) -> Vec<Node> {
    let remembered = Remembered { plan, words, order: replica.order() };
    if plan.rows("private_logits").is_empty() { Vec::new() } else { remembered.nodes().map(|node| remembered.node(node)).collect() }
}

/// The first tokens that the kernel draws, step by step, and what is seen in the end.
fn shown(host: &Host, replicas: &[Replica]) -> Shows {
    let plan = Plan::new(replicas, Wanted::Curves, false);
    let Ok(mut memory) = host.load(&plan, &Inputs::of(&plan, replicas), 1);
    let (first, apart) = if plan.shape.is_tree() { ("token", plan.shape.depth) } else { ("arm", 1) };
    let tokens = |step: usize| {
        let Ok(()) = host.launch(&plan, &mut memory, step..step + 1);
        let tokens: Vec<u32> = memory.words[plan.rows(first)].iter().step_by(apart).copied().collect();
        tokens.chunks(plan.shape.paid()).flat_map(|group| &group[..plan.shape.sampled()]).copied().collect()
    };
    let drawn = (0..replicas[0].recipe.config.train.steps).map(tokens).collect();
    let Ok(wanted) = host.read(&memory, plan.wanted());
    Shows::of(carry::observed(&plan, &wanted, replicas).remove(0), drawn, nodes(&plan, &memory.words, &replicas[0]))
}

/// Both on every pair, in as many configurations as [`rounds`].
fn compare<I: Iterator<Item = Ready>>(pairs: impl Fn(usize) -> I) {
    let Some(host) = HOST.as_ref() else { return };
    let recipes: Vec<Ready> = (0..rounds()).flat_map(pairs).collect();
    let verdicts: Vec<Verdict> =
        recipes.par_iter().map(|recipe| with(recipe, 1, |replicas| verdict(&replicas[0], &shown(host, replicas)))).collect();
    let mut tally = Tally::default();
    verdicts.into_iter().for_each(|verdict| tally.add(verdict));
    tally.check();
}

#[test]
fn draws_rewards_masks_and_logits_are_those_of_the_reference_loop() {
    compare(|round| pairs(Mode::Sampled, round));
}

#[test]
fn draws_rewards_masks_and_logits_of_trees_are_those_of_the_reference_loop() {
    compare(tree_pairs);
}

/// Nodes are born in another order; the bits at each are the same.
#[test]
fn what_is_remembered_of_trees_is_what_the_batched_engine_remembers() {
    let Some(host) = HOST.as_ref() else { return };
    let sorted = |mut nodes: Vec<Node>| {
        nodes.sort_by(|a, b| (a.prompt, &a.path).cmp(&(b.prompt, &b.path)));
        nodes
    };
    for recipe in tree_pairs(2).step_by(5) {
        with(&recipe, 1, |replicas| {
            let plan = Plan::new(replicas, Wanted::Curves, false);
            let Ok(memory) = run(host, &plan, replicas);
            let expected = recall(replicas, Options::default()).remove(0);
            let expected = if recipe.config.policy.sharing < 1.0 { expected } else { Vec::new() };
            assert!(sorted(nodes(&plan, &memory.words, &replicas[0])) == sorted(expected), "{}", name(&recipe));
        });
    }
}

#[test]
fn runs_that_diverge_are_those_of_the_batched_engine() {
    let Some(host) = HOST.as_ref() else { return };
    let mut lost = 0;
    for mut recipe in all(3).step_by(9) {
        (recipe.config.train.learning_rate, recipe.config.train.steps) = (1e308, 5);
        with(&recipe, 2, |replicas| {
            let Ok(seen) = watch(host, replicas);
            for (seen, expected) in seen.iter().zip(crate::batch::watch(replicas, Options::default())) {
                let has_policy = |o: &crate::batch::Observed| o.snapshots.last().is_some_and(|s| s.train.kl.is_finite());
                assert_eq!(has_policy(seen), has_policy(&expected), "{}", name(&recipe));
                lost += usize::from(!has_policy(seen));
            }
        });
    }
    assert!(lost > 20, "{lost}");
}

#[test]
fn success_is_that_of_the_batched_engine() {
    let (Some(host), Some(compiler)) = (HOST.as_ref(), compiler()) else { return };
    for (i, made) in successes().into_iter().enumerate() {
        let prompts = prompts(&made);
        let mut replicas = replicas(&made, &prompts);
        replicas.iter_mut().enumerate().for_each(|(i, replica)| replica.dice = Seed(i as u64));
        let expected = crate::batch::success(&replicas, Options::default());
        let Ok(seen) = success(host, &replicas);
        assert!(seen == expected, "number {i}: {:?} is not {:?}", seen[0], expected[0]);
        let Ok(seen) = success(&Host::closed(&compiler, &Plan::new(&replicas, Wanted::Success, true)), &replicas);
        assert!(seen == expected, "number {i} in a kernel of its own");
    }
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

#[test]
#[should_panic(expected = "right responses are listed")]
fn worlds_that_list_right_responses_show_their_success_only() {
    let Some(host) = HOST.as_ref() else { panic!("no C++ compiler to see where right responses are listed") };
    let fleet = find("workload", WORKLOADS, "w2").unwrap().fleet(1);
    let _ = watch(host, &fleet.replicas());
}

#[test]
fn what_is_not_supported_says_why() {
    let exact = pairs(Mode::Exact, 0).next().unwrap();
    assert_eq!(supports(&exact).unwrap_err().to_string(), "mode = exact: must be sampled in the CUDA engine");
    let mut long = tree_pairs(0).next().unwrap();
    let c = &mut long.config;
    (c.world.vocab, c.world.depth, c.world.end_token) = (4, 24, false);
    (c.train.steps, c.train.train_batch_size, c.train.group_size) = (1 << 18, 1, 16);
    let expected = "steps = 262144: times rollouts, depth and vocab must be at most 2^28 in the CUDA engine";
    assert!(crate::batch::supports(&long).is_ok());
    assert_eq!(supports(&long).unwrap_err().to_string(), expected);
}

/// A kernel with constants, as a device compiles it.
#[test]
fn a_fleet_s_own_kernel_gives_the_same() {
    let Some(compiler) = compiler() else { return };
    for (i, mut recipe) in pairs(Mode::Sampled, 3).step_by(97).chain(tree_pairs(3).step_by(97)).enumerate() {
        if i % 2 == 0 {
            // tables this small lie in the threads' own arrays
            (recipe.config.world.prompts, recipe.config.train.train_batch_size, recipe.config.train.minibatches) = (1, 1, 1);
            recipe.config.train.micro_batches = 1;
        }
        with(&recipe, 3, |replicas| {
            let host = Host::closed(&compiler, &Plan::new(replicas, Wanted::Curves, true));
            let Ok(seen) = watch(&host, replicas);
            assert!(seen == crate::batch::watch(replicas, Options::default()), "{}", name(&recipe));
        });
    }
}

#[cfg(feature = "cuda")]
mod device {
    use super::*;
    use crate::batch::cuda::device::{Device, compile, has_nvrtc};
    use crate::batch::cuda::{source, source_for};
    use crate::knob::KnobError;

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
        let own = |recipe: Ready| (name(&recipe), with(&recipe, 2, |replicas| source_for(replicas, Wanted::Curves)));
        let fleet = find("workload", WORKLOADS, "w2").unwrap().fleet(2);
        let any = with(&tree_pairs(0).next().unwrap(), 1, |replicas| source(&Plan::new(replicas, Wanted::Curves, false).open_header()));
        let others = [("w2".into(), source_for(&fleet.replicas(), Wanted::Success)), ("every pair".into(), any)];
        for (name, source) in pairs(Mode::Sampled, 4).step_by(199).chain(tree_pairs(4).step_by(199)).map(own).chain(others) {
            let text = compile(&source, "compute_90").unwrap();
            assert!(text.contains(".entry run_replicas") && text.contains(".entry sum_rows"), "{name}");
            for word in ["div.approx", "div.full", "sqrt.approx", ".ftz", "ex2.approx"] {
                assert!(!text.contains(word), "{word} in the kernel of {name}");
            }
        }
    }

    /// What `open` opens; says so where there is no GPU.
    fn device(open: impl Fn() -> Result<Device, KnobError>) -> Option<Device> {
        open().inspect_err(|error| println!("no device: {error}")).ok()
    }

    fn assert_same(device: &Device, recipe: &Ready) {
        with(recipe, 67, |replicas| {
            assert!(device.watch(replicas).unwrap() == crate::batch::watch(replicas, Options::default()), "{}", name(recipe));
        });
    }

    /// On a GPU, every pair gives the bits of the batched engine, in the kernel for every fleet.
    #[test]
    fn a_device_gives_the_bits_of_the_batched_engine() {
        let Some(device) = device(Device::for_any_fleet) else { return };
        (0..rounds()).flat_map(all).for_each(|recipe| assert_same(&device, &recipe));
    }

    /// And some in kernels of their own, which take a second to compile.
    #[test]
    fn a_device_s_own_kernels_give_the_bits_of_the_batched_engine() {
        let Some(device) = device(Device::open) else { return };
        pairs(Mode::Sampled, 0).step_by(97).chain(tree_pairs(0).step_by(97)).for_each(|recipe| assert_same(&device, &recipe));
        let fleet = find("workload", WORKLOADS, "w2").unwrap().fleet(67);
        let replicas = fleet.replicas();
        assert!(device.success(&replicas).unwrap() == crate::batch::success(&replicas, Options::default()));
    }
}
