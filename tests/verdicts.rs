//! Verdicts: calibrated where the truth is known, and a counterexample for every claim.

mod common;

use mta_sim::sims::betting::{Range, lower_bound, upper_bound};
use mta_sim::sims::cell::{Cell, train_in};
use mta_sim::sims::claims::{CLAIMS, Lab, Part, Rung, Source, Trial, Verdict};
use mta_sim::sims::config::Mode;
use mta_sim::sims::recipe::{RECIPES, Ready};
use mta_sim::sims::registry::find;
use mta_sim::sims::rules::RULES;
use mta_sim::sims::signals::SIGNALS;
use mta_sim::sims::stream::{Purpose, Seed};
use mta_sim::sims::world::World;
use mta_sim::verdicts;
use mta_sim::verify::{BUDGETS, Budget, Judged, Request, judge, rule};
use proptest::collection::vec;
use proptest::prelude::*;
use rayon::prelude::*;
use std::collections::HashSet;

// ---- calibration -------------------------------------------------------------------------------------------------------------------------

/// Repetitions of a claim whose truth is known.
const REPETITIONS: u64 = 1000;

/// The declared level.
const ALPHA: f64 = 0.05;

/// A law of margins with mean 0 exactly: its name, its range, and a value from a uniform number.
type Law = (&'static str, (f64, f64), fn(f64) -> f64);

const NULLS: [Law; 5] = [
    ("uniform", (-1.0, 1.0), |u| 2.0 * u - 1.0),
    ("two kinds of worlds", (-1.0, 1.0), |u| if u < 0.5 { -0.8 } else { 0.8 }),
    ("a rare disaster", (-1.0, 1.0), |u| if u < 0.02 { -0.98 } else { 0.02 }),
    ("a rare triumph", (-1.0, 1.0), |u| if u < 0.02 { 0.98 } else { -0.02 }),
    ("most worlds, at the limit", (-2.0 / 3.0, 1.0 / 3.0), |u| if u < 1.0 / 3.0 { -2.0 / 3.0 } else { 1.0 / 3.0 }),
];

fn uniform(lab: &Lab) -> f64 {
    lab.seed.stream(Purpose::Truth, 0, 0).uniform(0)
}

/// Shares of `holds` and of `fails` over repetitions, each on seeds of its own.
fn shares(part: impl Fn() -> Part + Sync, budget: Budget, alpha: f64) -> (f64, f64) {
    let most = *budget.looks.last().unwrap();
    let verdict = |i: u64| rule(vec![part()], budget, alpha, 1_000_000 + i * most).verdict;
    let verdicts: Vec<Verdict> = (0..REPETITIONS).into_par_iter().map(verdict).collect();
    let share = |v| verdicts.iter().filter(|x| **x == v).count() as f64 / REPETITIONS as f64;
    (share(Verdict::Holds), share(Verdict::Fails))
}

/// On margins of mean exactly 0, whatever their law, neither verdict is reached more often than declared, though one looks after every batch of seeds.
#[test]
fn null_margins_are_rarely_decided() {
    for (name, range, law) in NULLS {
        let (holds, fails) = shares(|| Part::per_seed(name, range, move |lab| law(uniform(lab))), BUDGETS[0], ALPHA);
        println!("{name}: holds {holds}, fails {fails}");
        assert!(holds <= ALPHA && fails <= ALPHA, "{name}: holds {holds}, fails {fails}");
    }
}

/// Looking on seven occasions, up to 768 seeds, errs no more often.
#[test]
fn long_budgets_are_as_safe() {
    let (_, range, law) = NULLS[1];
    let (holds, fails) = shares(|| Part::per_seed("", range, move |lab| law(uniform(lab))), BUDGETS[1], ALPHA);
    println!("full budget: holds {holds}, fails {fails}");
    assert!(holds <= ALPHA && fails <= ALPHA, "holds {holds}, fails {fails}");
}

/// Two runs of one recipe on different seeds differ by nothing but luck: a null of the simulator's own making.
#[test]
fn runs_against_themselves_are_rarely_decided() {
    let mut small = Ready::named(RECIPES[0]);
    let c = &mut small.config;
    (c.world.vocab, c.world.prompts, c.world.held_out, c.world.good_tokens) = (4, 2, 4, 1);
    (c.train.steps, c.train.train_batch_size, c.train.group_size, c.train.eval_every) = (3, 2, 4, usize::MAX);
    let gain = move |seed: u64| {
        let curves = Cell { recipe: small.clone(), seed: Seed(seed) }.run().unwrap();
        curves.values[0][1].unwrap() - curves.values[0][0].unwrap()
    };
    let budget = Budget { name: "short", looks: &[12, 24, 48] };
    let part = || {
        let gain = gain.clone();
        Part::per_seed("", (-2.0, 2.0), move |lab| gain(2 * lab.seed.0) - gain(2 * lab.seed.0 + 1))
    };
    let (holds, fails) = shares(part, budget, ALPHA);
    println!("runs against themselves: holds {holds}, fails {fails}");
    assert!(holds <= ALPHA && fails <= ALPHA, "holds {holds}, fails {fails}");
}

/// Of three parts two hold clearly and one is null: "holds" needs all, and the upper bounds share the error.
#[test]
fn parts_together_are_as_safe() {
    let (_, range, law) = NULLS[0];
    let most = *BUDGETS[0].looks.last().unwrap();
    let parts = || vec![Part::exact("", 1.0), Part::per_seed("", range, |_| 0.9), Part::per_seed("", range, move |lab| law(uniform(lab)))];
    let verdict = |i: u64| rule(parts(), BUDGETS[0], ALPHA, 5_000_000 + i * most).verdict;
    let verdicts: Vec<Verdict> = (0..REPETITIONS).into_par_iter().map(verdict).collect();
    for wrong in [Verdict::Holds, Verdict::Fails] {
        let share = verdicts.iter().filter(|v| **v == wrong).count() as f64 / REPETITIONS as f64;
        assert!(share <= ALPHA, "{wrong}: {share}");
    }
}

/// A margin that is there is found: mean .3 with a spread of .4, at the level verdicts are reached at.
#[test]
fn clear_margins_are_decided() {
    let part = |sign: f64| move || Part::per_seed("", (-1.0, 1.0), move |lab| sign * (0.3 + 1.4 * (uniform(lab) - 0.5)));
    assert!(shares(part(1.0), BUDGETS[0], 0.01).0 > 0.9);
    assert!(shares(part(-1.0), BUDGETS[0], 0.01).1 > 0.9);
}

// ---- bounds ------------------------------------------------------------------------------------------------------------------------------

const UNIT: Range = Range { low: 0.0, high: 1.0 };

proptest! {
    /// The bounds enclose the sample mean, stay in the range, mirror each other, and do not know the order of the data.
    #[test]
    fn bounds_are_sane(xs in vec(0.0..=1.0f64, 1..60), alpha in 1e-6..0.5f64) {
        let mean = xs.iter().sum::<f64>() / xs.len() as f64;
        let (low, high) = (lower_bound(&xs, UNIT, alpha), upper_bound(&xs, UNIT, alpha));
        prop_assert!(0.0 <= low && low <= mean && mean <= high && high <= 1.0);
        let mirrored: Vec<f64> = xs.iter().rev().map(|x| 1.0 - x).collect();
        prop_assert!((lower_bound(&mirrored, UNIT, alpha) - (1.0 - high)).abs() < 1e-9);
    }

    /// A smaller error makes wider bounds.
    #[test]
    fn surer_is_wider(xs in vec(0.0..=1.0f64, 1..60), alpha in 1e-6..0.4f64) {
        prop_assert!(lower_bound(&xs, UNIT, alpha) <= lower_bound(&xs, UNIT, 1.2 * alpha) + 1e-12);
    }
}

// ---- the list ----------------------------------------------------------------------------------------------------------------------------

/// The claims of the design, and the rungs each must be judged on.
const REQUIRED: [(&str, &[Rung]); 18] = {
    use Rung::{Bandit, Llm, Theory, Tree};
    [
        ("standard-robust", &[Bandit, Tree, Llm]),
        ("one-shot-aligned", &[Bandit, Tree, Llm]),
        ("random-aligned", &[Bandit, Tree, Llm]),
        ("incorrect-aligned", &[Bandit, Tree, Llm]),
        ("majority-aligned", &[Theory, Bandit, Tree, Llm]),
        ("selfreward-aligned", &[Theory, Bandit, Tree, Llm]),
        ("negative-aligned", &[Theory, Bandit, Tree, Llm]),
        ("noise-j", &[Theory, Bandit, Tree]),
        ("random-clip", &[Theory, Bandit, Tree]),
        ("sharpen-optimum", &[Theory, Bandit, Tree]),
        ("sharpen-unstable", &[Theory, Bandit, Tree]),
        ("sharpen-length", &[Theory, Tree]),
        ("tilted-stable", &[Theory, Bandit, Tree]),
        ("boundary-crossing", &[Theory, Bandit, Tree]),
        ("boundary-steps", &[Bandit, Tree]),
        ("delta-se", &[Bandit, Tree]),
        ("distill-expands", &[Theory, Bandit, Tree, Llm]),
        ("exploration-tree", &[Theory, Tree]),
    ]
};

#[test]
fn no_claim_is_missing() {
    for (id, rungs) in REQUIRED {
        let claim = CLAIMS.iter().find(|c| c.id == id).unwrap_or_else(|| panic!("{id} is missing"));
        let judged: Vec<Rung> = claim.trials.iter().map(|t| t.rung).collect();
        assert_eq!(judged, rungs, "{id}");
    }
    let ids: HashSet<_> = CLAIMS.iter().map(|c| c.id).collect();
    assert_eq!(ids.len(), CLAIMS.len(), "two claims share a name");
}

/// The claims of which the report must say where the paper's version holds.
#[test]
fn findings_name_the_setting_in_which_the_paper_is_right() {
    for id in ["random-aligned", "incorrect-aligned", "random-clip", "noise-j", "negative-aligned"] {
        let claim = CLAIMS.iter().find(|c| c.id == id).unwrap();
        assert!(claim.finding.contains("paper's version holds"), "{id}: {}", claim.finding);
    }
}

/// Parts of all trials that are simulated; those on transformers are run by `mta-sim llm verify`.
fn all_parts() -> Vec<(String, Part)> {
    let of = |parts: Vec<Part>, what: String| parts.into_iter().map(move |p| (format!("{what}, {}", p.place), p));
    let simulated = |t: &&Trial| t.rung != Rung::Llm;
    let trials = CLAIMS.iter().flat_map(|c| c.trials.iter().filter(simulated).map(move |t| (c.id, t)));
    let both = |(id, t): (&str, &Trial)| {
        let name = format!("{id} on {}", t.rung);
        of((t.parts)(), name.clone()).chain(of((t.counterexample)(), format!("{name}, counterexample"))).collect::<Vec<_>>()
    };
    trials.flat_map(both).collect()
}

/// Every margin can be measured, is a number, and lies in the range declared for it; measured twice it is the same.
#[test]
fn every_margin_can_be_measured() {
    all_parts().par_iter().for_each(|(name, part)| match &part.margin {
        Source::Exact(margin) => assert!(margin.is_finite(), "{name}: {margin}"),
        Source::PerSeed(range, margin) => {
            let value = margin(&Lab::new(Seed(3)));
            assert!((range.low..=range.high).contains(&value), "{name}: {value}");
        }
    });
}

/// Claims of theory alone are decided without a seed, as expected, and their counterexamples fail.
#[test]
fn theory_decides_at_once() {
    for (claim, trial) in CLAIMS.iter().flat_map(|c| c.trials.iter().filter(|t| t.rung == Rung::Theory).map(move |t| (c, t))) {
        let judge = |parts: Vec<Part>| rule(parts, BUDGETS[0], 0.01, 0);
        let (ruling, counterexample) = (judge((trial.parts)()), judge((trial.counterexample)()));
        assert_eq!((ruling.verdict, ruling.seeds), (trial.expected, 0), "{}", claim.id);
        assert_eq!(counterexample.verdict, Verdict::Fails, "{}", claim.id);
    }
}

// ---- the report --------------------------------------------------------------------------------------------------------------------------

fn on_theory() -> Vec<Judged> {
    let (claims, rungs) = (CLAIMS.to_vec(), vec![Rung::Theory]);
    judge(&Request { claims, rungs, budget: BUDGETS[0], counterexamples: true, alpha: 0.01, first_seed: 0 }, 1).unwrap()
}

/// A claim that holds where it should fail, and a counterexample that holds, are not as expected; undecided contradicts nothing.
#[test]
fn what_was_not_expected_is_said() {
    let mut judged = on_theory();
    assert!(judged.iter().all(Judged::is_expected));
    let wrong: &'static Trial = Box::leak(Box::new(Trial { expected: Verdict::Fails, ..*judged[0].trial }));
    judged[0].trial = wrong;
    judged[1].counterexample.as_mut().unwrap().verdict = Verdict::Holds;
    judged[2].ruling.verdict = Verdict::Undecided;
    let unexpected: Vec<bool> = judged.iter().map(|j| !j.is_expected()).collect();
    assert_eq!(unexpected.iter().filter(|x| **x).count(), 2);
    assert!(unexpected[0] && unexpected[1]);
    let sentence = verdicts::sentence(&judged, 0.01);
    assert!(sentence.contains(&verdicts::name(&judged[0])) && sentence.contains(&verdicts::name(&judged[1])), "{sentence}");
    assert!(verdicts::table(&judged).contains("holds (expected fails)"));
}

/// The Markdown has a row for every verdict, every claim in words, and every finding; the JSON has a record for every verdict with the margins of all parts.
#[test]
fn reports_leave_nothing_out() {
    let judged = on_theory();
    let (markdown, json) = (verdicts::markdown(&judged, 0.01), verdicts::json(&judged));
    assert_eq!(json.as_array().unwrap().len(), judged.len());
    for (j, record) in judged.iter().zip(json.as_array().unwrap()) {
        assert!(markdown.contains(&format!("| {} | theory | ", j.claim.id)));
        assert!(markdown.contains(j.claim.statement) && markdown.contains(j.claim.finding), "{}", j.claim.id);
        assert_eq!(record["parts"].as_array().unwrap().len(), (j.trial.parts)().len());
        assert_eq!((record["claim"].as_str(), record["verdict"].as_str()), (Some(j.claim.id), Some("holds")));
        assert_eq!(record["counterexample"]["verdict"], "fails");
    }
}

// ---- what claims stand on ----------------------------------------------------------------------------------------------------------------

/// Sharpening far beyond the smallest number stays finite: responses whose probability has no normal number left no longer move.
#[test]
fn extreme_sharpening_stays_finite() {
    let world = World::bandit(&[0.4, 0.35, 0.25], &[true, false, false], Seed(0));
    let mut ready = Ready::new("sharpen", find("signal", SIGNALS, "log_prior").unwrap(), find("rule", RULES, "npg").unwrap());
    let c = &mut ready.config;
    (c.world.prompts, c.train.train_batch_size, c.policy.sharing) = (1, 1, 0.0);
    (c.train.mode, c.train.learning_rate, c.train.steps) = (Mode::Exact, 20.0, 400);
    let mut end = Vec::new();
    train_in(&world, &ready, &mut |_, policy, _| end = policy.first(0).probs);
    assert!(end[0] == 1.0 && end[1..].iter().all(|p| (0.0..f64::MIN_POSITIVE).contains(p)), "{end:?}");
}
