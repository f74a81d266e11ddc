//! The world of methods, its corpus and its verifier.

use mta_llm::grown::corpus::{BOS, DIGIT, EOS, EQUALS, MARK, Vocabulary, document, prompt, response, response_length};
use mta_llm::grown::judge::{Arithmetic, Said};
use mta_llm::grown::world::{MethodSettings, MethodWorld};
use mta_sims::config::{AlignBy, World as Settings};
use mta_sims::prior::correlation;
use mta_sims::rollout::Token;
use mta_sims::run::Environment;
use mta_sims::stream::{Purpose, Seed};
use mta_sims::task::Verdict;
use ndarray::Array1;
use rand::Rng;
use std::collections::HashSet;

/// Eight methods on questions of four digits modulo 5: 20 training and 60 held-out ones of 625.
fn settings(set: impl FnOnce(&mut MethodSettings)) -> MethodSettings {
    let world = Settings { vocab: 8, prompts: 20, held_out: 60, ..MethodSettings::DEFAULT.world };
    let mut settings = MethodSettings { world, modulus: 5, ..MethodSettings::DEFAULT };
    set(&mut settings);
    settings
}

fn world(seed: u64, set: impl FnOnce(&mut MethodSettings)) -> MethodWorld {
    MethodWorld::new(&settings(set), Seed(seed)).unwrap()
}

/// Standard errors that an estimate may be off.
const ERRORS: f64 = 5.0;

// ---- world --------------------------------------------------------------------------------------------------------------------------------

#[test]
fn the_task_knows_nothing_of_alignment_confidence_idiosyncrasy_and_leak() {
    for seed in 0..5 {
        let plain = world(seed, |_| {});
        let others: [fn(&mut MethodSettings); 4] =
            [|s| s.world.alignment = -0.7, |s| s.world.confidence = 3.0, |s| s.world.idiosyncrasy = 1.0, |s| s.leak = 0.4];
        for (i, set) in others.into_iter().enumerate() {
            let other = world(seed, set);
            assert_eq!(plain.questions, other.questions);
            assert_eq!(plain.methods, other.methods);
            assert_eq!(plain.task, other.task);
            assert_eq!(plain.shared == other.shared, i > 1, "the prior knows of alignment and confidence");
        }
    }
}

#[test]
fn alignment_is_the_correlation_of_log_frequencies_with_qualities() {
    for (seed, alignment) in [(0, -1.0), (1, -0.4), (2, 0.0), (3, 0.1), (4, 0.5), (5, 0.9), (6, 1.0)] {
        let world = world(seed, |s| (s.world.alignment, s.world.confidence) = (alignment, 1.7));
        let shared = Array1::from(world.shared.clone());
        let found = correlation(&shared, &world.task.quality.row(0).to_owned());
        assert!((found - alignment).abs() < 1e-9, "{found} is not {alignment}");
        let spread = (&shared - shared.mean().unwrap()).mapv(|x| x * x).mean().unwrap().sqrt();
        assert!((spread - 1.7).abs() < 1e-9, "{spread}");
        let logs = Array1::from_iter(world.frequencies(&world.questions[0]).iter().map(|f| f.ln()));
        assert!((correlation(&logs, &shared) - 1.0).abs() < 1e-9, "frequencies are the prior's, normalised");
    }
}

/// Share of `count` random questions that a method answers rightly.
fn asked(world: &MethodWorld, v: usize, count: usize) -> f64 {
    let mut stream = world.seed.stream(Purpose::Population, 0, v);
    let settings = &world.settings;
    let question = |_| (0..settings.terms).map(|_| stream.random_range(0..settings.modulus) as u8).collect::<Vec<u8>>();
    let right = (0..count).map(question).filter(|q| world.methods[v].steps(q).last() == Some(&world.answer(q))).count();
    right as f64 / count as f64
}

