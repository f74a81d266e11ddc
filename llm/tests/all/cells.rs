//! A grown model as a policy of the loop, in cells, and as the simulator forecasts it. One tiny model serves all tests.

use candle_core::DType;
use mta_llm::forecast::{DICE, Fit, Kinetics, Probe, Simulator, method_logprobs};
use mta_llm::grown::cell::{Grown, GrownSettings, teacher_world};
use mta_llm::grown::corpus::{EOS, Vocabulary, prompt, response_length};
use mta_llm::grown::family;
use mta_llm::grown::grow::GrowSettings;
use mta_llm::model::Model;
use mta_llm::optimizer::AdamSettings;
use mta_llm::policy::LanguageModel;
use mta_llm::sample::Sampling;
use mta_llm::score::{LOGPROB, Sequence};
use mta_llm::weights::Weights;
use mta_sims::config::{Config, KlPlace, World as Settings};
use mta_sims::policy::{Nudge, Policy, Step};
use mta_sims::recipe::{RECIPES, Ready};
use mta_sims::record::{Curves, metrics};
use mta_sims::registry::find;
use mta_sims::rollout::Token;
use mta_sims::rules::RULES;
use mta_sims::signals::SIGNALS;
use mta_sims::stream::{MAX_STEPS, Purpose, Seed, Stream};
use serde_json::Value;
use std::sync::OnceLock;

/// Questions of three digits modulo 5, a model of one narrow block, eight responses per prompt.
fn settings() -> GrownSettings {
    let adam = AdamSettings { learning_rate: 1e-2, warmup_steps: 10, ..AdamSettings::DEFAULT };
    let grow = GrowSettings { steps: 120, batch: 48, hidden_size: 16, layers: 1, adam };
    GrownSettings { terms: 3, grow, samples: 8, ..GrownSettings::DEFAULT }
}

/// Six methods, two of them good; 8 training and 24 held-out questions.
fn knobs(config: &mut Config) {
    config.world = Settings { vocab: 6, good_tokens: 2, idiosyncrasy: 0.0, alignment: 0.8, prompts: 8, held_out: 24, ..Settings::DEFAULT };
    (config.train.steps, config.train.eval_every, config.train.learning_rate) = (4, 2, 3e-3);
    (config.train.train_batch_size, config.train.group_size) = (4, 6);
}

fn recipe(name: &str, set: impl FnOnce(&mut Config)) -> Ready {
    let mut ready = Ready::named(find("recipe", RECIPES, name).unwrap());
    knobs(&mut ready.config);
    set(&mut ready.config);
    ready
}

fn folder() -> &'static tempfile::TempDir {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().unwrap())
}

fn grown() -> &'static Grown {
    static GROWN: OnceLock<Grown> = OnceLock::new();
    GROWN.get_or_init(|| {
        let world = settings().world(&recipe("standard", |_| {}).config.world, Seed(3)).unwrap();
        Grown::at(&folder().path().join("base"), world, &settings().grow).unwrap()
    })
}

fn column<'c>(curves: &'c Curves, name: &str) -> &'c [Option<f64>] {
    &curves.values[metrics().iter().position(|m| m.name == name).unwrap()]
}

fn words(step: usize, slot: usize) -> Stream {
    Seed(21).stream(Purpose::Rollout, step, slot)
}

/// Standard errors that an estimate may be off.
const ERRORS: f64 = 5.0;

// ---- policy -------------------------------------------------------------------------------------------------------------------------------

#[test]
fn rollouts_depend_neither_on_their_number_nor_on_other_prompts() {
    let policy = grown().policy(&settings(), true).unwrap();
    let asked: Vec<(usize, Stream)> = [4, 0, 11, 4].into_iter().enumerate().map(|(slot, x)| (x, words(0, slot))).collect();
    let all = policy.respond(&asked, 7).unwrap();
    assert_ne!(all[0], all[3], "the same prompt in another slot has other dice");
    for (one, group) in asked.iter().zip(&all) {
        let alone = policy.respond(std::slice::from_ref(one), 3).unwrap().remove(0);
        assert_eq!(alone, group[..3]);
        assert!(group.iter().any(|r| *r != group[0]), "rollouts differ");
    }
    assert!(policy.respond(&asked, 0).unwrap().iter().all(Vec::is_empty) && policy.respond(&[], 3).unwrap().is_empty());
}

