//! What is said of judged responses, against enumeration and by hand.

use mta_llm::measure::{Answered, Answers};
use mta_sims::measure::PASS_KS;
use mta_sims::stream::{Purpose, Seed};
use proptest::prelude::*;

fn answered(answer: u128, correct: bool) -> Answered {
    Answered { answer, correct, formatted: true, logprob: -1.0, log_ratio: 0.0, length: 2 }
}

fn groups(correct: &[Vec<bool>]) -> Answers {
    Answers(correct.iter().map(|group| group.iter().map(|c| answered(u128::from(*c), *c)).collect()).collect())
}

/// Share of all choices of `k` of the responses that contain a right one.
fn enumerated(group: &[bool], k: u32) -> f64 {
    let choices: Vec<u32> = (0u32..1 << group.len()).filter(|set| set.count_ones() == k).collect();
    let lucky = choices.iter().filter(|set| (0..group.len()).any(|i| **set >> i & 1 == 1 && group[i])).count();
    lucky as f64 / choices.len() as f64
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn pass_at_k_is_the_share_of_choices_with_a_right_one(
        correct in (1..9usize).prop_flat_map(|n| prop::collection::vec(prop::collection::vec(any::<bool>(), n), 1..5)),
    ) {
        let n = correct[0].len() as u32;
        for k in 1..=n {
            let expected = correct.iter().map(|g| enumerated(g, k)).sum::<f64>() / correct.len() as f64;
            prop_assert!((groups(&correct).pass_at(k).unwrap() - expected).abs() < 1e-12);
        }
        prop_assert_eq!(groups(&correct).pass_at(n + 1), None);
        let measured = groups(&correct).measured();
        for (k, value) in PASS_KS.iter().zip(&measured.pass_at) {
            prop_assert_eq!(value.is_nan(), *k > n, "what k responses cannot tell is missing");
        }
        let counts: Vec<usize> = correct.iter().map(|g| g.iter().filter(|c| **c).count()).collect();
        prop_assert_eq!(groups(&correct).counts(), counts);
    }
}

#[test]
fn the_majority_is_the_most_frequent_answer_and_of_equals_the_first() {
    let of = |answers: &[u128]| Answers(vec![answers.iter().map(|a| answered(*a, *a == 7)).collect()]).majority_accuracy();
    for (answers, right) in [
        (&[7u128, 1, 7][..], 1.0),
        (&[1, 7, 7], 1.0),
        (&[1, 7, 1], 0.0),
        (&[7, 1], 1.0),
        (&[1, 7], 0.0),
        (&[2, 7, 1, 7, 1, 2], 0.0),
        (&[7], 1.0),
    ] {
        assert_eq!(of(answers), right, "{answers:?}");
    }
    let two = Answers(vec![vec![answered(7, true)], vec![answered(1, false)]]);
    assert_eq!((two.majority_accuracy(), two.measured().mode_accuracy), (0.5, 0.5));
}

/// Two prompts of three responses with made-up scores; every number by hand.
#[test]
fn measurements_are_means_over_prompts() {
    let response = |(correct, logprob, log_ratio, length): (bool, f64, f64, usize)| Answered {
        answer: 0,
        correct,
        formatted: length > 1,
        logprob,
        log_ratio,
        length,
    };
    let first = [(true, -1.0, 0.5, 3), (false, -3.0, -0.1, 2), (true, -2.0, 0.2, 1)].map(response).to_vec();
    let second = [(false, -4.0, 0.0, 4), (false, -4.0, 0.3, 4), (false, -1.0, 0.3, 1)].map(response).to_vec();
    let answers = Answers(vec![first, second]);
    let m = answers.measured();
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    near(m.entropy, (2.0 + 3.0) / 2.0);
    near(m.kl, (0.2 + 0.2) / 2.0);
    near(m.mean_length, (2.0 + 3.0) / 2.0);
    near(answers.format_rate(), 2.0 / 3.0);
    // Deviations (1/3, -2/3, 1/3) and (1, -1, 0) give (1/3 + 2/3) / 2; nothing varies in the second group.
    near(m.covariance, 0.5 / 2.0);
}

/// The estimated covariance is that of the simulator's definition: over many groups its mean is the population's.
#[test]
fn the_covariance_is_unbiased() {
    // A response is right with chance .3 at log-probability ln .3, else wrong at ln .7: Cov = .3 ln .3 - .3 (.3 ln .3 + .7 ln .7).
    let words = Seed(3).stream(Purpose::Evaluation, 0, 0);
    let response = |i: u64| {
        let correct = words.uniform(i) < 0.3;
        let logprob = if correct { 0.3f64.ln() } else { 0.7f64.ln() };
        Answered { logprob, ..answered(0, correct) }
    };
    let values: Vec<f64> =
        (0..20_000).map(|g| Answers(vec![(0..4).map(|i| response(4 * g + i)).collect()]).measured().covariance).collect();
    let mean = values.iter().sum::<f64>() / 2e4;
    let error = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2e4 / 2e4).sqrt();
    let expected = 0.3 * 0.3f64.ln() - 0.3 * (0.3 * 0.3f64.ln() + 0.7 * 0.7f64.ln());
    assert!((mean - expected).abs() < 5.0 * error, "{mean} is not {expected} within {error}");
    assert!(Answers(vec![vec![answered(1, true)]]).measured().covariance.is_nan(), "one response has none");
}