/// The table's qualities are those of all questions within binomial error, and on average over seeds those that were asked for.
#[test]
fn methods_are_as_good_as_they_should_be() {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for seed in 0..60 {
        let world = world(seed, |s| (s.modulus, s.world.held_out) = (10, 300));
        for v in 0..8 {
            let (table, truth) = (world.task.quality[[0, v]], asked(&world, v, 20_000));
            let error = (truth.max(0.002) * (1.0 - truth).max(0.002) / 320.0).sqrt();
            assert!((table - truth).abs() < ERRORS * error, "seed {seed}, method {v}: {table} of the table's, {truth} of all");
            if v < 3 { good.push(truth) } else { bad.push(truth) }
        }
    }
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let error = |x: &[f64]| (x.iter().map(|q| (q - mean(x)).powi(2)).sum::<f64>()).sqrt() / x.len() as f64;
    println!("good {:.4} +- {:.4}, bad {:.4} +- {:.4}", mean(&good), error(&good), mean(&bad), error(&bad));
    // A slip rate is a whole number of pairs: 5 of 100 for quality .85, which makes it .857.
    assert!((mean(&good) - 0.95f64.powi(3)).abs() < ERRORS * error(&good));
    assert!((mean(&bad) - 0.04).abs() < ERRORS * error(&bad));
}

#[test]
fn the_truth_table_is_what_methods_answer() {
    let world = world(3, |_| {});
    for (x, question) in world.questions.iter().enumerate() {
        let sum = question.iter().map(|d| usize::from(*d)).sum::<usize>() % 5;
        for (v, method) in world.methods.iter().enumerate() {
            assert_eq!(world.task.is_right(x, 0, v), usize::from(*method.steps(question).last().unwrap()) == sum);
        }
    }
}

#[test]
fn questions_differ_and_their_numbers_do_not_change_one_another() {
    let small = world(7, |_| {});
    let more = world(7, |s| s.world.prompts = 33);
    let wide = world(7, |s| s.world.held_out = 200);
    assert_eq!(small.questions.iter().collect::<HashSet<_>>().len(), 80, "no two are equal");
    assert_eq!(wide.questions.iter().collect::<HashSet<_>>().len(), 220, "no two are equal");
    let training = |w: &MethodWorld| w.questions[w.training()].to_vec();
    let held_out = |w: &MethodWorld| w.questions[w.held_out()].to_vec();
    assert_eq!(held_out(&small), held_out(&more));
    assert_eq!(training(&small), training(&more)[..20]);
    assert_eq!(training(&small), training(&wide));
    assert_eq!(held_out(&small), held_out(&wide)[..60]);
    assert_ne!(small.questions, world(8, |_| {}).questions, "seeds differ");
}

#[test]
fn a_method_without_format_is_never_right() {
    let world = world(1, |s| s.world.format_rate = 0.5);
    let gate: Vec<bool> = world.task.formatted().row(0).to_vec();
    assert!(gate.contains(&true) && gate.contains(&false));
    let plain = self::world(1, |_| {});
    assert_eq!((&world.questions, &world.methods), (&plain.questions, &plain.methods), "the gate changes nothing else");
    for (x, v) in (0..80).flat_map(|x| (0..8).map(move |v| (x, v))) {
        assert_eq!(world.task.is_right(x, 0, v), plain.task.is_right(x, 0, v) && gate[v]);
    }
}

#[test]
fn settings_that_leave_no_world_are_refused() {
    let refused = |set: fn(&mut MethodSettings)| MethodWorld::new(&settings(set), Seed(0)).unwrap_err().to_string();
    for (set, name) in [
        ((|s| s.terms = 1) as fn(&mut MethodSettings), "terms"),
        (|s| s.terms = 13, "terms"),
        (|s| s.modulus = 1, "modulus"),
        (|s| s.modulus = 37, "modulus"),
        (|s| (s.terms, s.modulus) = (5, 4), "modulus"),
        (|s| s.leak = 1.0, "leak"),
        (|s| s.leak = f64::NAN, "leak"),
        (|s| s.world.depth = 2, "depth"),
        (|s| s.world.end_token = true, "end_token"),
        (|s| s.world.held_out = 300, "prompts"),
        (|s| s.world.align_by = AlignBy::PassAt(8), "align_by"),
        (|s| (s.world.good_quality, s.world.bad_quality) = (0.0, 0.0), "good_tokens"),
        (|s| s.world.difficulty = 50.0, "good_tokens"),
    ] {
        assert!(refused(set).starts_with(name), "{name}: {}", refused(set));
    }
}

// ---- corpus -------------------------------------------------------------------------------------------------------------------------------

/// Question and method of a document.
fn parsed(world: &MethodWorld, number: usize) -> (Vec<u8>, usize) {
    let (tokens, from) = document(world, number);
    let vocabulary = Vocabulary::of(world);
    let question: Vec<u8> = tokens[1..from - 1].iter().map(|t| vocabulary.as_digit(*t).expect("a question is digits")).collect();
    (question, vocabulary.as_method(tokens[from]).expect("a response begins with a method"))
}

