//! AdamW: both forms of the update, clipping, warm-up, and going on from saved moments.

use crate::common::device;
use candle_core::{DType, Tensor, Var};
use mta_llm::optimizer::{AdamSettings, AdamW};

const SETTINGS: AdamSettings = AdamSettings { weight_decay: 0.1, max_grad_norm: 0.5, warmup_steps: 3, ..AdamSettings::DEFAULT };

fn vars(dtype: DType) -> Vec<Var> {
    let var = |size: usize| {
        let values: Vec<f32> = (0..size).map(|i| (i as f32 * 0.7).sin()).collect();
        Var::from_tensor(&Tensor::from_vec(values, (size / 3, 3), &device()).unwrap().to_dtype(dtype).unwrap()).unwrap()
    };
    vec![var(3), var(21), var(60_000)]
}

/// One update against the gradient of sum(x^3 + x).
fn update(vars: &[Var], adam: &mut AdamW) -> f64 {
    let loss = |v: &Var| (v.powf(3.0).unwrap() + v.as_tensor()).unwrap().sum_all().unwrap();
    let total = vars.iter().map(loss).reduce(|a, b| (a + b).unwrap()).unwrap();
    adam.descend(vars, &total.backward().unwrap()).unwrap()
}

fn numbers(vars: &[Var]) -> Vec<f64> {
    vars.iter().flat_map(|v| v.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap()).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn the_plain_form_equals_candles_operations_in_f64() {
    let (plain, wide) = (vars(DType::F32), vars(DType::F64));
    let (mut a, mut b) = (AdamW::new(SETTINGS, &plain).unwrap(), AdamW::new(SETTINGS, &wide).unwrap());
    for _ in 0..10 {
        let norms = (update(&plain, &mut a), update(&wide, &mut b));
        assert!((norms.0 / norms.1 - 1.0).abs() < 1e-5, "{norms:?}");
    }
    assert!(distance(&numbers(&plain), &numbers(&vars(DType::F32))) > 5e-3);
    assert!(distance(&numbers(&plain), &numbers(&wide)) < 1e-6, "{}", distance(&numbers(&plain), &numbers(&wide)));
}

#[test]
fn a_first_step_goes_by_the_learning_rate_times_the_warm_up() {
    let vars = vars(DType::F32);
    let before = numbers(&vars);
    let mut adam = AdamW::new(AdamSettings { weight_decay: 0.0, ..SETTINGS }, &vars).unwrap();
    update(&vars, &mut adam);
    let moved = distance(&numbers(&vars), &before);
    assert!((moved - 1e-3 / 3.0).abs() < 1e-7, "{moved}");
}

#[test]
fn saved_moments_go_on_to_the_same_bits_on_any_number_of_threads() {
    let run = |threads: usize, saved: bool| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let vars = vars(DType::F32);
            let mut adam = AdamW::new(SETTINGS, &vars).unwrap();
            for _ in 0..4 {
                update(&vars, &mut adam);
            }
            if saved {
                let moments = adam.moments(&vars).unwrap();
                adam = AdamW::new(SETTINGS, &vars).unwrap();
                adam.restore(4, &moments).unwrap();
            }
            for _ in 0..4 {
                update(&vars, &mut adam);
            }
            numbers(&vars)
        })
    };
    let straight = run(1, false);
    assert!(run(3, true) == straight && run(2, false) == straight);
}
