//! RL steps of a model with random weights, timed: `step tiny|qwen2.5-0.5b [cpu|cuda] [f32|bf16] [steps]`.
//!
//! A step samples G = 8 responses to one prompt, pays them, and moves every parameter by GRPO and AdamW, in the loop that trains any model. No token ends a
//! response, so all are of full length. How much memory a GPU gave, its own tools say: `llm/bench/device.sh`.

use candle_core::{DType, Device};
use mta_llm::architecture::Architecture;
use mta_llm::device;
use mta_llm::memory::{Footprint, Plan};
use mta_llm::model::Model;
use mta_llm::optimizer::AdamSettings;
use mta_llm::policy::LanguageModel;
use mta_llm::sample::Sampling;
use mta_llm::weights::Weights;
use mta_sims::config::Config;
use mta_sims::registry::find;
use mta_sims::rollout::{Label, Token};
use mta_sims::rules::RULES;
use mta_sims::run::{Environment, Progress, Training};
use mta_sims::signals::SIGNALS;
use mta_sims::stream::{Purpose, Seed};
use mta_sims::task::Verdict;
use std::path::Path;
use std::time::Instant;

/// Responses to the prompt, G.
const GROUP: usize = 8;

/// A shape, and how long its prompt and its responses are.
pub struct Shape {
    config: &'static str,
    prompt: usize,
    response: usize,
}

/// Few enough numbers for a test.
pub const TINY: Shape = Shape {
    config: r#"{"model_type": "qwen2", "vocab_size": 23, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": true}"#,
    prompt: 5,
    response: 12,
};

/// Qwen2.5-0.5B as published.
pub const HALF_BILLION: Shape = Shape {
    config: r#"{"model_type": "qwen2", "vocab_size": 151936, "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
        "num_attention_heads": 14, "num_key_value_heads": 2, "tie_word_embeddings": true, "rope_theta": 1000000.0}"#,
    prompt: 64,
    response: 256,
};

/// What a step took and did.
pub struct Report {
    /// Tokens sampled.
    pub tokens: usize,
    /// Seconds of sampling as many tokens alone.
    pub sampling: f64,
    /// Seconds of the whole step, sampling included.
    pub step: f64,
    /// Mean reward.
    pub reward: f64,
    /// Norm of the gradient before clipping.
    pub grad_norm: f64,
}

/// A response is right if the sum of its tokens is even.
struct Even {
    longest: usize,
}

impl Environment for Even {
    fn judge(&self, _: usize, tokens: &[Token]) -> Verdict {
        let sum: u64 = tokens.iter().map(|t| u64::from(t.id)).sum();
        Verdict { answer: u128::from(sum), correct: sum.is_multiple_of(2), formatted: true }
    }

    fn label(&self, _: usize) -> Label {
        Label { luck: 0.5, wrong: None }
    }

    fn longest(&self) -> usize {
        self.longest
    }
}

impl Shape {
    fn named(name: &str) -> Self {
        match name {
            "tiny" => TINY,
            "qwen2.5-0.5b" => HALF_BILLION,
            other => panic!("no shape is called {other}; allowed: tiny, qwen2.5-0.5b"),
        }
    }

    fn architecture(&self) -> Architecture {
        Architecture::parse(self.config, Path::new("config.json")).expect("the shape is a model's")
    }

    fn sampling(&self) -> Sampling {
        Sampling { temperature: 1.0, top_p: 1.0, max_new_tokens: self.response, stop: Vec::new() }
    }

    /// A prompt of random tokens.
    fn prompt(&self, vocab: usize) -> Vec<u32> {
        let words = Seed(0).stream(Purpose::Question, 0, 0);
        (0..self.prompt).map(|t| words.word(t as u64) % vocab as u32).collect()
    }

    fn footprint(&self, dtype: DType) -> Footprint {
        let tokens = self.prompt + self.response;
        let plan = Plan { dtype, lora: None, reference: false, sampled: GROUP, differentiated: GROUP, tokens, response: self.response };
        Footprint::of(&self.architecture(), &plan)
    }
}

fn config() -> Config {
    let mut config = Config { objective: find("rule", RULES, "grpo").expect("it is a rule").objective.clone(), ..Config::DEFAULT };
    (config.train.train_batch_size, config.train.group_size, config.train.learning_rate) = (1, GROUP, 1e-3);
    config
}

/// `steps` steps of a fresh model of `shape`.
pub fn run(shape: &Shape, dtype: DType, device: &Device, steps: usize) -> Vec<Report> {
    let architecture = shape.architecture();
    let prompts = [shape.prompt(architecture.vocab_size)];
    let weights = Weights::new(&architecture, Seed(0), dtype, device).expect("the device has room for the model");
    let model = Model { architecture, weights };
    let policy = LanguageModel::new(model, &prompts, shape.sampling(), AdamSettings::DEFAULT, false);
    let mut policy = policy.expect("the device has room for the optimiser");
    let (config, environment) = (config(), Even { longest: shape.response });
    let signal = find("signal", SIGNALS, "ground_truth").expect("it is a signal");
    let training = Training { config: &config, signal, environment: &environment, prompts: &[0], teacher: None, seed: Seed(0) };
    let mut progress = Progress::default();
    (0..steps).map(|_| timed(&mut policy, &training, &mut progress, device)).collect()
}

fn timed(policy: &mut LanguageModel, training: &Training<Even>, progress: &mut Progress, device: &Device) -> Report {
    let clock = Instant::now();
    let drawn = policy.probe(&[0], GROUP, Seed(1), progress.step).expect("the device has room for the cache");
    let sampling = clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    let stats = training.step(policy, progress);
    device.synchronize().expect("the device has done its work");
    let (step, grad_norm) = (clock.elapsed().as_secs_f64(), policy.grad_norm.expect("the step moved the model"));
    Report { tokens: drawn.iter().flatten().map(Vec::len).sum(), sampling, step, reward: stats.reward, grad_norm }
}

fn type_named(name: &str) -> DType {
    match name {
        "f32" => DType::F32,
        "bf16" => DType::BF16,
        other => panic!("no type is called {other}; allowed: f32, bf16"),
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |place: usize, default: &'static str| words.get(place).map_or(default, String::as_str);
    let (name, place, numbers) = (word(0, "tiny"), word(1, "cpu"), word(2, "f32"));
    let (shape, dtype) = (Shape::named(name), type_named(numbers));
    let device = device::named(place).unwrap_or_else(|why| panic!("{place}: {why}"));
    let (size, peak) = (shape.architecture().size(), shape.footprint(dtype).peak() as f64 / 1e9);
    println!(
        "{name}, {numbers} on {place}: {size} parameters, a prompt of {} tokens, {GROUP} responses of {}",
        shape.prompt, shape.response
    );
    println!("memory, from shapes: {peak:.3} GB at the peak");
    for (i, r) in run(&shape, dtype, &device, word(3, "2").parse().expect("steps are a number")).iter().enumerate() {
        let rate = |seconds: f64| r.tokens as f64 / seconds;
        println!(
            "step {}: {:.3} s, {:.1} tokens/s; sampling alone {:.3} s, {:.1} tokens/s; reward {:.3}, grad_norm {:.4}",
            i + 1,
            r.step,
            rate(r.step),
            r.sampling,
            rate(r.sampling),
            r.reward,
            r.grad_norm
        );
    }
}
