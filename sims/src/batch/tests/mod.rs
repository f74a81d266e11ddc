//! The engine against itself on narrower vectors, bit for bit, and against the reference loop.

pub(super) mod reference;

use super::*;
use crate::batch::block::Block;
use crate::batch::lanes::{Job, Lanes, Vectors, dispatch};
use crate::config::{Mode, Regime};
use crate::recipe::Ready;
use crate::rules::RULES;
use crate::signals::SIGNALS;
use crate::stream::{Purpose, Stream};
use rand::Rng;
use reference::{CLOSE, Shows, Tally, Verdict, reference_success, verdict};

/// A random configuration of a recipe.
pub(super) fn vary(recipe: &mut Ready, dice: &mut Stream) {
    let c = &mut recipe.config;
    c.world.vocab = dice.random_range(4..40);
    (c.world.prompts, c.world.held_out) = (dice.random_range(1..6), dice.random_range(1..20));
    (c.world.format_rate, c.world.bad_quality) = (dice.random_range(0.5..1.0), 0.2);
    (c.train.steps, c.train.eval_every) = (10, 1);
    (c.train.train_batch_size, c.train.group_size) = (dice.random_range(1..6), dice.random_range(2..12));
    c.train.learning_rate = dice.random_range(0.1..1.0);
    if dice.random_bool(0.4) {
        c.train.minibatches = dice.random_range(1..=c.train.train_batch_size);
        c.train.num_iterations = dice.random_range(1..3);
    }
    c.policy.sharing = *dice.pick(7, &[0.0, 0.3, 0.8, 1.0]);
    (c.signal.votes, c.signal.pass_k) = (dice.random_range(0..16), dice.random_range(1..=c.train.group_size));
    (c.signal.label_noise, c.signal.random_rate) = (dice.random_range(0.0..1.0), dice.random_range(0.0..1.0));
    if dice.random_bool(0.3) {
        c.objective.kl_beta = dice.random_range(0.0..0.1);
        c.objective.kl_form = *dice.pick(40, &[crate::config::KlForm::K1, crate::config::KlForm::K2, crate::config::KlForm::K3]);
    }
    if dice.random_bool(0.2) {
        c.objective.entropy_coeff = dice.random_range(-0.05..0.05);
    }
    if dice.random_bool(0.2) {
        let both = dice.random_range(0.5..2.0);
        (c.objective.positive_weight, c.objective.negative_weight) = (both, both);
    }
}

/// A random configuration of a recipe on trees.
fn vary_tree(recipe: &mut Ready, dice: &mut Stream) {
    vary(recipe, dice);
    let c = &mut recipe.config;
    (c.world.vocab, c.world.depth, c.world.end_token) = (dice.random_range(3..12), dice.random_range(2..5), dice.random_bool(0.3));
    (c.world.prompts, c.world.held_out) = (dice.random_range(1..4), dice.random_range(1..6));
    (c.world.good_tokens, c.world.bad_quality) = (2, 0.4);
    if dice.random_bool(0.3) {
        c.objective.gamma = dice.random_range(0.7..1.0);
    }
    if dice.random_bool(0.5) {
        use crate::config::LossAgg::*;
        let all = [TokenMean, TokenMeanLocal, SeqMeanTokenSum, SeqMeanTokenMean, SeqMeanTokenSumNorm];
        c.objective.loss_agg_mode = *dice.pick(50, &all);
        c.train.micro_batches = dice.random_range(1..=c.train.train_batch_size / c.train.minibatches);
    }
    if dice.random_bool(0.5) {
        use crate::config::RatioLevel::*;
        c.objective.importance_sampling_level = *dice.pick(51, &[Token, Sequence, SequenceProduct]);
    }
}

/// Worlds and recipes for one fleet: seeds, alignments and step sizes differ.
/// A random regime: replicas of a vector choose other prompts.
fn vary_regime(recipe: &mut Ready, dice: &mut Stream) {
    let last = if recipe.signal.label_free { Regime::TestTime } else { Regime::Full };
    recipe.config.data.regime = *dice.pick(60, &[Regime::Full, Regime::Full, Regime::OneShot, Regime::Few, last]);
    recipe.config.data.few = dice.random_range(1..=recipe.config.world.prompts);
}

pub(super) fn fleet(recipe: &Ready, size: u64) -> Vec<(World, Ready)> {
    let one = |i: u64| {
        let mut own = recipe.clone();
        own.config.world.alignment = 0.1 + 0.8 * i as f64 / size as f64;
        own.config.train.learning_rate *= 1.0 + i as f64 / size as f64;
        (World::new(&own.config.world, Seed(1000 + i)).unwrap(), own)
    };
    (0..size).map(one).collect()
}