/// log pi of every token of the vocabulary after `text`.
fn next(model: &Model, text: &[u32]) -> Vec<f64> {
    let longer: Vec<Vec<u32>> = (0..model.architecture.vocab_size as u32).map(|v| [text, &[v]].concat()).collect();
    let sequences: Vec<Sequence> = longer.iter().map(|tokens| Sequence { tokens, from: text.len() }).collect();
    let rows: Vec<Vec<f32>> = model.score(&sequences, 1.0).unwrap().to_vec2().unwrap();
    rows.iter().map(|row| f64::from(row[LOGPROB])).collect()
}

/// At whatever temperature rollouts are drawn, greedy responses are scored as these are.
#[test]
fn greedy_responses_are_scored_at_the_temperature() {
    let policy = grown().policy(&GrownSettings { temperature: 0.6, ..settings() }, true).unwrap();
    let greedy = policy.greedy(&[0, 1, 2]);
    let now = policy.rescore(&[0, 1, 2].map(|x| (x, &greedy[x][..])));
    for (said, scored) in greedy.iter().flatten().zip(now.iter().flatten()) {
        assert!((said.logprob - scored.logprob).abs() < 1e-4 && (said.entropy - scored.entropy).abs() < 1e-4);
        assert!((said.ref_logprob - scored.logprob).abs() < 1e-4, "the policy has not moved yet");
    }
    let ids = |all: Vec<Vec<Token>>| all.into_iter().map(|r| r.iter().map(|t| t.id).collect()).collect::<Vec<Vec<u32>>>();
    assert_eq!(ids(greedy), ids(grown().policy(&settings(), false).unwrap().greedy(&[0, 1, 2])), "the mode is that of any temperature");
}

#[test]
fn greedy_takes_the_most_likely_token_every_time() {
    let policy = grown().policy(&settings(), true).unwrap();
    let prompts: Vec<usize> = (0..10).collect();
    for (x, response) in prompts.iter().zip(policy.greedy(&prompts)) {
        let mut text = prompt(&grown().world.questions[*x]);
        for token in &response {
            let logs = next(&policy.model, &text);
            let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert!(logs[token.id as usize] > top - 1e-5, "{} of {top}", logs[token.id as usize]);
            assert!((token.logprob - top).abs() < 1e-4 && (token.ref_logprob - top).abs() < 1e-4);
            text.push(token.id);
        }
        assert!(response.last().unwrap().id == EOS || response.len() == response_length(3));
    }
}

/// Moves a policy: up with its own responses.
fn push(policy: &mut LanguageModel, steps: usize) {
    for step in 0..steps {
        let drawn = policy.respond(&[(0, words(step, 0))], 4).unwrap().remove(0);
        let nudge = |tokens| Nudge { prompt: 0, tokens, push: vec![1.0; tokens.len()], entropy_push: vec![0.0; tokens.len()] };
        let nudges: Vec<Nudge> = drawn.iter().map(|tokens: &Vec<Token>| nudge(&tokens[..])).collect();
        policy.ascend(&nudges, &Step { learning_rate: 1e-2, batch: 1.0, geometry: Config::DEFAULT.objective.geometry });
    }
}

fn numbers(model: &Model) -> Vec<Vec<f32>> {
    model.weights.vars().iter().map(|v| v.flatten_all().unwrap().to_vec1().unwrap()).collect()
}

#[test]
fn the_reference_stays_the_base_model_and_a_copy_is_independent() {
    let before = numbers(&grown().model);
    let base = grown().policy(&settings(), false).unwrap();
    let mut policy = grown().policy(&settings(), true).unwrap();
    push(&mut policy, 3);
    assert_eq!(numbers(&grown().model), before, "the base model stays");
    assert_ne!(numbers(&policy.model), before, "its copy moves");
    let drawn = policy.respond(&[(2, words(9, 0))], 12).unwrap().remove(0);
    let responses: Vec<(usize, &[Token])> = drawn.iter().map(|tokens| (2, &tokens[..])).collect();
    let (of_base, of_policy) = (base.rescore(&responses), policy.rescore(&responses));
    let mut apart = 0.0f64;
    for (token, (base, now)) in drawn.iter().flatten().zip(of_base.iter().flatten().zip(of_policy.iter().flatten())) {
        assert!((token.ref_logprob - base.logprob).abs() < 1e-5, "{} is not {}", token.ref_logprob, base.logprob);
        assert!((token.logprob - now.logprob).abs() < 1e-4 && (token.entropy - now.entropy).abs() < 1e-4);
        assert_eq!(now.ref_logprob, token.ref_logprob, "the reference is not scored again");
        apart = apart.max((token.logprob - token.ref_logprob).abs());
    }
    assert!(apart > 0.1, "the policy has moved by {apart}");
    assert!(base.respond(&[(2, words(9, 0))], 1).unwrap()[0][0][0].ref_logprob.is_nan(), "no reference is kept where none is asked for");
}

