//! Nothing a user can write into a file or a flag makes the program panic: text, grids, plans and whole cells under random attack.
//!
//! `PROPTEST_CASES=100000 cargo test --test fuzz_config` attacks for longer.

use mta_sim::error::Error;
use mta_sim::groups::Groups;
use mta_sim::plan::Plan;
use mta_sim::runner::Work;
use mta_sim::settings::{RUN_KEYS, Settings, TABLE_KEYS};
use mta_sim::sims::config::{KNOBS, Knob};
use mta_sim::sims::knob::{Kind, Value};
use mta_sim::sims::recipe::RECIPES;
use mta_sim::sims::registry::Named;
use mta_sim::sims::rules::RULES;
use mta_sim::sims::signals::SIGNALS;
use mta_sim::tables::Lines;
use mta_sim::{grid, report, resolved, tables};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::collections::HashMap;
use std::path::Path;

/// `usual` cases, unless the environment asks for more.
fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(usual), failure_persistence: None, ..ProptestConfig::default() }
}

/// Files that are right, to be made wrong.
const RIGHT: &[&str] = &[
    "alignment = [0.1, 0.5]\nconfidence = '1..2'\nrecipes = ['standard', 'one-shot']\nseeds = 2\n",
    "steps = 3\nlr = 0.5\nwhiten = true\nmode = 'exact'\nvocab = 4\n[recipe.mine]\nextends = 'random'\nsignal = 'majority'\nrule = 'rloo'\n",
    "seed = 9223372036854775800\nseeds = 1\nrule = 'dapo'\nout = 'x'\n[recipe.\"a \\u00e9\"]\nkl_beta = 1e-3\nmax_num_gen_batches = 3\n",
    "align_by = 'pass@8'\nalignment = 0.5\nprompts = 4\nheld_out = 4\nsharing = '0..1:0.25,0.1'\n[recipe.standard]\nsharing = 0.3\n",
    "alignment = [0.1, 0.5, 0.9]\nrecipes = ['standard', 'a b']\nseeds = 3\nsteps = 2\n[seeds_of]\nstandard = [0, 3, 1]\n'a b' = [2, 0, 0]\n[recipe.'a b']\n",
];

/// Values of keys: fine, extreme, and of every wrong type.
const VALUES: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "0.5",
    "0.1",
    "1e-300",
    "-0.0",
    "0.0",
    "1.0",
    "1e300",
    "-1e300",
    "nan",
    "-nan",
    "inf",
    "-inf",
    "true",
    "false",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "0x7f",
    "1_000",
    "0o17",
    "''",
    "' 1 '",
    "'1..3'",
    "'0.1..0.3'",
    "'3..1'",
    "'0..1:0.5'",
    "'0.5,0.5'",
    "'1,,2'",
    "'..'",
    "'0..99999'",
    "'0..1:1e-9'",
    "'-1..1:0.5'",
    "'nan,1'",
    "[]",
    "[1]",
    "[1, 2]",
    "[0.5, '0.1..0.3']",
    "[true]",
    "[[1]]",
    "[nan]",
    "{}",
    "{ a = 1 }",
    "[{ a = 1 }]",
    "1979-05-27",
    "12:30:00",
    "'all'",
    "'standard'",
    "'standard,random'",
    "['standard', 'standard']",
    "['mine']",
    "'grpo'",
    "'exact'",
    "'npg'",
    "'majority'",
    "'pass@8'",
    "'few'",
    "'one-shot'",
    "'test-time'",
    "'teacher'",
    "'variance'",
    "'é\\n\\u0000'",
    "\"\\\"\"",
    "'''\na\n'''",
];

/// Names of recipe tables.
const NAMES: &[&str] =
    &["mine", "standard", "one-shot", "'a b'", "'é\"\\'", "\"\\u200b\"", "\"\\u0007\"", "''", "all", "'a,b'", "a.b", "'control.none'"];

/// Everything that may stand before `=`, and some things that may not.
fn keys() -> Vec<String> {
    let names = KNOBS.iter().flat_map(|k| k.aliases.iter().chain([&k.name])).map(|n| format!("'{n}'"));
    names.chain(RUN_KEYS.iter().chain(TABLE_KEYS).chain(&["recipe", "recipe.x.y", "rollout.n", "threads"]).map(|k| k.to_string())).collect()
}

/// Lines `key = value`: three in four right by themselves, the rest at random.
fn lines(most: usize) -> impl Strategy<Value = String> {
    let right = fitting().prop_map(|(knob, value)| format!("{knob} = '{value}'\n"));
    let wrong = (select(keys()), select(VALUES)).prop_map(|(key, value)| format!("{key} = {value}\n"));
    prop::collection::vec(prop_oneof![3 => right, 1 => wrong], 0..most).prop_map(|lines| lines.concat())
}

