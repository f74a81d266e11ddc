use mta_llm::grown::corpus::prompt;
use mta_llm::grown::corpus::{EOS, response_length};
use mta_llm::grown::grow::{GrowSettings, grow};
use mta_llm::grown::judge::Arithmetic;
use mta_llm::grown::world::{MethodSettings, MethodWorld};
use mta_llm::optimizer::AdamSettings;
use mta_llm::policy::LanguageModel;
use mta_llm::sample::Sampling;
use mta_sims::recipe::{RECIPES, Ready};
use mta_sims::registry::find;
use mta_sims::run::{Environment, Progress, Training};
use mta_sims::stream::Seed;
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let num = |i: usize, d: f64| args.get(i).and_then(|s| s.parse().ok()).unwrap_or(d);
    let (a, lr, steps, growth) = (num(1, 0.9), num(2, 3e-4), num(3, 40.0) as usize, num(4, 600.0) as usize);
    let recipes: Vec<&str> = args.get(5).map_or("standard", |s| s.as_str()).split(',').collect();
    let mut s = MethodSettings::DEFAULT;
    s.world.alignment = a;
    let env = |n: &str, d: f64| std::env::var(n).ok().and_then(|s| s.parse().ok()).unwrap_or(d);
    s.modulus = env("MOD", 5.0) as usize;
    s.terms = env("TERMS", 4.0) as usize;
    s.world.vocab = env("V", 16.0) as usize;
    let mut g = GrowSettings {
        steps: growth,
        batch: env("BATCH", 64.0) as usize,
        hidden_size: env("D", 64.0) as usize,
        layers: env("L", 2.0) as usize,
        ..GrowSettings::DEFAULT
    };
    g.adam.learning_rate = env("LR", 3e-3);
    g.adam.decay_steps = growth + 20;
    g.adam.weight_decay = env("WD", 0.0);
    g.adam.beta2 = env("B2", 0.99);
    let world = MethodWorld::new(&s, Seed(1)).unwrap();
    let q: Vec<f64> = world.task.quality.iter().copied().collect();
    let base: f64 = world.frequencies(&world.questions[0]).iter().zip(&q).map(|(f, q)| f * q).sum();
    println!("qualities {q:.2?}\nfrequencies {:.2?} base {base:.3}", world.frequencies(&world.questions[0]));
    let t = Instant::now();
    let model = grow(&world, &g, &mut |i, l| {
        if i % 100 == 0 {
            println!("grow {i} {l:.4} {:.1}s", t.elapsed().as_secs_f64())
        }
    })
    .unwrap();
    println!("{} parameters", model.architecture.size());
    let prompts: Vec<Vec<u32>> = world.questions.iter().map(|q| prompt(q)).collect();
    let sampling = Sampling { temperature: 1.0, top_p: 1.0, max_new_tokens: response_length(s.terms), stop: vec![EOS] };
    let judge = Arithmetic { world: &world };
    for name in recipes {
        let mut ready = Ready::named(find("recipe", RECIPES, name).unwrap());
        ready.config.train.steps = steps;
        ready.config.train.learning_rate = lr;
        let train: Vec<usize> = world.training().collect();
        let held: Vec<usize> = world.held_out().collect();
        let mut policy = LanguageModel::new(model.copy().unwrap(), &prompts, sampling.clone(), AdamSettings::DEFAULT, false).unwrap();
        let measure = |policy: &LanguageModel| {
            let r = policy.probe(&held, 8, Seed(1), 0).unwrap();
            let mut share = vec![0.0; 16];
            let (mut ok, mut fmt, mut faithful, mut n) = (0.0, 0.0, 0.0, 0.0);
            for (x, g) in held.iter().zip(&r) {
                for t in g {
                    let v = judge.judge(*x, t);
                    n += 1.0;
                    ok += f64::from(v.correct);
                    fmt += f64::from(v.formatted);
                    if let Some(m) = judge.read(t).method {
                        share[m] += 1.0;
                        if judge.read(t).answer == world.methods[m].steps(&world.questions[*x]).last().copied() {
                            faithful += 1.0
                        }
                    }
                }
            }
            println!(
                "   pass@1 {:.3} formatted {:.3} faithful {:.3} shares {:.2?}",
                ok / n,
                fmt / n,
                faithful / n,
                share.iter().map(|s| s / n).collect::<Vec<_>>()
            );
        };
        println!("{name}");
        measure(&policy);
        let t = Instant::now();
        let mut progress = Progress::default();
        let training =
            Training { config: &ready.config, signal: ready.signal, environment: &judge, prompts: &train, teacher: None, seed: Seed(1) };
        while progress.step < steps {
            let st = training.step(&mut policy, &mut progress);
            if progress.step % 10 == 0 {
                println!(
                    "  {} reward {:.3} entropy {:.3} norm {:.3} {:.1}s",
                    progress.step,
                    st.reward,
                    st.entropy,
                    policy.grad_norm.unwrap(),
                    t.elapsed().as_secs_f64()
                );
            }
        }
        measure(&policy);
    }
}