pub(super) fn replicas<'a>(made: &'a [(World, Ready)], prompts: &'a [Vec<usize>]) -> Vec<Replica<'a>> {
    made.iter().zip(prompts).map(|((world, recipe), prompts)| Replica { world, recipe, prompts, dice: world.seed }).collect()
}

pub(super) fn prompts(made: &[(World, Ready)]) -> Vec<Vec<usize>> {
    made.iter().map(|(world, recipe)| choose(world, recipe)).collect()
}

/// Every pair of signal and rule the engine runs, in a random configuration: another one in every round.
pub(super) fn pairs(mode: Mode, round: usize) -> impl Iterator<Item = Ready> {
    varied(vary, mode, round)
}

/// The same on trees.
pub(super) fn tree_pairs(round: usize) -> impl Iterator<Item = Ready> {
    varied(vary_tree, Mode::Sampled, round)
}

fn varied(vary: fn(&mut Ready, &mut Stream), mode: Mode, round: usize) -> impl Iterator<Item = Ready> {
    SIGNALS.iter().flat_map(|signal| RULES.iter().map(move |rule| (signal, rule))).enumerate().filter_map(move |(i, (signal, rule))| {
        let mut recipe = Ready::new("random", signal, rule);
        let mut dice = Seed(77).stream(Purpose::Population, round, i);
        vary(&mut recipe, &mut dice);
        vary_regime(&mut recipe, &mut dice);
        recipe.config.train.mode = mode;
        (recipe.validate().is_ok() && supports(&recipe).is_ok()).then_some(recipe)
    })
}

#[test]
fn every_width_gives_the_same_bits() {
    for recipe in pairs(Mode::Sampled, 0).step_by(3).chain(pairs(Mode::Exact, 0).step_by(5)).chain(tree_pairs(0).step_by(7)) {
        let made = fleet(&recipe, 19);
        let prompts = prompts(&made);
        let replicas = replicas(&made, &prompts);
        let scalar = watch(&replicas, Options { vectors: Vectors::Scalar });
        for vectors in [Vectors::V3, Vectors::V4] {
            assert!(
                watch(&replicas, Options { vectors }) == scalar,
                "{vectors:?}: {} with {}",
                recipe.signal.entry.name,
                recipe.rule.entry.name
            );
        }
    }
}

/// Configurations of each pair: `MTA_SIM_ROUNDS=100 cargo test -p mta-sims --lib batch` compares more of them.
pub(super) fn rounds() -> usize {
    std::env::var("MTA_SIM_ROUNDS").map_or(1, |text| text.parse().expect("MTA_SIM_ROUNDS is a whole number"))
}

#[test]
fn agrees_with_the_reference_loop() {
    compare(|round| pairs(Mode::Sampled, round));
}

#[test]
fn agrees_with_the_reference_loop_in_exact_mode() {
    compare(|round| pairs(Mode::Exact, round));
}

#[test]
fn agrees_with_the_reference_loop_on_trees() {
    compare(tree_pairs);
}

/// Both engines on every pair, in as many configurations as [`rounds`]: on a fleet in the first, on a single replica in the others.
fn compare<I: Iterator<Item = Ready>>(pairs: impl Fn(usize) -> I) {
    let recipes: Vec<(usize, Ready)> = (0..rounds()).flat_map(|round| pairs(round).map(move |recipe| (round, recipe))).collect();
    let verdicts = recipes.par_iter().flat_map_iter(|(round, recipe)| verdicts(recipe, if *round == 0 { 19 } else { 1 }));
    let mut tally = Tally::default();
    verdicts.collect::<Vec<_>>().into_iter().for_each(|verdict| tally.add(verdict));
    tally.check();
}

/// Both engines on a fleet of a recipe.
fn verdicts(recipe: &Ready, size: u64) -> Vec<Verdict> {
    let made = fleet(recipe, size);
    let prompts = prompts(&made);
    let replicas = replicas(&made, &prompts);
    let seen = watch(&replicas, Options::default()).into_iter().zip(recall(&replicas, Options::default()));
    replicas.iter().zip(seen).map(|(replica, (seen, nodes))| verdict(replica, &Shows::of(seen, Vec::new(), nodes))).collect()
}