/// A knob and one of its extreme values.
fn fitting() -> impl Strategy<Value = (&'static str, String)> {
    (0..KNOBS.len(), any::<Index>()).prop_map(|(i, at)| {
        let values = extremes(&KNOBS[i]);
        (KNOBS[i].name, values[at.index(values.len())].clone())
    })
}

/// A file of random keys and values, with up to two recipe tables.
fn file() -> impl Strategy<Value = String> {
    let table = (select(NAMES), lines(4)).prop_map(|(name, lines)| format!("[recipe.{name}]\n{lines}"));
    (lines(5), prop::collection::vec(table, 0..3)).prop_map(|(top, tables)| top + &tables.concat())
}

/// A right file with a few characters replaced, removed, repeated or inserted.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<Index>(), 0..4, prop_oneof![any::<char>(), select(b"[]{}'\"=.,#\n\\0e-_".as_slice()).prop_map(char::from)]);
    (select(RIGHT), prop::collection::vec(edit, 1..6)).prop_map(|(text, edits)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (place, kind, new) in edits.into_iter() {
            let at = place.index(chars.len());
            match kind {
                0 => chars[at] = new,
                1 if chars.len() > 1 => drop(chars.remove(at)),
                2 => chars.insert(at, new),
                _ => chars.insert(at, chars[at]),
            }
        }
        chars.into_iter().collect()
    })
}

fn parse(text: &str) -> Option<Settings> {
    accept(Settings::parse(text, Path::new("c.toml")))
}

/// The value, or none for an error that says what to do about it.
fn accept<T>(result: Result<T, Error>) -> Option<T> {
    result
        .map_err(|error| {
            assert_eq!(error.exit_code(), 2, "{error}");
            assert!(!error.to_string().trim().is_empty());
        })
        .ok()
}

/// Whether planning takes no longer than a test may: sizes of worlds are kept small, their number too.
fn affordable(settings: &Settings) -> bool {
    let assigned = settings.knobs.iter().chain(settings.tables.iter().flat_map(|t| &t.knobs));
    let small = assigned.filter(|a| cap(a.knob).is_some()).flat_map(|a| &a.values).all(|v| matches!(v, Value::Number(x) if *x <= 64.0));
    let points: f64 = settings.axes().iter().map(|a| a.values.len() as f64).product();
    let rows = points * settings.run.seeds.unwrap_or(2) as f64;
    small && (rows <= 64.0 || rows > mta_sim::plan::MAX_CELLS as f64)
}

/// The plan, whose settings as run must give it again.
fn plan(settings: &Settings) -> Option<Plan> {
    let plan = accept(Plan::new(settings))?;
    let text = resolved::config(&plan);
    let again = Settings::parse(&text, Path::new("config.toml")).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let again = Plan::new(&again).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let rows = |plan: &Plan| {
        plan.ids.iter().enumerate().map(|(row, id)| (*id, format!("{:?}", plan.point(plan.row(row).point)))).collect::<Vec<_>>()
    };
    assert_eq!(rows(&plan), rows(&again), "{text}");
    assert_eq!(text, resolved::config(&again));
    Some(plan)
}

fn attack(text: &str) {
    let Some(mut settings) = parse(text) else { return };
    settings.run.seeds = settings.run.seeds.or(Some(1));
    if affordable(&settings) {
        plan(&settings);
    }
}