/// Half precision runs in the composite form.
#[test]
fn a_policy_in_half_precision_is_scored_and_moved() {
    let base = grown();
    let named = base.model.weights.iter().map(|(name, var)| (name.to_string(), var.to_dtype(DType::BF16).unwrap()));
    let half = Model { architecture: base.model.architecture.clone(), weights: Weights::of(named.collect()).unwrap() };
    let prompts = vec![prompt(&base.world.questions[0])];
    let sampling = Sampling { temperature: 1.0, top_p: 1.0, max_new_tokens: 6, stop: vec![EOS] };
    let mut policy = LanguageModel::new(half, &prompts, sampling, AdamSettings::DEFAULT, true).unwrap();
    push(&mut policy, 2);
    let drawn = policy.respond(&[(0, words(0, 1))], 3).unwrap().remove(0);
    assert!(drawn.iter().flatten().all(|t| t.logprob <= 0.0 && t.ref_logprob <= 0.0));
}

// ---- cells --------------------------------------------------------------------------------------------------------------------------------

#[test]
fn curves_do_not_depend_on_threads() {
    let ready = recipe("standard", |_| {});
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| grown().run(&settings(), &ready, None).unwrap())
    };
    let one = run(1);
    assert_eq!(one, run(3));
    assert_eq!(one.steps, [0, 2, 4]);
    assert!(column(&one, "held_out/pass@8").iter().all(Option::is_some) && column(&one, "held_out/pass@16").iter().all(Option::is_none));
    assert_eq!(column(&one, "rollouts"), [None, Some(24.0), Some(24.0)]);
}

#[test]
fn nothing_changes_where_nothing_is_paid() {
    let curves = grown().run(&settings(), &recipe("control.none", |_| {}), None).unwrap();
    let kl = column(&curves, "held_out/kl");
    assert!(kl.iter().all(|x| x.unwrap().abs() < 1e-5), "{kl:?}");
    let rates: Vec<f64> = column(&curves, "held_out/pass@1").iter().map(|x| x.unwrap()).collect();
    let error = (rates[0] * (1.0 - rates[0]) / (24.0 * 8.0)).sqrt();
    assert!(rates.iter().all(|r| (r - rates[0]).abs() < ERRORS * 2f64.sqrt() * error), "{rates:?} within {error}");
    assert!(rates[1] != rates[2], "each evaluation draws afresh");
    let moving = grown().run(&settings(), &recipe("standard", |_| {}), None).unwrap();
    assert!(column(&moving, "held_out/kl")[2].unwrap() > 1e-4, "training is not nothing");
}

/// Responses to training prompts that the selection of few prompts goes by: the last round there is.
fn selected_by() -> Vec<usize> {
    let policy = grown().policy(&settings(), true).unwrap();
    grown().ask(&policy, &settings(), grown().world.training(), MAX_STEPS - 1).unwrap().counts()
}

#[test]
fn one_shot_trains_on_the_prompt_nearest_one_half() {
    let counts = selected_by();
    let distance = |x: usize| (counts[x] as f64 / 8.0 - 0.5).abs();
    let nearest = (0..8).map(distance).fold(1.0, f64::min);
    let first = (0..8).find(|x| distance(*x) == nearest).unwrap();
    let short = |c: &mut Config| c.train.steps = 1;
    let chosen =
        |name: &str, set: &dyn Fn(&mut Config)| grown().run(&settings(), &recipe(name, |c| (short(c), set(c)).1), None).unwrap().chosen;
    println!("{counts:?}: {first}");
    assert_eq!(chosen("one-shot", &|_| {}), [first]);
    assert!(chosen("standard", &|_| {}).is_empty());
    let few = chosen("one-shot", &|c| (c.data.regime, c.data.few) = (mta_sims::config::Regime::Few, 3));
    assert!(few.len() == 3 && few[0] == first);
    let worst_kept = few.iter().map(|x| distance(*x)).fold(0.0, f64::max);
    assert!((0..8).filter(|x| !few.contains(x)).all(|x| distance(x) >= worst_kept));
    let random = chosen("one-shot", &|c| c.data.select_by = mta_sims::config::SelectBy::Random);
    assert!(random.len() == 1 && random[0] < 8);
}

