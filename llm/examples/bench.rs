//! Training step and sampling of the bench's shapes: `bench train|sample grown|million [seconds]` prints the median, the least and, where the system tells, the
//! processor milliseconds of all threads of a step, or of a batch of responses.
//!
//! The peers in PyTorch, and the script that alternates them, are in `llm/bench`.

use candle_core::{DType, Device, Tensor};
use mta_llm::architecture::{Architecture, Family};
use mta_llm::model::Model;
use mta_llm::optimizer::{AdamSettings, AdamW};
use mta_llm::sample::{Ask, Sampling};
use mta_llm::score::Sequence;
use mta_llm::weights::Weights;
use mta_sims::stream::{Purpose, Seed, Stream};
use std::time::{Duration, Instant};

/// A shape, and the batch that runs through it.
struct Bench {
    architecture: Architecture,
    tokens: usize,
    batch: usize,
    prompt: usize,
}

/// `[hidden, layers, heads, key heads, head, intermediate, vocabulary]` and `[tokens, batch, prompt]`, as in `llm/bench/train.py`.
fn bench(shape: [usize; 7], run: [usize; 3]) -> Bench {
    let architecture = Architecture {
        family: Family::Qwen3,
        vocab_size: shape[6],
        hidden_size: shape[0],
        intermediate_size: shape[5],
        num_hidden_layers: shape[1],
        num_attention_heads: shape[2],
        num_key_value_heads: shape[3],
        head_dim: shape[4],
        rms_norm_eps: 1e-6,
        rope_theta: 1e4,
        rope_scaling: None,
        attention_bias: false,
        qk_norm: true,
        tie_word_embeddings: true,
        max_position_embeddings: 256,
    };
    Bench { architecture, tokens: run[0], batch: run[1], prompt: run[2] }
}

impl Bench {
    fn named(name: &str) -> Self {
        match name {
            "grown" => bench([64, 2, 4, 2, 16, 192, 64], [32, 64, 12]),
            "million" => bench([128, 4, 4, 4, 32, 384, 512], [64, 32, 16]),
            other => panic!("no shape is called {other}: grown, million"),
        }
    }

    fn model(&self) -> Model {
        let weights = Weights::new(&self.architecture, Seed(0), DType::F32, &Device::Cpu).expect("weights");
        Model { architecture: self.architecture.clone(), weights }
    }

    fn rows(&self, length: usize) -> Vec<Vec<u32>> {
        let row = |i: usize| {
            let stream = Seed(0).stream(Purpose::Document, 0, i);
            (0..length).map(|t| stream.word(t as u64) % self.architecture.vocab_size as u32).collect()
        };
        (0..self.batch).map(row).collect()
    }

    fn train(&self, limit: Duration) -> [Option<f64>; 3] {
        let model = self.model();
        let mut optimizer =
            AdamW::new(AdamSettings { max_grad_norm: 0.0, ..AdamSettings::DEFAULT }, model.weights.vars()).expect("an optimiser");
        let rows = self.rows(self.tokens + 1);
        let sequences: Vec<Sequence> = rows.iter().map(|tokens| Sequence { tokens, from: 1 }).collect();
        median(limit, || {
            let scores = model.score(&sequences, 1.0).expect("scores");
            let loss = (scores.narrow(1, 0, 1).and_then(|x: Tensor| x.mean_all()).expect("a mean") * -1.0).expect("a loss");
            let gradients = loss.backward().expect("gradients");
            optimizer.descend(model.weights.vars(), &gradients).expect("a step");
        })
    }

    fn sample(&self, limit: Duration) -> [Option<f64>; 3] {
        let model = self.model();
        let prompts = self.rows(self.prompt);
        let words: Vec<Stream> = (0..self.batch).map(|i| Seed(0).stream(Purpose::Rollout, 0, i)).collect();
        let asks: Vec<Ask> = prompts.iter().zip(&words).map(|(prompt, words)| Ask { prompt, words, rollout: 0 }).collect();
        let sampling = Sampling { temperature: 1.0, top_p: 1.0, max_new_tokens: self.tokens - self.prompt, stop: vec![] };
        median(limit, || {
            let drawn = model.generate(&asks, &sampling).expect("responses");
            assert!(drawn.iter().all(|d| d.len() == sampling.max_new_tokens));
        })
    }
}

/// Median, least and processor milliseconds of `f`, after five runs that are not counted.
fn median(limit: Duration, mut f: impl FnMut()) -> [Option<f64>; 3] {
    (0..5).for_each(|_| f());
    let (start, before) = (Instant::now(), processor());
    let mut times = Vec::new();
    while start.elapsed() < limit {
        let begin = Instant::now();
        f();
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    let spent = processor().zip(before).map(|(after, before)| (after - before) / times.len() as f64);
    times.sort_by(f64::total_cmp);
    [Some(times[times.len() / 2]), Some(times[0]), spent]
}

/// Milliseconds that all threads of this process have run, as Linux counts them.
fn processor() -> Option<f64> {
    let of = |task: std::io::Result<std::fs::DirEntry>| {
        let nanoseconds = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanoseconds.split(' ').next()?.parse::<f64>().ok().map(|ns| ns * 1e-6)
    };
    std::fs::read_dir("/proc/self/task").ok()?.map(of).sum()
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let bench = Bench::named(words.get(1).map_or("grown", String::as_str));
    let limit = Duration::from_secs_f64(words.get(2).map_or(3.0, |s| s.parse().expect("seconds")));
    let times = match words.first().map(String::as_str) {
        Some("train") => bench.train(limit),
        Some("sample") => bench.sample(limit),
        _ => panic!("bench train|sample grown|million [seconds]"),
    };
    let cell = |time: Option<f64>| time.map_or("-".to_string(), |t| format!("{t:.4}"));
    println!("{}", times.map(cell).join(" "));
}