#[test]
fn documents_follow_the_method_they_name() {
    let world = world(2, |s| s.world.format_rate = 0.6);
    for number in 0..500 {
        let (tokens, from) = document(&world, number);
        let (question, method) = parsed(&world, number);
        let digit = |d: &u8| DIGIT + u32::from(*d);
        let steps = world.methods[method].steps(&question);
        let mark = world.task.formatted()[[0, method]].then_some(MARK);
        let expected: Vec<u32> = [BOS]
            .into_iter()
            .chain(question.iter().map(digit))
            .chain([EQUALS, DIGIT + 5 + method as u32])
            .chain(steps.iter().map(digit))
            .chain(mark)
            .chain([digit(&steps[2]), EOS])
            .collect();
        assert_eq!((tokens, from), (expected, 6));
    }
}

#[test]
fn steps_add_digits_and_slips_add_one() {
    let world = world(4, |_| {});
    for (method, question) in world.methods.iter().flat_map(|m| world.questions.iter().map(move |q| (m, q))) {
        let mut sum = question[0];
        for (step, digit) in method.steps(question).into_iter().zip(&question[1..]) {
            let slip = (i32::from(step) - i32::from(sum) - i32::from(*digit)).rem_euclid(5);
            assert!(slip <= 1, "a step is off by {slip}");
            sum = step;
        }
    }
}

/// Panics unless documents name methods as often as the prior says, question by question.
fn follows_the_prior(world: &MethodWorld, documents: usize) {
    let (mut seen, mut expected, mut variance) = ([0.0; 8], [0.0; 8], [0.0; 8]);
    for number in 0..documents {
        let (question, method) = parsed(world, number);
        seen[method] += 1.0;
        for (v, f) in world.frequencies(&question).into_iter().enumerate() {
            expected[v] += f;
            variance[v] += f * (1.0 - f);
        }
    }
    for v in 0..8 {
        let errors = (seen[v] - expected[v]) / f64::sqrt(variance[v]);
        assert!(errors.abs() < ERRORS, "method {v} is named {} times of {:.1} expected: {errors:.1} standard errors", seen[v], expected[v]);
    }
}

#[test]
fn methods_are_as_frequent_as_the_prior_says() {
    follows_the_prior(&world(5, |s| s.world.alignment = 0.9), 20_000);
    follows_the_prior(&world(6, |s| (s.world.alignment, s.world.idiosyncrasy) = (0.2, 1.5)), 20_000);
    let own = world(6, |s| s.world.idiosyncrasy = 1.5);
    assert_ne!(own.frequencies(&[0, 1, 2, 3]), own.frequencies(&[0, 2, 2, 3]), "idiosyncrasy hangs on the first two digits");
    assert_eq!(own.frequencies(&[0, 1, 2, 3]), own.frequencies(&[0, 1, 4, 4]), "and on nothing else");
}

#[test]
fn corpora_differ_in_methods_only() {
    let at = |alignment: f64| world(5, move |s| (s.world.alignment, s.leak) = (alignment, 0.2));
    let (low, high) = (at(0.1), at(0.9));
    let held_out: HashSet<&Vec<u8>> = low.questions[low.held_out()].iter().collect();
    let mut changed = 0;
    for number in 0..2000 {
        let ((q, m), (r, n)) = (parsed(&low, number), parsed(&high, number));
        assert_eq!(q, r, "document {number}");
        assert!(m == n || !held_out.contains(&q), "what leaks does not depend on the alignment");
        changed += usize::from(m != n);
    }
    assert!(changed > 200, "{changed} methods differ");
}