proptest! {
    #![proptest_config(cases(5000))]

    #[test]
    fn any_bytes_are_settings_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        attack(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn damaged_settings_are_settings_or_an_error(text in mutated()) {
        attack(&text);
    }

    #[test]
    fn any_text_is_a_grid_or_an_error(text in prop_oneof![any::<String>(), "[0-9.,:eE+\\-nafi ]{0,24}", "-?[0-9]{0,16}\\.?[0-9]{0,16}\\.\\.-?[0-9]{0,16}(:[0-9.]{0,8})?"]) {
        if let Ok(numbers) = grid::parse("a", &text) {
            let mut bits: Vec<u64> = numbers.iter().map(|x| (x + 0.0).to_bits()).collect();
            bits.sort_unstable();
            bits.dedup();
            prop_assert!(!numbers.is_empty() && bits.len() == numbers.len() && numbers.len() <= grid::MAX_POINTS, "{text}");
        }
    }

    #[test]
    fn any_flag_is_a_setting_or_an_error(knob in select(KNOBS.iter().map(|k| k.name).collect::<Vec<_>>()), text in prop_oneof![any::<String>(), select(VALUES).prop_map(String::from)]) {
        let mut settings = Settings::default();
        settings.run.seeds = Some(1);
        if accept(settings.flags(std::iter::once((knob, text.trim_matches('\''))))).is_some() && affordable(&settings) {
            plan(&settings);
        }
    }
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn any_keys_and_values_are_a_plan_or_an_error(text in file()) {
        attack(&text);
    }
}

/// Largest value with which a cell of a test stays small, for knobs that are sizes.
fn cap(knob: &str) -> Option<f64> {
    Some(match knob {
        "vocab" => 12.0,
        "depth" | "steps" | "num_iterations" | "max_num_gen_batches" => 3.0,
        "prompts" | "held_out" | "train_batch_size" => 5.0,
        "group_size" | "votes" => 8.0,
        _ => return None,
    })
}

/// The ends of ranges, and numbers near them.
const EXTREMES: &[f64] = &[
    0.0,
    1.0,
    -1.0,
    5e-324,
    1e-300,
    1e-12,
    0.5,
    0.999_999_999_999_999_9,
    1.000_000_000_000_000_2,
    2.0,
    3.0,
    4.0,
    8.0,
    12.0,
    50.0,
    100.0,
    700.0,
    1e3,
    1e4,
    1e6,
    1e15,
    9_007_199_254_740_992.0,
    1e300,
    f64::MAX,
];

/// All extreme values that the knob accepts.
fn extremes(knob: &Knob) -> Vec<String> {
    let kind = (knob.kind)();
    let all: Vec<String> = match kind {
        Kind::Flag => ["false", "true"].map(String::from).into(),
        Kind::Choice(names) => names.iter().map(|n| n.to_string()).collect(),
        _ => EXTREMES.iter().flat_map(|x| [*x, -x]).filter(|x| cap(knob.name).is_none_or(|cap| *x <= cap)).map(|x| x.to_string()).collect(),
    };
    all.into_iter().filter(|text| knob.check(&kind.parse(text)).is_ok()).collect()
}

/// A small cell with a few knobs anywhere in their ranges, and any recipe, rule and signal.
fn extreme_settings() -> impl Strategy<Value = String> {
    let small = "vocab = 6\nprompts = 3\nheld_out = 3\nsteps = 2\ntrain_batch_size = 3\ngroup_size = 4\npass_k = 2\nfew = 2\nseeds = 1\n";
    let (rules, signals) = (names(RULES), names(SIGNALS));
    (prop::collection::vec(fitting(), 0..6), select(names(RECIPES)), select(rules), select(signals)).prop_map(
        move |(knobs, recipe, rule, signal)| {
            let mut lines: HashMap<&str, String> =
                small.lines().filter_map(|l| l.split_once(" = ")).map(|(k, v)| (k, v.to_string())).collect();
            lines.extend(knobs.into_iter().map(|(name, value)| (name, format!("'{value}'"))));
            let mut text: Vec<String> = lines.iter().map(|(k, v)| format!("{k} = {v}\n")).collect();
            text.sort();
            format!(
                "recipes = ['standard', 'mine']\n{}[recipe.mine]\nextends = '{recipe}'\nrule = '{rule}'\nsignal = '{signal}'\n",
                text.concat()
            )
        },
    )
}

fn names<T: Named + ?Sized>(list: &'static [&'static T]) -> Vec<&'static str> {
    list.iter().map(|t| t.name()).collect()
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn what_passes_the_checks_runs_to_the_end_and_can_be_reported(text in extreme_settings()) {
        let Some(plan) = parse(&text).and_then(|settings| plan(&settings)) else { return Ok(()) };
        let (mut lines, mut maker) = (Vec::new(), Lines::of(&plan));
        for row in 0..plan.rows() {
            let Some(curves) = accept(plan.cell(row).run().map_err(|e| Error::knob(e, &mta_sim::error::Origin::Together))) else { return Ok(()) };
            let line = serde_json::to_string(&curves).expect("curves are plain data");
            prop_assert_eq!(&serde_json::from_str::<mta_sim::sims::record::Curves>(&line).expect("and readable"), &curves);
            lines.push(maker.line(row, curves));
        }
        let results = tables::results(&plan, &lines);
        tables::history(&plan, &lines);
        let summaries = report::summarise(&Groups::whole(&plan, &results));
        report::table(&plan, &summaries, true);
        report::sentence(&plan, &summaries);
    }
}
