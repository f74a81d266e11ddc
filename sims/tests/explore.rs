use mta_sims::against::{SIMULATIONS, Simulated, Replicates, find};
use mta_sims::stream::Seed;
use mta_sims::statistics::{mean, standard_error};
use mta_theory::propositions::PROPOSITIONS;
#[test]
fn explore() {
    let only = std::env::var("ONLY").ok();
    let inputs = std::env::var("X").ok().map(|t| t.split(',').map(|x| x.parse().unwrap()).collect::<Vec<f64>>());
    let count = std::env::var("R").map_or(1000, |t| t.parse().unwrap());
    for p in PROPOSITIONS {
        if only.as_ref().is_some_and(|o| o != p.id) { continue; }
        let Some(s) = find(p) else { println!("{} none", p.id); continue };
        let x: Vec<f64> = inputs.clone().unwrap_or_else(|| p.inputs.iter().map(|i| i.default).collect());
        let th = (p.evaluate)(&x);
        for (o, t) in p.outputs.iter().zip(&th) {
            if !s.measures.iter().any(|m| m.output == o.name) { continue; }
            let start = std::time::Instant::now();
            let r = s.simulate(o.name, &x, Replicates { seed: Seed(0), count });
            let ms = start.elapsed().as_secs_f64() * 1e3;
            match r {
                Some(Simulated::Exact(v)) => println!("{:4} {:28} theory {:?} sim {v} rel {:.1e} {ms:.0}ms", p.id, o.name, t, (v - t.unwrap_or(f64::NAN)) / v),
                Some(Simulated::Sampled(v)) => { let (m, se) = (mean(&v).unwrap(), standard_error(&v).unwrap()); println!("{:4} {:28} theory {:?} sim {m} ± {se} z {:.2} {ms:.0}ms", p.id, o.name, t, (m - t.unwrap_or(f64::NAN)) / se) }
                None => println!("{:4} {:28} theory {:?} sim none {ms:.0}ms", p.id, o.name, t),
            }
        }
    }
    let _ = SIMULATIONS;
}