/// A teacher samples, and KL terms refer to it; where a rule compares with the greedy response, that has a reference as well.
#[test]
fn every_place_of_a_kl_term_gives_numbers() {
    let teacher_settings = teacher_world(&recipe("distill", |_| {}).config).expect("distill has a teacher");
    assert_eq!((teacher_settings.alignment, teacher_settings.confidence), (1.0, 2.0));
    assert!(teacher_world(&recipe("standard", |_| {}).config).is_none());
    let short = |c: &mut Config| (c.train.steps, c.objective.kl_beta) = (1, 0.1);
    let distill = grown().run(&settings(), &recipe("distill", short), Some(grown())).unwrap();
    let mut remax = recipe("standard", |_| {});
    (remax.rule, remax.signal) = (find("rule", RULES, "remax").unwrap(), find("signal", SIGNALS, "log_prior").unwrap());
    remax.config.objective = remax.rule.objective.clone();
    remax.config.objective.kl_place = KlPlace::Reward;
    short(&mut remax.config);
    let remax = grown().run(&settings(), &remax, None).unwrap();
    for (name, curves) in [("distill", distill), ("remax", remax)] {
        assert!(column(&curves, "held_out/kl").iter().all(Option::is_some), "{name}: {:?}", column(&curves, "held_out/kl"));
    }
}

#[test]
fn a_base_model_is_kept_and_must_have_the_worlds_shape() {
    let (base, at) = (grown(), folder().path().join("base"));
    let again = Grown::at(&at, base.world.clone(), &settings().grow).unwrap();
    assert_eq!(numbers(&again.model), numbers(&base.model));
    let wider = GrowSettings { hidden_size: 24, ..settings().grow };
    let error = Grown::at(&at, base.world.clone(), &wider).err().expect("another width").to_string();
    assert!(error.contains("base") && error.contains("another shape"), "{error}");
}

/// What no parameter's shape shows: the error names it.
#[test]
fn a_base_model_must_have_the_worlds_angles_and_norms() {
    let base = grown();
    for (name, value) in [("rope_theta", 5e4.into()), ("rms_norm_eps", 1e-5.into()), ("max_position_embeddings", 64.into())] {
        let at = tempfile::tempdir().unwrap();
        family::save(at.path(), &base.model, &base.world, 0).unwrap();
        let path = at.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config["rope_parameters"].as_object_mut().unwrap().remove("rope_theta");
        config[name] = value;
        std::fs::write(&path, config.to_string()).unwrap();
        let error = Grown::at(at.path(), base.world.clone(), &settings().grow).err().expect(name).to_string();
        assert!(error.contains(&format!("another shape: its {name} is {}", config[name])), "{error}");
    }
}

// ---- forecast -----------------------------------------------------------------------------------------------------------------------------

#[test]
fn method_logprobs_are_the_frequencies_of_first_tokens() {
    let logprobs = method_logprobs(grown()).unwrap();
    assert!(logprobs.len() == 32 && logprobs.iter().all(|row| row.len() == 6));
    assert!(logprobs.iter().all(|row| row.iter().map(|l| l.exp()).sum::<f64>() <= 1.0 + 1e-6));
    let (policy, vocabulary, count) = (grown().policy(&settings(), false).unwrap(), Vocabulary::of(&grown().world), 2000);
    for x in [0, 5, 20] {
        let drawn = policy.respond(&[(x, words(1, x))], count).unwrap().remove(0);
        for (v, logprob) in logprobs[x].iter().enumerate() {
            let chance = logprob.exp();
            let seen = drawn.iter().filter(|r| r[0].id == vocabulary.method(v)).count() as f64 / count as f64;
            let error = (chance * (1.0 - chance) / count as f64).sqrt();
            assert!((seen - chance).abs() < ERRORS * error, "question {x}, method {v}: {seen} drawn, {chance} expected, within {error}");
        }
    }
}

