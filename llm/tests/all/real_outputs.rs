//! The verifier and the loaders on files that are not in the repository: benchmarks, and real outputs with a Python grader's labels.
//!
//! The folder is `$MTA_DATA`, or `shared/data` beside the repository; without it the tests say so and pass. `--nocapture` shows what they measure, and every
//! disagreement. The numbers are published in `math` and `math::rates`.

use mta_llm::data::load;
use mta_llm::math::extract::{Mark, extract};
use mta_llm::math::rates::{AGAINST_HAND, AGAINST_LABELS, Accepted, Rates};
use mta_llm::math::{equal, verify};
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Instant;

/// A file of data; says so where it is missing.
fn data(file: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os("MTA_DATA").map_or(beside, PathBuf::from).join(file);
    if !path.exists() {
        eprintln!("skipped: {} is not there; set MTA_DATA to the folder of data", path.display());
        return None;
    }
    Some(path)
}

#[derive(Deserialize)]
struct Graded {
    idx: usize,
    gold: String,
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Output {
    text: String,
    extracted: String,
    label: bool,
}

fn graded() -> Option<Vec<Graded>> {
    let text = std::fs::read_to_string(data("graded_outputs/math_cot_first50.jsonl")?).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The question whose gold answer is damaged, and what it should be; every output to it is right, and labelled wrong.
const DAMAGED: (usize, &str) = (3, "4:30 \\text{ p.m.}");

fn rates(questions: &[Graded], gold: impl Fn(&Graded) -> String, right: impl Fn(&Graded, &Output) -> bool) -> Rates {
    let mut counts = [Accepted { accepted: 0, of: 0 }; 2];
    for (question, output) in questions.iter().flat_map(|q| q.outputs.iter().map(move |o| (q, o))) {
        let (verdict, truth) = (verify(&gold(question), &output.text), right(question, output));
        let count = &mut counts[usize::from(truth)];
        *count = Accepted { accepted: count.accepted + usize::from(verdict), of: count.of + 1 };
        if verdict != truth {
            println!("question {}: gold {:?}, answer {:?}: {verdict}", question.idx, gold(question), extract(&output.text));
        }
    }
    Rates { tpr: counts[1], fpr: counts[0] }
}

#[test]
fn rates_are_as_published() {
    let Some(questions) = graded() else { return };
    let start = Instant::now();
    let labels = rates(&questions, |q| q.gold.clone(), |_, o| o.label);
    println!("400 outputs in {:?}; {:?} {:?}", start.elapsed(), labels.tpr.rate(), labels.fpr.rate());
    assert_eq!(labels, AGAINST_LABELS);
    let hand = |q: &Graded, o: &Output| o.label || q.idx == DAMAGED.0;
    let by_hand = rates(&questions, |q| q.gold.clone(), hand);
    println!("{:?} {:?}", by_hand.tpr.rate(), by_hand.fpr.rate());
    assert_eq!(by_hand, AGAINST_HAND);
    let mended = rates(&questions, |q| if q.idx == DAMAGED.0 { DAMAGED.1.into() } else { q.gold.clone() }, hand);
    assert_eq!((mended.tpr.accepted, mended.fpr.accepted), (383, 0));
}

/// The label's grader read the same answers, but for the damaged question, where it lost "p.m.".
#[test]
fn answers_are_found_where_the_labels_grader_found_them() {
    let Some(questions) = graded() else { return };
    for question in questions.iter().filter(|q| q.idx != DAMAGED.0) {
        for output in &question.outputs {
            let (mark, answer) = extract(&output.text).unwrap();
            assert!(
                mark == Mark::Boxed && equal(&output.extracted, answer),
                "question {}: {answer} is not {}",
                question.idx,
                output.extracted
            );
        }
    }
}

/// Pairs of golds that differ as text and are equal to the verifier. All but the last say the same once the question gives the unit or the base.
const SAME: [(&str, &str, &str); 16] = [
    ("gsm8k", "14,000", "14000"),
    ("gsm8k", "5,600", "5600"),
    ("math500", "-2,1", "1,-2"),
    ("math500", "10,\\!080", "10080"),
    ("math500", "120", "120^\\circ"),
    ("math500", "15", "15\\mbox{ cm}^2"),
    ("math500", "2 \\sqrt{5}", "2\\sqrt{5}"),
    ("math500", "30", "30^\\circ"),
    ("math500", "36", "36^\\circ"),
    ("math500", "36", "\\$36"),
    ("math500", "40", "40_9"),
    ("math500", "5", "x=5"),
    ("math500", "90", "90^\\circ"),
    ("math500", "\\frac14", "\\frac{1}{4}"),
    ("minerva_math", "+2", "2"),
    ("math500", "36^\\circ", "\\$36"),
];

#[test]
fn golds_equal_themselves_and_only_what_says_the_same() {
    let mut pairs = 0;
    let start = Instant::now();
    for name in ["aime24", "amc23", "gsm8k", "math500", "minerva_math"] {
        let Some(path) = data(&format!("benchmarks/{name}.jsonl")) else { return };
        let mut golds: Vec<String> = load(&path).unwrap().into_iter().map(|q| q.answer).collect();
        golds.sort();
        golds.dedup();
        for (i, a) in golds.iter().enumerate() {
            assert!(equal(a, a), "{name}: {a} is not itself");
            for b in &golds[i + 1..] {
                pairs += 1;
                assert_eq!(equal(a, b), SAME.contains(&(name, a, b)), "{name}: {a} and {b}");
            }
        }
    }
    println!("{pairs} pairs in {:?}: {:.0} a second", start.elapsed(), f64::from(pairs) / start.elapsed().as_secs_f64());
    assert_eq!(pairs, 140_369);
}

/// Solutions written by people end in the gold answer, and the verifier finds it in every one.
#[test]
fn written_solutions_are_right() {
    for (name, count) in [("aime24", 30), ("gsm8k", 1319), ("math500", 500)] {
        let Some(path) = data(&format!("benchmarks/{name}.jsonl")) else { return };
        let rows: Vec<Value> = std::fs::read_to_string(&path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let questions = load(&path).unwrap();
        assert_eq!(questions.len(), count);
        for (question, row) in questions.iter().zip(&rows) {
            let solution = row["solution"].as_str().or(row["answer"].as_str()).unwrap();
            assert!(verify(&question.answer, solution), "{name} {}: {} against {:?}", question.id, question.answer, extract(solution));
        }
    }
}