/// The curves of both engines, for every recipe of the registry that runs here, mixed in one call.
#[test]
fn curves_are_those_of_the_reference_loop() {
    let cell = |recipe: &Ready, seed: u64, alignment: f64| {
        let mut recipe = recipe.clone();
        let world = &mut recipe.config.world;
        (world.prompts, world.held_out, world.alignment) = (8, 40, alignment);
        recipe.config.train.steps = 8;
        // bandits, trees, trees that may end early
        (world.depth, world.end_token) = (1 + seed as usize % 3, seed % 3 == 2);
        if world.depth > 1 {
            (world.vocab, world.bad_quality) = (8, 0.2);
        }
        Cell { recipe, seed: Seed(seed) }
    };
    let recipes: Vec<Ready> = crate::recipe::RECIPES.iter().map(|r| Ready::named(r)).collect();
    let supported: Vec<Ready> = recipes.into_iter().filter(|r| supports(r).is_ok()).collect();
    assert_eq!(supported.len(), 19, "all recipes but distill");
    let cells: Vec<Cell> = (0..6).flat_map(|seed| supported.iter().map(move |r| cell(r, seed, 0.2 + 0.1 * seed as f64))).collect();
    for (cell, curves) in cells.iter().zip(run(&cells, Options::default())) {
        let (curves, expected) = (curves.unwrap(), cell.run().unwrap());
        assert_eq!((curves.alignment, &curves.chosen, &curves.steps), (expected.alignment, &expected.chosen, &expected.steps));
        for (metric, (a, b)) in crate::record::metrics().iter().zip(curves.values.iter().zip(&expected.values)) {
            for (a, b) in a.iter().zip(b) {
                let close = match (a, b) {
                    (Some(a), Some(b)) => (a - b).abs() < 2e-5 * (1.0 + b.abs()),
                    _ => a == b,
                };
                assert!(close, "{} of {}, seed {}: {a:?} is not {b:?}", metric.name, cell.recipe.name, cell.seed.0);
            }
        }
    }
}

/// A tree whose right responses are listed: about every third.
fn listed(vocab: usize, depth: usize, seed: u64) -> World {
    let mut dice = Seed(seed).stream(Purpose::Population, 1, 0);
    let right: Vec<bool> = (0..vocab.pow(depth as u32)).map(|_| dice.random_bool(0.3)).collect();
    World::listed(ndarray::Array2::from_shape_fn((depth, vocab), |_| dice.random_range(-1.0..1.0)), &right, Seed(seed))
}

/// Fleets of trees whose success is followed.
pub(super) fn successes() -> Vec<Vec<(World, Ready)>> {
    let cases = [
        (0.0, [4, 3, 1], "listed"),
        (0.0, [9, 2, 1], "listed"),
        (0.0, [6, 4, 3], ""),
        (0.0, [5, 4, 2], "ends"),
        (0.5, [6, 3, 3], ""),
        (0.5, [7, 3, 2], "ends"),
        (0.0, [33, 2, 2], ""),
        (0.0, [6, 4, 1], "last"),
        (0.0, [6, 3, 5], "few"),
        (0.5, [6, 3, 5], "few"),
    ];
    let case = |(sharing, size, kind): (f64, [usize; 3], &str)| {
        let mut recipe = Ready::new("success", SIGNALS[0], RULES[0]);
        let c = &mut recipe.config;
        [c.world.vocab, c.world.depth, c.world.prompts] = size;
        (c.world.bad_quality, c.train.steps, c.train.eval_every) = (0.3, 12, 3);
        (c.train.train_batch_size, c.train.group_size, c.policy.sharing) = (2, 8, sharing);
        c.world.end_token = kind == "ends";
        if kind == "few" {
            (c.data.regime, c.data.few) = (Regime::Few, 2);
        }
        if kind == "last" {
            // only last tokens are pushed: what lies above them stays, and its chances change all the same
            c.objective.gamma = 1e-60;
        }
        c.world.held_out = 0;
        if kind == "listed" { (0..19).map(|i| (listed(size[0], size[1], i / 4), recipe.clone())).collect() } else { fleet(&recipe, 19) }
    };
    cases.map(case).to_vec()
}

#[test]
fn success_is_that_of_the_reference_loop() {
    let (mut seen, mut close) = (0, 0);
    for made in successes() {
        let prompts = prompts(&made);
        let mut replicas = replicas(&made, &prompts);
        replicas.iter_mut().enumerate().for_each(|(i, replica)| replica.dice = Seed(i as u64));
        let trails = success(&replicas, Options::default());
        assert!(trails == success(&replicas, Options { vectors: Vectors::Scalar }));
        for (replica, trail) in replicas.iter().zip(trails) {
            let (expected, closest) = reference_success(replica);
            assert_eq!(trail.len(), expected.len());
            seen += 1;
            if trail.iter().zip(&expected).any(|(a, b)| (a - b).abs() > 2e-5) {
                assert!(closest < CLOSE, "{:?}: {trail:?} is not {expected:?}", replica.recipe.config.world);
                close += 1;
            }
        }
    }
    assert!(close * 10 < seen, "{close} of {seen} are excused");
}