/// Mean over questions of the chance that a method which answers it rightly is named.
fn pass_at_1(prompts: std::ops::Range<usize>) -> f64 {
    let logprobs = method_logprobs(grown()).unwrap();
    let right = |x: usize| (0..6).filter(|v| grown().world.task.is_right(x, 0, *v)).map(|v| logprobs[x][v].exp()).sum::<f64>();
    prompts.clone().map(right).sum::<f64>() / prompts.len() as f64
}

#[test]
fn a_forecast_without_steps_stays_where_the_base_model_is() {
    let simulator = Simulator::new(grown(), DICE).unwrap();
    let still = simulator.run(&recipe("standard", |_| {}), Kinetics { learning_rate: 0.0, sharing: 0.9 });
    let moving = simulator.run(&recipe("standard", |_| {}), Kinetics { learning_rate: 1.0, sharing: 0.9 });
    for (name, prompts) in [("held_out/pass@1", grown().world.held_out()), ("train/pass@1", grown().world.training())] {
        let expected = pass_at_1(prompts);
        assert!(expected > 0.05 && expected < 0.95);
        assert!(
            column(&still, name).iter().all(|x| (x.unwrap() - expected).abs() < 1e-9),
            "{name}: {:?}, {expected}",
            column(&still, name)
        );
        assert!(column(&moving, name)[2].unwrap() > expected + 0.01, "with steps it moves");
        assert!((column(&moving, name)[0].unwrap() - expected).abs() < 1e-9);
    }
    assert_eq!(still.alignment, 0.8);
}

/// What the simulator made, the simulator recognises, from one probe or several.
#[test]
fn a_fit_recovers_the_kinetics_of_simulated_outcomes() {
    for (probes, truth) in [(1, Kinetics { learning_rate: 0.56, sharing: 0.7 }), (2, Kinetics { learning_rate: 2.2, sharing: 0.95 })] {
        let probe = |dice| {
            let simulator = Simulator::new(grown(), dice).unwrap();
            let recipes = ["standard", "one-shot"].map(|name| recipe(name, |c| c.train.steps = 12));
            Probe { outcomes: recipes.into_iter().map(|r| (r.clone(), simulator.run(&r, truth))).collect(), simulator }
        };
        let fit = Fit::of(&(1..=probes).map(probe).collect::<Vec<_>>());
        assert_eq!(fit, Fit { kinetics: truth, rmse: 0.0 });
    }
}

/// What a fit leaves is the distance of its forecast.
#[test]
fn a_fit_tells_its_error() {
    let simulator = Simulator::new(grown(), 1).unwrap();
    let recipe = recipe("standard", |c| c.train.steps = 4);
    let mut seen = simulator.run(&recipe, Kinetics { learning_rate: 0.8, sharing: 0.5 });
    seen.values.iter_mut().flatten().flatten().for_each(|x| *x = 2.0);
    let fit = Fit::of(&[Probe { simulator, outcomes: vec![(recipe, seen)] }]);
    assert!((1.0..2.0).contains(&fit.rmse), "accuracies are in [0, 1]: {}", fit.rmse);
}

/// A shape of the simulated world: base model's chances for methods, the rest for responses that name none, which are ill formed and wrong.
#[test]
fn the_forecast_of_the_base_model_has_its_entropy_over_methods() {
    let logprobs = method_logprobs(grown()).unwrap();
    let entropy = |row: &Vec<f64>| {
        let none: f64 = 1.0 - row.iter().map(|l| l.exp()).sum::<f64>();
        -row.iter().map(|l| l.exp() * l).sum::<f64>() - if none > 0.0 { none * none.ln() } else { 0.0 }
    };
    let held_out = grown().world.held_out();
    let expected = held_out.clone().map(|x| entropy(&logprobs[x])).sum::<f64>() / held_out.len() as f64;
    let curves =
        Simulator::new(grown(), 1).unwrap().run(&recipe("standard", |c| c.train.steps = 0), Kinetics { learning_rate: 1.0, sharing: 1.0 });
    let found = column(&curves, "held_out/entropy")[0].unwrap();
    assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
}
