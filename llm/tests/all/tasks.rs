//! The laws of procedural tasks, over every family and difficulty.

use mta_llm::data::load;
use mta_llm::permutation::Permutation;
use mta_llm::tasks::{FAMILIES, Family, Row, Split, score_answer, write_jsonl};
use mta_sims::stream::Seed;
use proptest::prelude::*;
use std::collections::HashSet;

/// Every family at each of its difficulties.
fn settings() -> impl Iterator<Item = (&'static Family, u32)> {
    FAMILIES.iter().flat_map(|family| (1..=family.levels).map(|level| (*family, level)))
}

fn draw(family: &Family, level: u32, split: Split, seed: u64, n: usize) -> Vec<Row> {
    family.draw(level, split, Seed(seed), n).unwrap()
}

#[test]
fn own_answers_are_right_and_wrong_ones_are_not() {
    for (family, level) in settings() {
        for row in draw(family, level, Split::Train, 3, 30) {
            assert_eq!(score_answer(&row.answer, &row).unwrap(), 1.0, "{row:?}");
            assert_eq!(score_answer(&format!(" {}\n", row.answer), &row).unwrap(), 1.0, "{row:?}");
            for wrong in ["", "no", "-123456", "0 0", &format!("{}1", row.answer)] {
                assert!(score_answer(wrong, &row).unwrap() < 1.0, "{wrong} for {row:?}");
            }
        }
    }
}

/// Every number of a family is another question, as far as one can look.
#[test]
fn questions_are_as_many_as_counted() {
    for (family, level) in settings() {
        let count = (family.questions)(level);
        assert!(count > 0 && count < 1 << 124, "{} {level}", family.entry.name);
        let all = count.min(20_000);
        let ends = (0..all / 2).chain(count - all / 2..count);
        let different: HashSet<String> = ends.clone().map(|i| (family.item)(level, i).question).collect();
        assert_eq!(different.len(), ends.count(), "{} {level}", family.entry.name);
    }
}

#[test]
fn more_than_there_are_is_refused() {
    let family = Family::named("chain_sum").unwrap();
    let error = family.draw(1, Split::HeldOut, Seed(0), 163).unwrap_err().to_string();
    assert!(error.contains("chain_sum") && error.contains("162") && error.contains("at most"), "{error}");
    let most: usize = error.rsplit(' ').next().unwrap().parse().unwrap();
    let held_out = draw(family, 1, Split::HeldOut, 0, most);
    let trained = draw(family, 1, Split::Train, 0, 162 - most);
    let all: HashSet<&str> = held_out.iter().chain(&trained).map(|row| row.question.as_str()).collect();
    assert_eq!(all.len(), 162, "the two sides are all there is");
    let error = family.draw(9, Split::Train, Seed(0), 1).unwrap_err().to_string();
    assert!(error.contains("difficulty 9 of chain_sum; allowed: 1 to 8"), "{error}");
    assert!(Family::named("chain_sun").unwrap_err().to_string().contains("did you mean 'chain_sum'"));
}

#[test]
fn one_question_in_four_is_held_out() {
    for (family, level) in settings() {
        let count = (family.questions)(level).min(4000);
        let held_out = (0..count).filter(|i| Split::of(&(family.item)(level, *i).question) == Split::HeldOut).count() as f64;
        let share = held_out / count as f64;
        let five_deviations = 5.0 * (0.25 * 0.75 / count as f64).sqrt();
        assert!((share - 0.25).abs() < five_deviations, "{} {level}: {share}", family.entry.name);
    }
}

#[test]
fn rows_are_written_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    let rows: Vec<Row> = settings().flat_map(|(family, level)| draw(family, level, Split::HeldOut, 5, 3)).collect();
    write_jsonl(&rows, &path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let back: Vec<Row> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(back, rows);
    let questions = load(&path).unwrap();
    assert!(questions.iter().zip(&rows).all(|(q, row)| q.answer == row.answer && q.source == row.metadata.source_dataset));
}

/// Texts and answers, so that a change to a family does not pass unseen.
#[test]
fn questions_read_as_they_did() {
    let lines: Vec<String> = FAMILIES
        .iter()
        .map(|family| {
            let item = (family.item)(2, 1234);
            format!("{} -> {}", item.question, item.answer)
        })
        .collect();
    assert_eq!(lines, EXPECTED);
}