#[test]
fn neighbours_and_threads_change_nothing() {
    let bandits = pairs(Mode::Sampled, 0).skip(5).step_by(29).chain(pairs(Mode::Exact, 0).step_by(37));
    for recipe in bandits.chain(tree_pairs(0).skip(5).step_by(295)) {
        neighbours_change_nothing(&recipe);
    }
}

/// On one thread, blocks share their scratch; on three, fewer do.
fn neighbours_change_nothing(recipe: &Ready) {
    let made = fleet(recipe, 37);
    let prompts = prompts(&made);
    let replicas = replicas(&made, &prompts);
    let all = watch(&replicas, Options::default());
    for (threads, vectors) in [(1, Vectors::Scalar), (1, Vectors::V3), (3, Vectors::Widest)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| watch(&replicas, Options { vectors })) == all, "{}: {vectors:?}", recipe.signal.entry.name);
    }
    for (replica, seen) in replicas.iter().zip(&all) {
        assert!(watch(&[*replica], Options::default()) == [seen.clone()], "{} alone", recipe.signal.entry.name);
    }
}

/// Rewards of steps that are evaluated are looked at once more.
#[test]
fn evaluation_changes_nothing() {
    for recipe in pairs(Mode::Sampled, 0).step_by(7).chain(pairs(Mode::Exact, 0)).chain(tree_pairs(0).step_by(31)) {
        let made = fleet(&recipe, 5);
        let prompts = prompts(&made);
        let often = watch(&replicas(&made, &prompts), Options::default());
        let mut seldom = made.clone();
        seldom.iter_mut().for_each(|(_, recipe)| recipe.config.train.eval_every = 4);
        let seldom = watch(&replicas(&seldom, &prompts), Options::default());
        for (often, seldom) in often.iter().zip(&seldom) {
            let kept: Vec<_> = often.snapshots.iter().filter(|s| s.step % 4 == 0 || s.step == 10).cloned().collect();
            assert!(kept == seldom.snapshots, "{} with {}", recipe.signal.entry.name, recipe.rule.entry.name);
            assert!((&often.skill, &often.memory) == (&seldom.skill, &seldom.memory));
        }
    }
}

/// Whether a fleet's steps are made many at a time where nobody watches.
struct FlowsFreely<'a>(&'a [Replica<'a>]);

impl Job for FlowsFreely<'_> {
    type Output = bool;
    #[inline(always)]
    fn run<S: Lanes>(self, s: S) -> bool {
        Block::new(s, &self.0[..S::LANES], None).flows_freely()
    }
}

/// Every pair in exact mode that can train on a single prompt with shared skill only, one update a step, and its number.
fn at_one_prompt(round: usize) -> impl Iterator<Item = (usize, Ready)> {
    pairs(Mode::Exact, round).enumerate().filter_map(|(i, mut recipe)| {
        let c = &mut recipe.config;
        (c.world.prompts, c.policy.sharing, c.train.minibatches, c.train.num_iterations) = (1, 1.0, 1, 1);
        recipe.validate().is_ok().then_some((i, recipe))
    })
}

/// Flows at a single prompt, made many steps at a time, and one by one where all are watched; sixteen step sizes at once, some so large that logits move far, and
/// each by itself.
#[test]
fn flows_are_their_steps() {
    let mut flows = 0;
    for (i, mut recipe) in at_one_prompt(2) {
        recipe.config.train.steps = 40;
        let made = |eval_every: usize| {
            let mut made = fleet(&recipe, 16);
            for (lane, (_, own)) in made.iter_mut().enumerate() {
                own.config.train.eval_every = eval_every;
                own.config.train.learning_rate = if i % 2 == 0 { 3e-3 } else { 1.0 } * 2f64.powi(lane as i32);
            }
            made
        };
        let [often, seldom] = [1, 13].map(made);
        let prompts = prompts(&often);
        let [often, seldom] = [&often, &seldom].map(|made| replicas(made, &prompts));
        flows += usize::from(dispatch(Vectors::Widest, FlowsFreely(&often)));
        let together = watch(&seldom, Options::default());
        for ((often, seldom), (alone, together)) in
            watch(&often, Options::default()).iter().zip(&together).zip(seldom.iter().zip(&together))
        {
            let kept: Vec<_> = often.snapshots.iter().filter(|s| s.step % 13 == 0 || s.step == 40).cloned().collect();
            // as text, for what is no number is unequal to itself
            let [often, seldom] = [(&kept, &often.skill), (&seldom.snapshots, &seldom.skill)].map(|all| format!("{all:?}"));
            assert!(often == seldom, "{} with {}", recipe.signal.entry.name, recipe.rule.entry.name);
            let alone = watch(&[*alone], Options::default());
            assert!(format!("{alone:?}") == format!("{:?}", [together]), "{} alone", recipe.signal.entry.name);
        }
    }
    assert!(flows > 20, "{flows} flows");
}