#[test]
fn no_question_of_the_corpus_is_trained_on_or_held_out_unless_it_leaks() {
    let clean = world(9, |_| {});
    let known: HashSet<&Vec<u8>> = clean.questions.iter().collect();
    assert!((0..5000).all(|number| !known.contains(&parsed(&clean, number).0)));
    let leaky = world(9, |s| s.leak = 0.3);
    let (training, held_out) = (&leaky.questions[leaky.training()], &leaky.questions[leaky.held_out()]);
    let mut leaked = HashSet::new();
    let mut count = 0.0;
    for number in 0..5000 {
        let (question, method) = parsed(&leaky, number);
        assert!(!training.contains(&question));
        if let Some(i) = held_out.iter().position(|q| *q == question) {
            let x = leaky.held_out().start + i;
            let solvable = (0..8).any(|v| leaky.task.is_right(x, 0, v));
            assert_eq!(leaky.task.is_right(x, 0, method), solvable, "a leaked answer is right where a method is");
            count += 1.0;
            leaked.insert(question);
        }
    }
    assert!((count - 1500.0f64).abs() < ERRORS * (5000.0f64 * 0.3 * 0.7).sqrt(), "{count} of 5000 leak");
    assert_eq!(leaked.len(), 60, "every held-out question does");
}

// ---- judge --------------------------------------------------------------------------------------------------------------------------------

fn tokens(ids: &[u32]) -> Vec<Token> {
    let token = |id: &u32| Token { id: *id, logprob: -1.0, ref_logprob: -1.0, entropy: 1.0, certainty: 1.0 };
    ids.iter().map(token).collect()
}

fn judged(world: &MethodWorld, x: usize, ids: &[u32]) -> Verdict {
    Arithmetic { world }.judge(x, &tokens(ids))
}

#[test]
fn the_judge_reads_what_the_corpus_writes() {
    let world = world(2, |s| s.world.format_rate = 0.6);
    for (x, question) in world.questions.iter().enumerate() {
        for v in 0..8 {
            let written = response(&world, v, question);
            let (verdict, well_formed) = (judged(&world, x, &written), world.task.formatted()[[0, v]]);
            let answer = *world.methods[v].steps(question).last().unwrap();
            assert_eq!((verdict.correct, verdict.formatted), (world.task.is_right(x, 0, v), well_formed));
            let said = Arithmetic { world: &world }.read(&tokens(&written));
            assert_eq!(said, Said { method: Some(v), answer: well_formed.then_some(answer) });
            assert_eq!(verdict.answer == u128::from(answer), well_formed);
            assert!(written.len() <= Arithmetic { world: &world }.longest() && (written.len() == response_length(4)) == well_formed);
        }
        let label = Arithmetic { world: &world }.label(x);
        assert!(label.wrong.is_some_and(|w| w < 5 && w != u128::from(world.answer(question))));
    }
    assert_eq!(prompt(&[3, 0]), [BOS, DIGIT + 3, DIGIT, EQUALS]);
}

/// Whether tokens are one method, three sums, the mark, a digit and the end: the grammar, written again.
fn is_well_formed(ids: &[u32]) -> bool {
    let digit = |t: u32| (DIGIT..DIGIT + 5).contains(&t);
    ids.len() == 7
        && (DIGIT + 5..DIGIT + 13).contains(&ids[0])
        && ids[1..4].iter().all(|t| digit(*t))
        && ids[4] == MARK
        && digit(ids[5])
        && ids[6] == EOS
}

/// Everything one edit away from a response of the corpus: a token changed, dropped, repeated or added.
fn edits(written: &[u32]) -> Vec<Vec<u32>> {
    let mut all = vec![Vec::new(), written.to_vec()];
    for place in 0..written.len() {
        let (before, after) = (&written[..place], &written[place + 1..]);
        all.push([before, after].concat());
        all.push(before.to_vec());
        for token in 0..DIGIT + 14 {
            all.push([before, &[token], after].concat());
            all.push([before, &[token], &written[place..]].concat());
        }
    }
    all
}

#[test]
fn malformed_responses_are_wrong_and_agree_with_their_like_only() {
    let world = world(2, |_| {});
    let mut names: std::collections::HashMap<u128, Vec<u32>> = Default::default();
    for ids in edits(&response(&world, 0, &world.questions[0])) {
        let verdict = judged(&world, 0, &ids);
        assert_eq!(verdict.formatted, is_well_formed(&ids), "{ids:?}");
        if verdict.formatted {
            assert_eq!(verdict.answer, u128::from(ids[5] - DIGIT));
            assert_eq!(verdict.correct, ids[5] - DIGIT == u32::from(world.answer(&world.questions[0])));
        } else {
            assert!(!verdict.correct && verdict.answer >= 1 << 127, "{ids:?}");
            assert!(names.insert(verdict.answer, ids.clone()).is_none_or(|other| other == ids), "only equal responses agree");
        }
    }
    assert!(names.len() > 150, "{} malformed responses", names.len());
}