const EXPECTED: [&str; 7] = [
    "What is 2 - 6 - 4? -> -8",
    "What is ((2 * 1) * 2) mod 2? The answer is from 0 to 1. -> 0",
    "Define: a & b is 0 more than the larger of 7 * a and 6 * b. Compute 1 & 1 & 1 from left to right. -> 49",
    "Replace each letter by the letter 11 places later in the alphabet, where a follows z: yaaa -> jlll",
    "Here + multiplies and * adds, and what multiplies is done first. What is 2 + 2 * 5 + 4? -> 24",
    "Spell this word backward: mvba -> abvm",
    "Write an expression with + - * / and brackets that equals 373, using the numbers 4, 6, 13, 15 each at most once. -> ((6 * 15) * 4) + 13",
];

/// Which questions a seed draws, and which side they are on, is part of the format.
#[test]
fn draws_are_as_they_were() {
    assert_eq!(Split::of("What  is 4 + 3?\n"), Split::of("what is 4 + 3?"));
    let first = |split| draw(Family::named("chain_sum").unwrap(), 2, split, 7, 2).into_iter().map(|row| row.question).collect::<Vec<_>>();
    assert_eq!(first(Split::Train), ["What is 8 + 2 + 5?", "What is 7 + 7 + 6?"]);
    assert_eq!(first(Split::HeldOut), ["What is 4 - 1 + 3?", "What is 9 - 1 + 8?"]);
}

/// The table in the module's documentation.
#[test]
fn counts_are_as_documented() {
    let ends = |name| {
        let family = Family::named(name).unwrap();
        format!("{} {:.1e}", (family.questions)(1), (family.questions)(family.levels) as f64)
    };
    assert_eq!(ends("chain_sum"), "162 9.9e28");
    assert_eq!(ends("modular_arithmetic"), "2430 4.1e18");
    assert_eq!(ends("operation"), "1574640 9.3e10");
    assert_eq!(ends("cipher"), "896376 4.9e18");
    assert_eq!(ends("counterfactual"), "448 9.6e11");
    assert_eq!(ends("spell_backward"), "17576 1.3e31");
    assert_eq!(ends("countdown"), "4060 1.1e9");
}

/// How often the stated rule changes nothing: the ordinary answer is right as well.
#[test]
fn counterfactual_rules_mostly_matter() {
    let family = Family::named("counterfactual").unwrap();
    for level in 1..=family.levels {
        let rows = draw(family, level, Split::Train, 1, 300);
        let same = rows.iter().filter(|row| row.metadata.details["ordinary_answer"] == row.answer.as_str()).count();
        println!("level {level}: {same} of {}", rows.len());
        assert!(same < 30, "level {level}: {same} of 300");
    }
}

proptest! {
    #[test]
    fn train_and_held_out_share_no_question(pick in 0usize..10_000, train_seed in any::<u64>(), held_out_seed in any::<u64>()) {
        let all: Vec<_> = settings().collect();
        let (family, level) = all[pick % all.len()];
        let trained: HashSet<String> = draw(family, level, Split::Train, train_seed, 60).into_iter().map(|row| row.question).collect();
        let held_out: HashSet<String> = draw(family, level, Split::HeldOut, held_out_seed, 30).into_iter().map(|row| row.question).collect();
        prop_assert_eq!((trained.len(), held_out.len()), (60, 30));
        prop_assert!(trained.is_disjoint(&held_out));
    }

    #[test]
    fn a_longer_draw_begins_with_the_shorter(pick in 0usize..10_000, seed in any::<u64>(), n in 1usize..30) {
        let all: Vec<_> = settings().collect();
        let (family, level) = all[pick % all.len()];
        let longer = draw(family, level, Split::Train, seed, 40);
        prop_assert_eq!(&draw(family, level, Split::Train, seed, n)[..], &longer[..n]);
    }

    #[test]
    fn permutations_permute(size in 1u128..3000, seed in any::<u64>()) {
        let order = Permutation::new(Seed(seed), 1, "x", size);
        let places: HashSet<u128> = (0..size).map(|i| order.at(i)).collect();
        prop_assert_eq!(places.len() as u128, size);
        prop_assert!(places.iter().all(|p| *p < size));
    }

    #[test]
    fn scores_are_between_0_and_1(pick in 0usize..10_000, answer in any::<String>(), expression in "[0-9+*/() -]{0,30}") {
        let all: Vec<_> = settings().collect();
        let (family, level) = all[pick % all.len()];
        let row = &draw(family, level, Split::Train, 1, 1)[0];
        for text in [&answer, &expression] {
            prop_assert!((0.0..=1.0).contains(&family.score_answer(text, row)));
        }
    }
}