/// A thousand small steps, most of whose weights are multiplied and not computed anew.
#[test]
fn long_flows_are_those_of_the_reference_loop() {
    let mut furthest = 0f64;
    for (i, mut recipe) in at_one_prompt(3) {
        let train = &mut recipe.config.train;
        (train.steps, train.eval_every, train.learning_rate) = (1000, 100, if i % 2 == 0 { 0.01 } else { 0.2 });
        let cell = Cell { recipe, seed: Seed(i as u64) };
        let made = fleet(&cell.recipe, 16);
        if !dispatch(Vectors::Widest, FlowsFreely(&replicas(&made, &prompts(&made)))) {
            continue;
        }
        let both = [cell.run().unwrap(), run(std::slice::from_ref(&cell), Options::default()).remove(0).unwrap()];
        let [expected, seen] = both.map(|curves| curves.values);
        for (a, b) in expected.iter().flatten().zip(seen.iter().flatten()) {
            let off = a.zip(*b).map_or(f64::from(u8::from(a != b)), |(a, b)| (a - b).abs() / (1.0 + a.abs()));
            furthest = furthest.max(off);
            assert!(off < 2e-5, "{} with {}: {a:?} is not {b:?}", cell.recipe.signal.entry.name, cell.recipe.rule.entry.name);
        }
    }
    println!("at most {furthest:e} apart");
}

/// A penalty of zero beside others that are not: the part of the gradient that it needs not must not reach it by rounding.
#[test]
fn a_cell_is_the_same_beside_cells_of_other_penalties() {
    let cells: Vec<Cell> = (0..6u32)
        .map(|i| {
            let mut recipe = Ready::named(crate::recipe::RECIPES[0]);
            let c = &mut recipe.config;
            (c.world.prompts, c.world.held_out, c.train.steps) = (8, 40, 12);
            c.objective.kl_beta = f64::from(i % 2) * 0.1;
            Cell { recipe, seed: Seed(u64::from(i)) }
        })
        .collect();
    for (cell, together) in cells.iter().zip(run(&cells, Options::default())) {
        let alone = run(std::slice::from_ref(cell), Options::default()).remove(0);
        assert!(together.unwrap() == alone.unwrap(), "seed {}", cell.seed.0);
    }
}

/// Steps so large that logits overflow: what a policy without finite logits does is missing, and nobody panics.
#[test]
fn runs_that_diverge_end_with_missing_numbers() {
    let mut missing = [0; 2];
    for mut recipe in [Mode::Sampled, Mode::Exact].into_iter().flat_map(|mode| pairs(mode, 1)).chain(tree_pairs(1).step_by(7)) {
        (recipe.config.train.learning_rate, recipe.config.train.steps) = (1e308, 5);
        let cell = Cell { recipe, seed: Seed(3) };
        let both = [cell.run().unwrap(), run(std::slice::from_ref(&cell), Options::default()).remove(0).unwrap()];
        for (missing, curves) in missing.iter_mut().zip(both) {
            let last: Vec<Option<f64>> = curves.values.iter().map(|metric| metric.last().copied().flatten()).collect();
            assert!(last.iter().flatten().all(|x| x.is_finite()));
            *missing += usize::from(last[0].is_none());
        }
    }
    println!("{missing:?} are without a policy in the end");
    assert!(missing.iter().all(|m| *m > 100), "{missing:?}");
}

#[test]
fn what_is_not_supported_says_why() {
    let mut recipe = tree_pairs(0).next().unwrap();
    recipe.config.train.mode = Mode::Exact;
    assert_eq!(supports(&recipe).unwrap_err().to_string(), "mode = exact: must be sampled at a depth above 1 in the batched engine");
    let cell = Cell { recipe, seed: Seed(0) };
    assert!(run(&[cell], Options::default())[0].is_err());
}
